"""Signatures of requests, and the keys of a session."""

import hmac
import struct
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC


class Signer(Protocol):
    """Signs a request: the message from its header on, its signature zero."""

    def __call__(self, message: bytes | bytearray | memoryview, message_id: int, /) -> bytes:
        """The signature: 16 bytes."""


def gmac(key: bytes) -> Signer:
    """Return a signer by AES-128-GMAC ([MS-SMB2] 3.1.4.1): GCM with nothing to encipher."""
    cipher = AESGCM(key)

    def sign(message: bytes | bytearray | memoryview, message_id: int) -> bytes:
        # 12 bytes of nonce: the message id, then flags, which are zero for a client's request.
        return cipher.encrypt(struct.pack("<QI", message_id, 0), b"", message)

    return sign


def cmac(key: bytes) -> Signer:
    """Return a signer by AES-128-CMAC, which a message's id has no part in."""

    def sign(message: bytes | bytearray | memoryview, _message_id: int) -> bytes:
        mac = CMAC(AES(key))
        mac.update(bytes(message))
        return mac.finalize()

    return sign


def derived_key(label: bytes, session_key: bytes, preauth_hash: bytes) -> bytes:
    """Derive a 3.1.1 key of 128 bits ([MS-SMB2] 3.1.4.2): SP800-108, HMAC-SHA256, one block."""
    message = struct.pack(">I", 1) + label + b"\0\0" + preauth_hash
    return hmac.digest(session_key, message + struct.pack(">I", 128), "sha256")[:16]
