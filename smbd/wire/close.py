"""CLOSE ([MS-SMB2] 2.2.15, 2.2.16)."""

from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import unpack_body
from smbd.wire.fscc.information import FileInformation


class CloseFlags:
    """[MS-SMB2] 2.2.15, Flags."""

    POSTQUERY_ATTRIB = 0x0001


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 24
    "H"   # Flags
    "4x"  # Reserved
    "QQ"  # FileId: persistent, volatile
)  # fmt: skip

_RESPONSE = Struct(
    "<"
    "H"     # StructureSize, always 60
    "H"     # Flags
    "4x"    # Reserved
    "QQQQ"  # CreationTime, LastAccessTime, LastWriteTime, ChangeTime
    "Q"     # AllocationSize
    "Q"     # EndofFile
    "I"     # FileAttributes
)  # fmt: skip
_NOTHING = _RESPONSE.pack(60, 0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(slots=True)
class CloseRequest:
    """[MS-SMB2] 2.2.15."""

    flags: int
    persistent_id: int
    volatile_id: int


def parse_close_request(frame: memoryview) -> CloseRequest:
    """[MS-SMB2] 2.2.15."""
    _, flags, persistent_id, volatile_id = unpack_body(_REQUEST, frame, 24)
    return CloseRequest(flags, persistent_id, volatile_id)


def pack_close_response(information: FileInformation | None) -> bytes:
    """[MS-SMB2] 2.2.16; information is given if the client asked for POSTQUERY_ATTRIB."""
    if information is None:
        return _NOTHING
    i = information
    return _RESPONSE.pack(
        60, CloseFlags.POSTQUERY_ATTRIB,
        i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.allocation_size, i.end_of_file, i.attributes,
    )  # fmt: skip
