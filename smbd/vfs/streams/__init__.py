"""Named streams: small ones in extended attributes as Samba has them, large ones in a store."""

from smbd.vfs.streams.file import (
    StreamFile,
    create_stream,
    has_stream,
    has_streams,
    list_streams,
    open_stream,
    remove_stream,
    remove_streams,
    small_content,
)
from smbd.vfs.streams.store import know_share
from smbd.vfs.streams.sweep import Sweep

__all__ = [
    "StreamFile",
    "Sweep",
    "create_stream",
    "has_stream",
    "has_streams",
    "know_share",
    "list_streams",
    "open_stream",
    "remove_stream",
    "remove_streams",
    "small_content",
]
