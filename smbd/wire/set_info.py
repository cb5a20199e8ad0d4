"""SET_INFO ([MS-SMB2] 2.2.39, 2.2.40)."""

from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import cut, unpack_body

_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 33
    "B"   # InfoType
    "B"   # FileInfoClass
    "I"   # BufferLength
    "H"   # BufferOffset
    "2x"  # Reserved
    "I"   # AdditionalInformation
    "QQ"  # FileId: persistent, volatile
)  # fmt: skip
_REQUEST_END = 96

SET_INFO_RESPONSE = b"\x02\x00"  # StructureSize, always 2, and nothing else


@dataclass(slots=True)
class SetInfoRequest:
    """[MS-SMB2] 2.2.39; `info_type` and `additional_information` are those of QUERY_INFO."""

    info_type: int
    info_class: int
    additional_information: int
    persistent_id: int
    volatile_id: int
    data: memoryview


def parse_set_info_request(frame: memoryview) -> SetInfoRequest:
    """[MS-SMB2] 2.2.39."""
    _, info_type, info_class, length, offset, additional, persistent_id, volatile_id = unpack_body(
        _REQUEST, frame, 33
    )
    data = cut(frame, offset, length, _REQUEST_END)
    return SetInfoRequest(info_type, info_class, additional, persistent_id, volatile_id, data)
