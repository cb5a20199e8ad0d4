"""The arithmetic of NTLMv2: proofs, keys, MICs ([MS-NLMP] 3.2.5.1.2, 3.3.2, 3.4)."""

import hmac
from hashlib import md5
from struct import Struct
from typing import Literal

from smbd.auth.ciphers import rc4
from smbd.auth.ntlm import KEY_56, KEY_128, KEY_EXCH, Authenticate, Response

Sender = Literal["Client", "Server"]
_DIRECTIONS = {"Client": "client-to-server", "Server": "server-to-client"}
_SEQUENCE_NUMBER = bytes(4)  # of the first signature

# NTLMSSP_MESSAGE_SIGNATURE for extended session security, [MS-NLMP] 2.2.2.9.2
_SIGNATURE = Struct(
    "<"
    "I"   # Version, 1
    "8s"  # Checksum
    "4s"  # SeqNum
)  # fmt: skip


def check_response(
    nt_hash: bytes, authenticate: Authenticate, response: Response, server_challenge: bytes
) -> bytes | None:
    """SessionBaseKey when `response` proves that the client knows the password, else None.

    The proof covers the user's name in upper case and the domain, both as the client sent
    them. Some clients leave the domain out of it, and a server should let them ([MS-NLMP]
    3.2.5.1.2). Both are always computed: the work is the same for every user and outcome.
    """
    found = None
    for domain in (authenticate.domain, ""):
        name = (_upcase(authenticate.user) + domain).encode("utf-16-le", "surrogatepass")
        response_key = _hmac_md5(nt_hash, name)
        proof = _hmac_md5(response_key, server_challenge + response.blob)
        session_base_key = _hmac_md5(response_key, proof)
        if hmac.compare_digest(proof, response.proof):
            found = session_base_key
    return found


def exported_session_key(key_exchange_key: bytes, encrypted: bytes) -> bytes:
    """The key the client chose, sent under RC4 (KEY_EXCH); RC4 undoes itself."""
    return rc4(key_exchange_key, encrypted)


def message_integrity_code(key: bytes, *messages: bytes) -> bytes:
    """MIC over NEGOTIATE, CHALLENGE and AUTHENTICATE, the last with zeros for its MIC."""
    return _hmac_md5(key, b"".join(messages))


def message_signature(flags: int, key: bytes, sender: Sender, message: bytes) -> bytes:
    """The first signature of a context in one direction ([MS-NLMP] 3.4.4.2), sequence number 0.

    Extended session security only. Used for the mechListMIC of SPNEGO and nothing else, so
    there is no sequence to keep.
    """
    sign_key = _direction_key(key, sender, "signing")
    checksum = _hmac_md5(sign_key, _SEQUENCE_NUMBER + message)[:8]
    if flags & KEY_EXCH:
        checksum = rc4(_direction_key(_weakened(flags, key), sender, "sealing"), checksum)
    return _SIGNATURE.pack(1, checksum, _SEQUENCE_NUMBER)


def _direction_key(key: bytes, sender: Sender, use: Literal["signing", "sealing"]) -> bytes:
    """SIGNKEY and SEALKEY ([MS-NLMP] 3.4.5.2, 3.4.5.3)."""
    magic = f"session key to {_DIRECTIONS[sender]} {use} key magic constant\0"
    return md5(key + magic.encode(), usedforsecurity=False).digest()


def _weakened(flags: int, key: bytes) -> bytes:
    """As much of the key as both have agreed to seal with ([MS-NLMP] 3.4.5.3)."""
    if flags & KEY_128:
        return key
    return key[:7] if flags & KEY_56 else key[:5]


def _upcase(name: str) -> str:
    """Upper case one character for one, as Windows does: "ß" stays, it is not "SS"."""
    if name.isascii():
        return name.upper()
    return "".join(upper if len(upper := c.upper()) == 1 else c for c in name)


def _hmac_md5(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "md5")
