"""READ ([MS-SMB2] 2.2.19, 2.2.20): the hot path, so its checks stand inline."""

import struct
from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus


class Channel:
    """[MS-SMB2] 2.2.19 and 2.2.21, Channel."""

    NONE = 0
    RDMA_V1 = 1
    RDMA_V1_INVALIDATE = 2
    RDMA_TRANSFORM = 3


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 49
    "x"   # Padding
    "B"   # Flags
    "I"   # Length
    "Q"   # Offset
    "QQ"  # FileId: persistent, volatile
    "I"   # MinimumCount
    "I"   # Channel
    "8x"  # RemainingBytes, ReadChannelInfoOffset, ReadChannelInfoLength
)  # fmt: skip

_RESPONSE = Struct(
    "<"
    "H"   # StructureSize, always 17
    "B"   # DataOffset
    "x"   # Reserved
    "I"   # DataLength
    "8x"  # DataRemaining, Flags
)  # fmt: skip
READ_RESPONSE_SIZE = 16
_DATA_AT = 80


@dataclass(slots=True)
class ReadRequest:
    """[MS-SMB2] 2.2.19."""

    length: int
    offset: int
    persistent_id: int
    volatile_id: int
    minimum_count: int
    channel: int
    flags: int


def parse_read_request(frame: memoryview) -> ReadRequest:
    """[MS-SMB2] 2.2.19."""
    try:
        size, flags, length, offset, persistent_id, volatile_id, minimum, channel = (
            _REQUEST.unpack_from(frame, 64)
        )
    except struct.error:
        raise NtError(NtStatus.INVALID_PARAMETER) from None
    if size != 49:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return ReadRequest(length, offset, persistent_id, volatile_id, minimum, channel, flags)


def pack_read_response_into(out: bytearray | memoryview, at: int, count: int) -> None:
    """[MS-SMB2] 2.2.20, the 16 bytes in front of the data; `at` is where the body starts."""
    _RESPONSE.pack_into(out, at, 17, _DATA_AT, count)
