"""SESSION_SETUP ([MS-SMB2] 2.2.5, 2.2.6)."""

from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import cut, unpack_body


class SessionSetupFlags:
    """[MS-SMB2] 2.2.5, Flags."""

    BINDING = 0x01


class SessionFlags:
    """[MS-SMB2] 2.2.6, SessionFlags."""

    IS_GUEST = 0x0001
    IS_NULL = 0x0002
    ENCRYPT_DATA = 0x0004


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 25
    "B"   # Flags
    "B"   # SecurityMode
    "I"   # Capabilities
    "4x"  # Channel
    "H"   # SecurityBufferOffset
    "H"   # SecurityBufferLength
    "Q"   # PreviousSessionId
)  # fmt: skip
_REQUEST_END = 88

_RESPONSE = Struct(
    "<"
    "H"  # StructureSize, always 9
    "H"  # SessionFlags
    "H"  # SecurityBufferOffset
    "H"  # SecurityBufferLength
)  # fmt: skip
_BUFFER_AT = 72


@dataclass(slots=True)
class SessionSetupRequest:
    """[MS-SMB2] 2.2.5; `token` is SPNEGO, or bare NTLMSSP from some clients."""

    flags: int
    security_mode: int
    capabilities: int
    previous_session_id: int
    token: memoryview


def parse_session_setup_request(frame: memoryview) -> SessionSetupRequest:
    """[MS-SMB2] 2.2.5."""
    _, flags, security_mode, capabilities, offset, length, previous_session_id = unpack_body(
        _REQUEST, frame, 25
    )
    token = cut(frame, offset, length, _REQUEST_END)
    return SessionSetupRequest(flags, security_mode, capabilities, previous_session_id, token)


def pack_session_setup_response(session_flags: int, token: bytes = b"") -> bytes:
    """[MS-SMB2] 2.2.6."""
    return _RESPONSE.pack(9, session_flags, _BUFFER_AT, len(token)) + token
