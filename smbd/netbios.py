"""NetBIOS' session service ([RFC1002] 4.3.1), from a time when it carried SMB on port 139.

Each message has four bytes before it: of SMB's a zero and a 24-bit length ([MS-SMB2] 2.1).  Some
clients still begin with a request for a session, on any port, and some keep a connection alive so.
"""

from collections.abc import Sequence
from struct import Struct

from smbd.ntstatus import ProtocolError

LENGTH = Struct(">I")
SMALLEST_FRAME = 32  # an SMB1 NEGOTIATE's header; anything shorter is no message at all
_SESSION_REQUEST, _POSITIVE_RESPONSE, _KEEP_ALIVE = 0x81, b"\x82\0\0\0", 0x85
_TWO_NAMES = 128  # bytes: 34 each without a scope, and nobody has one


def session_service(prefix: int) -> tuple[int, Sequence[bytes]]:
    """How long the rest of a message is that is not SMB's, and the answer to it; ProtocolError."""
    kind, length = prefix >> 24, prefix & 0xFFFFFF
    if kind == _SESSION_REQUEST and length <= _TWO_NAMES:
        return length, (_POSITIVE_RESPONSE,)
    if kind == _KEEP_ALIVE and not length:
        return 0, ()
    raise ProtocolError(f"a frame of {prefix} bytes")
