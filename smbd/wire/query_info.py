"""QUERY_INFO ([MS-SMB2] 2.2.37); its response is output.pack_output_response."""

from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import cut, unpack_body


class InfoType:
    """[MS-SMB2] 2.2.37 and 2.2.39, InfoType."""

    FILE = 1
    FILE_SYSTEM = 2
    SECURITY = 3
    QUOTA = 4


class SecurityInformation:
    """[MS-SMB2] 2.2.37 and 2.2.39, AdditionalInformation of InfoType SECURITY."""

    OWNER = 0x00000001
    GROUP = 0x00000002
    DACL = 0x00000004
    SACL = 0x00000008
    LABEL = 0x00000010
    ATTRIBUTE = 0x00000020
    SCOPE = 0x00000040
    BACKUP = 0x00010000


class QueryInfoFlags:
    """[MS-SMB2] 2.2.37, Flags: how to walk a list of extended attributes."""

    RESTART_SCAN = 0x00000001
    RETURN_SINGLE_ENTRY = 0x00000002
    INDEX_SPECIFIED = 0x00000004


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 41
    "B"   # InfoType
    "B"   # FileInfoClass
    "I"   # OutputBufferLength
    "H"   # InputBufferOffset
    "2x"  # Reserved
    "I"   # InputBufferLength
    "I"   # AdditionalInformation
    "I"   # Flags
    "QQ"  # FileId: persistent, volatile
)  # fmt: skip
_REQUEST_END = 104


@dataclass(slots=True)
class QueryInfoRequest:
    """[MS-SMB2] 2.2.37."""

    info_type: int
    info_class: int
    output_buffer_length: int
    additional_information: int
    flags: int
    persistent_id: int
    volatile_id: int
    input: memoryview


def parse_query_info_request(frame: memoryview) -> QueryInfoRequest:
    """[MS-SMB2] 2.2.37."""
    (
        _, info_type, info_class, limit, input_offset, input_length, additional, flags,
        persistent_id, volatile_id,
    ) = unpack_body(_REQUEST, frame, 41)  # fmt: skip
    data = cut(frame, input_offset, input_length, _REQUEST_END)
    return QueryInfoRequest(
        info_type, info_class, limit, additional, flags, persistent_id, volatile_id, data
    )
