"""IOCTL ([MS-SMB2] 2.2.31, 2.2.32); the payloads of the FSCTLs are in fsctl."""

from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import cut, unpack_body


class IoctlFlags:
    """[MS-SMB2] 2.2.31, Flags."""

    IS_FSCTL = 0x00000001


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 57
    "2x"  # Reserved
    "I"   # CtlCode
    "QQ"  # FileId: persistent, volatile
    "I"   # InputOffset
    "I"   # InputCount
    "I"   # MaxInputResponse
    "8x"  # OutputOffset, OutputCount
    "I"   # MaxOutputResponse
    "I"   # Flags
    "4x"  # Reserved2
)  # fmt: skip
_REQUEST_END = 120

_RESPONSE = Struct(
    "<"
    "H"   # StructureSize, always 49
    "2x"  # Reserved
    "I"   # CtlCode
    "QQ"  # FileId: persistent, volatile
    "I"   # InputOffset
    "4x"  # InputCount
    "I"   # OutputOffset
    "I"   # OutputCount
    "8x"  # Flags, Reserved2
)  # fmt: skip
_BUFFER_AT = 112


@dataclass(slots=True)
class IoctlRequest:
    """[MS-SMB2] 2.2.31."""

    ctl_code: int
    persistent_id: int
    volatile_id: int
    input: memoryview
    max_input_response: int
    max_output_response: int
    flags: int


def parse_ioctl_request(frame: memoryview) -> IoctlRequest:
    """[MS-SMB2] 2.2.31."""
    _, code, persistent_id, volatile_id, offset, length, max_input, max_output, flags = unpack_body(
        _REQUEST, frame, 57
    )
    data = cut(frame, offset, length, _REQUEST_END)
    return IoctlRequest(code, persistent_id, volatile_id, data, max_input, max_output, flags)


def pack_ioctl_response(
    ctl_code: int, persistent_id: int, volatile_id: int, output: bytes | memoryview = b""
) -> bytes:
    """[MS-SMB2] 2.2.32; no input is sent back, as 3.3.5.15 has it for every FSCTL."""
    fixed = _RESPONSE.pack(
        49, ctl_code, persistent_id, volatile_id, _BUFFER_AT, _BUFFER_AT, len(output)
    )
    return b"".join((fixed, output))
