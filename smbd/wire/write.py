"""WRITE ([MS-SMB2] 2.2.21, 2.2.22): the payload stays where it was received."""

import struct
from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus


class WriteFlags:
    """[MS-SMB2] 2.2.21, Flags."""

    WRITE_THROUGH = 0x00000001
    WRITE_UNBUFFERED = 0x00000002


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 49
    "H"   # DataOffset
    "I"   # Length
    "Q"   # Offset
    "QQ"  # FileId: persistent, volatile
    "I"   # Channel
    "8x"  # RemainingBytes, WriteChannelInfoOffset, WriteChannelInfoLength
    "I"   # Flags
)  # fmt: skip
_REQUEST_END = 112
_FARTHEST_DATA = 0x100  # [MS-SMB2] 3.3.5.13: DataOffset may not be greater

_RESPONSE = Struct(
    "<"
    "H"   # StructureSize, always 17
    "2x"  # Reserved
    "I"   # Count
    "8x"  # Remaining, WriteChannelInfoOffset, WriteChannelInfoLength
)  # fmt: skip


@dataclass(slots=True)
class WriteRequest:
    """[MS-SMB2] 2.2.21; `data` is a slice of the frame."""

    offset: int
    persistent_id: int
    volatile_id: int
    data: memoryview
    channel: int
    flags: int


def parse_write_request(frame: memoryview) -> WriteRequest:
    """[MS-SMB2] 2.2.21."""
    try:
        size, start, length, offset, persistent_id, volatile_id, channel, flags = (
            _REQUEST.unpack_from(frame, 64)
        )
    except struct.error:
        raise NtError(NtStatus.INVALID_PARAMETER) from None
    end = start + length
    if size != 49 or (
        length and (start < _REQUEST_END or start > _FARTHEST_DATA or end > len(frame))
    ):
        raise NtError(NtStatus.INVALID_PARAMETER)
    data = frame[start:end] if length else frame[:0]
    return WriteRequest(offset, persistent_id, volatile_id, data, channel, flags)


def pack_write_response(count: int) -> bytes:
    """[MS-SMB2] 2.2.22."""
    return _RESPONSE.pack(17, count)
