"""CHANGE_NOTIFY ([MS-SMB2] 2.2.35) and the changes that it reports ([MS-FSCC] 2.7.1).

Its response is output.pack_output_response.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import encode, unpack_body


class ChangeNotifyFlags:
    """[MS-SMB2] 2.2.35, Flags."""

    WATCH_TREE = 0x0001


class CompletionFilter:
    """[MS-SMB2] 2.2.35, CompletionFilter."""

    FILE_NAME = 0x001
    DIR_NAME = 0x002
    ATTRIBUTES = 0x004
    SIZE = 0x008
    LAST_WRITE = 0x010
    LAST_ACCESS = 0x020
    CREATION = 0x040
    EA = 0x080
    SECURITY = 0x100
    STREAM_NAME = 0x200
    STREAM_SIZE = 0x400
    STREAM_WRITE = 0x800


class FileAction:
    """[MS-FSCC] 2.7.1, Action."""

    ADDED = 1
    REMOVED = 2
    MODIFIED = 3
    RENAMED_OLD_NAME = 4
    RENAMED_NEW_NAME = 5
    ADDED_STREAM = 6
    REMOVED_STREAM = 7
    MODIFIED_STREAM = 8


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 32
    "H"   # Flags
    "I"   # OutputBufferLength
    "QQ"  # FileId: persistent, volatile
    "I"   # CompletionFilter
    "4x"  # Reserved
)  # fmt: skip
_NOTIFY = Struct(
    "<"
    "I"  # NextEntryOffset
    "I"  # Action
    "I"  # FileNameLength
)  # fmt: skip
_NEXT_ENTRY = Struct("<I")


@dataclass(slots=True)
class ChangeNotifyRequest:
    """[MS-SMB2] 2.2.35."""

    flags: int
    output_buffer_length: int
    persistent_id: int
    volatile_id: int
    completion_filter: int


def parse_change_notify_request(frame: memoryview) -> ChangeNotifyRequest:
    """[MS-SMB2] 2.2.35."""
    return ChangeNotifyRequest(*unpack_body(_REQUEST, frame, 32)[1:])


def pack_notify_information(changes: Iterable[tuple[int, str]], limit: int) -> bytes | None:
    """[MS-FSCC] 2.7.1: (action, name) of each change, names relative to the watched directory.

    All or nothing: None means that they do not fit in `limit` bytes, and the client is told to look
    for itself (NOTIFY_ENUM_DIR, [MS-SMB2] 3.3.4.4).
    """
    out = bytearray()
    last = 0
    for action, name in changes:
        encoded = encode(name)
        last = len(out)
        size = _NOTIFY.size + len(encoded)
        if last + size > limit:
            return None
        step = size + -size % 4
        out += _NOTIFY.pack(step, action, len(encoded))
        out += encoded.ljust(step - _NOTIFY.size, b"\0")
    if out:
        _NEXT_ENTRY.pack_into(out, last, 0)
    return bytes(out[:limit])
