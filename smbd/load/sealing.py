"""Sealed messages of a client ([MS-SMB2] 2.2.41, 3.1.4.3): AES-128-GCM, the one that all choose."""

from itertools import count
from struct import Struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CIPHER = 2  # AES-128-GCM in SMB2_ENCRYPTION_CAPABILITIES ([MS-SMB2] 2.2.3.1.2)
_SEALED = b"\xfdSMB"
# From the nonce on, which is what is authenticated: nonce, size of the message, flags, SessionId.
_AUTHENTICATED = Struct("<12s4xI2xHQ")
_NONCE = slice(20, 32)
_TAG = 16
SIZE = 52  # of a TRANSFORM_HEADER


class ClientSealer:
    """Seals what a client sends, and looks into what it gets, under the keys of one session."""

    def __init__(self, session_id: int, to_server: bytes, to_client: bytes) -> None:
        self._session_id = session_id
        self._to_server, self._to_client = AESGCM(to_server), AESGCM(to_client)
        self._numbers = count()

    def seal(self, message: bytes | bytearray | memoryview) -> bytes:
        """Return the message behind its TRANSFORM_HEADER."""
        nonce = next(self._numbers).to_bytes(12, "little")
        authenticated = _AUTHENTICATED.pack(nonce, len(message), 1, self._session_id)
        sealed = self._to_server.encrypt(nonce, message, authenticated)
        return b"".join((_SEALED, sealed[-_TAG:], authenticated, memoryview(sealed)[:-_TAG]))

    def open(self, sealed: bytes | bytearray | memoryview) -> bytes:
        """Return the message inside a whole sealed one; InvalidTag if it is not the server's."""
        tag = sealed[4 : 4 + _TAG]
        return self._to_client.decrypt(
            sealed[_NONCE], b"".join((sealed[SIZE:], tag)), sealed[4 + _TAG : SIZE]
        )

    def peek(self, sealed: bytes | bytearray | memoryview, length: int) -> bytes:
        """Return the first bytes of the message inside, unverified.

        GCM enciphers by exclusive or with a stream of bytes: to do it again undoes it.
        """
        head = sealed[SIZE : SIZE + length]
        return self._to_client.encrypt(sealed[_NONCE], head, None)[:length]
