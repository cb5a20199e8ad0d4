"""The one SMB1 message that is answered: NEGOTIATE, by which older clients find SMB2.

[MS-CIFS] 2.2.4.52; [MS-SMB2] 3.3.5.3 says what becomes of it.
"""

from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import unpack_payload
from smbd.wire.header import SMB1_PROTOCOL_ID

_NEGOTIATE = Struct(
    "<"
    "4s"   # Protocol
    "B"    # Command, 0x72
    "27x"  # Status, Flags, Flags2, PIDHigh, SecurityFeatures, Reserved, TID, PIDLow, UID, MID
    "B"    # WordCount, 0
    "H"    # ByteCount
)  # fmt: skip

_NO_COMMON_DIALECT = Struct(
    "<"
    "32s"  # the request's header, with SMB_FLAGS_REPLY
    "B"    # WordCount, 1
    "H"    # DialectIndex, 0xFFFF
    "H"    # ByteCount, 0
)  # fmt: skip

_SMB_COM_NEGOTIATE = 0x72
_FLAGS_AT, _SMB_FLAGS_REPLY = 9, 0x80
_BUFFER_FORMAT_DIALECT = b"\x02"


def parse_smb1_negotiate(frame: memoryview) -> list[str]:
    """The dialect strings: each is the byte 2, characters of an OEM code page, and a zero."""
    protocol, command, word_count, byte_count = unpack_payload(_NEGOTIATE, frame)
    data = bytes(frame[_NEGOTIATE.size : _NEGOTIATE.size + byte_count])
    if (
        protocol != SMB1_PROTOCOL_ID
        or command != _SMB_COM_NEGOTIATE
        or word_count != 0
        or len(data) != byte_count
        or not data.endswith(b"\0")
    ):
        raise NtError(NtStatus.INVALID_PARAMETER)
    strings = data[:-1].split(b"\0")
    if not all(string.startswith(_BUFFER_FORMAT_DIALECT) for string in strings):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return [string[1:].decode("latin-1") for string in strings]


def pack_no_common_dialect(frame: memoryview) -> bytes:
    """The NEGOTIATE response, 4 bytes of length in front, to a client that speaks SMB1 alone."""
    header = bytearray(frame[:32])
    header[_FLAGS_AT] |= _SMB_FLAGS_REPLY
    message = _NO_COMMON_DIALECT.pack(header, 1, 0xFFFF, 0)
    return len(message).to_bytes(4, "big") + message
