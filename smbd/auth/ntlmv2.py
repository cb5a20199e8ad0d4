"""The arithmetic of NTLMv2: proofs, keys, MICs ([MS-NLMP] 3.2.5.1.2, 3.3.2, 3.4)."""

import hmac
from functools import partial
from typing import Literal

from impacket import ntlm

from smbd.auth.ntlm import Authenticate, Response

Sender = Literal["Client", "Server"]  # by the names in impacket's SIGNKEY and SEALKEY


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
    return bytes(ntlm.generateEncryptedSessionKey(key_exchange_key, encrypted))


def message_integrity_code(key: bytes, *messages: bytes) -> bytes:
    """MIC over NEGOTIATE, CHALLENGE and AUTHENTICATE, the last with zeros for its MIC."""
    return _hmac_md5(key, b"".join(messages))


def message_signature(flags: int, key: bytes, sender: Sender, message: bytes) -> bytes:
    """The first signature of a context in one direction ([MS-NLMP] 3.4.4.2), sequence number 0.

    Extended session security only. Used for the mechListMIC of SPNEGO and nothing else, so
    there is no sequence to keep.
    """
    sign_key = ntlm.SIGNKEY(flags, key, sender)
    seal_key = ntlm.SEALKEY(flags, key, sender)
    encrypt = partial(ntlm.generateEncryptedSessionKey, seal_key)
    return bytes(ntlm.SIGN(flags, sign_key, message, 0, encrypt).getData())


def _upcase(name: str) -> str:
    """Upper case one character for one, as Windows does: "ß" stays, it is not "SS"."""
    if name.isascii():
        return name.upper()
    return "".join(upper if len(upper := c.upper()) == 1 else c for c in name)


def _hmac_md5(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "md5")
