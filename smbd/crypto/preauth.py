"""The preauthentication integrity hash of 3.1.1: [MS-SMB2] 3.3.5.4 and 3.3.5.5.

A chain of SHA-512 over NEGOTIATE and SESSION_SETUP messages, each from its SMB2 header to its
end. The connection keeps one value (NEGOTIATE request, then response); every session setup
starts from a copy of it and adds its own requests and its MORE_PROCESSING_REQUIRED responses.
The final, successful response is not in it: the client needs the keys to check that one.
"""

import hashlib

PREAUTH_START = bytes(64)


def extend_preauth_hash(value: bytes, *message: bytes | bytearray | memoryview) -> bytes:
    """SHA-512(value || message); the message may come in several buffers, in order."""
    digest = hashlib.sha512(value)
    for part in message:
        digest.update(part)
    return digest.digest()
