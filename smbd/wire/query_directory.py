"""QUERY_DIRECTORY ([MS-SMB2] 2.2.33); its response is output.pack_output_response."""

from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import cut, text, unpack_body


class QueryDirectoryFlags:
    """[MS-SMB2] 2.2.33, Flags."""

    RESTART_SCANS = 0x01
    RETURN_SINGLE_ENTRY = 0x02
    INDEX_SPECIFIED = 0x04
    REOPEN = 0x10


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 33
    "B"   # FileInformationClass
    "B"   # Flags
    "I"   # FileIndex
    "QQ"  # FileId: persistent, volatile
    "H"   # FileNameOffset
    "H"   # FileNameLength
    "I"   # OutputBufferLength
)  # fmt: skip
_REQUEST_END = 96


@dataclass(slots=True)
class QueryDirectoryRequest:
    """[MS-SMB2] 2.2.33; `pattern` may have wildcards, or be empty."""

    info_class: int
    flags: int
    file_index: int
    persistent_id: int
    volatile_id: int
    output_buffer_length: int
    pattern: str


def parse_query_directory_request(frame: memoryview) -> QueryDirectoryRequest:
    """[MS-SMB2] 2.2.33."""
    _, info_class, flags, index, persistent_id, volatile_id, offset, length, limit = unpack_body(
        _REQUEST, frame, 33
    )
    pattern = text(cut(frame, offset, length, _REQUEST_END))
    return QueryDirectoryRequest(
        info_class, flags, index, persistent_id, volatile_id, limit, pattern
    )
