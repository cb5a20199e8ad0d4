"""The ERROR response: the body of every reply that failed ([MS-SMB2] 2.2.2)."""

from struct import Struct

from smbd.ntstatus import NtStatus
from smbd.wire.header import Dialect

_ERROR = Struct(
    "<"
    "H"  # StructureSize, always 9
    "B"  # ErrorContextCount
    "x"  # Reserved
    "I"  # ByteCount
)  # fmt: skip
_CONTEXT = Struct(
    "<"
    "I"   # ErrorDataLength
    "4x"  # ErrorId: 0, SMB2_ERROR_ID_DEFAULT
)  # fmt: skip

# Where there is nothing to say, ErrorData is one byte all the same.
_NOTHING = _ERROR.pack(9, 0, 0) + b"\0"


def pack_error_response(dialect: int, status: int, data: bytes = b"") -> bytes:
    """[MS-SMB2] 2.2.2; 3.1.1 wraps the ErrorData in an error context (2.2.2.1).

    INFO_LENGTH_MISMATCH says nothing, but in 3.1.1 within a context (3.3.5.20.1).
    """
    wrapped = dialect == Dialect.SMB_3_1_1
    if not data and not (wrapped and status == NtStatus.INFO_LENGTH_MISMATCH):
        return _NOTHING
    if not wrapped:
        return _ERROR.pack(9, 0, len(data)) + data
    return _ERROR.pack(9, 1, _CONTEXT.size + len(data)) + _CONTEXT.pack(len(data)) + data
