"""FLUSH ([MS-SMB2] 2.2.17); its response is empty.EMPTY_RESPONSE."""

from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import unpack_body

_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 24
    "6x"  # Reserved1, Reserved2
    "QQ"  # FileId: persistent, volatile
)  # fmt: skip


@dataclass(slots=True)
class FlushRequest:
    """[MS-SMB2] 2.2.17."""

    persistent_id: int
    volatile_id: int


def parse_flush_request(frame: memoryview) -> FlushRequest:
    """[MS-SMB2] 2.2.17."""
    _, persistent_id, volatile_id = unpack_body(_REQUEST, frame, 24)
    return FlushRequest(persistent_id, volatile_id)
