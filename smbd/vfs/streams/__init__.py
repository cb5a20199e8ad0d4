"""Named streams: small ones in extended attributes as Samba has them, large ones in a store."""

from smbd.vfs.streams.file import (
    StreamFile,
    create_stream,
    has_stream,
    list_streams,
    open_stream,
    remove_stream,
    remove_streams,
)

__all__ = [
    "StreamFile",
    "create_stream",
    "has_stream",
    "list_streams",
    "open_stream",
    "remove_stream",
    "remove_streams",
]
