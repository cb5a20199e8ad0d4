"""Keys, signatures, sealing and the preauthentication hash of [MS-SMB2] 3.1.4 and 3.3.5.4.

Bytes in, bytes out, by the `cryptography` package; knows nothing of connections or sessions.
"""

from smbd.crypto.keys import Keys, derive_keys
from smbd.crypto.preauth import PREAUTH_START, extend_preauth_hash
from smbd.crypto.sealing import (
    AES_128_CCM,
    AES_128_GCM,
    AES_256_CCM,
    AES_256_GCM,
    CIPHERS,
    Sealer,
    transform_session_id,
)
from smbd.crypto.signing import (
    AES_CMAC,
    AES_GMAC,
    HMAC_SHA256,
    SIGNERS,
    Signer,
    make_signer,
    signing_algorithm,
)

__all__ = [
    "AES_128_CCM",
    "AES_128_GCM",
    "AES_256_CCM",
    "AES_256_GCM",
    "AES_CMAC",
    "AES_GMAC",
    "CIPHERS",
    "HMAC_SHA256",
    "PREAUTH_START",
    "SIGNERS",
    "Keys",
    "Sealer",
    "Signer",
    "derive_keys",
    "extend_preauth_hash",
    "make_signer",
    "signing_algorithm",
    "transform_session_id",
]
