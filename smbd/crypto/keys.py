"""Session keys: [MS-SMB2] 3.1.4.2, a counter-mode KDF of [SP800-108] with HMAC-SHA256."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from smbd.crypto.sealing import AES_256_CCM, AES_256_GCM
from smbd.wire.header import Dialect

# (label, context) of 3.0 and 3.0.2; the terminating zeros are part of both, and so is the blank
# in "ServerIn ". Encryption and decryption are meant as the server does them.
_SIGNING_3_0 = (b"SMB2AESCMAC\0", b"SmbSign\0")
_ENCRYPTION_3_0 = (b"SMB2AESCCM\0", b"ServerOut\0")
_DECRYPTION_3_0 = (b"SMB2AESCCM\0", b"ServerIn \0")

# 3.1.1: the context is the preauthentication hash.
_SIGNING_3_1_1 = b"SMBSigningKey\0"
_ENCRYPTION_3_1_1 = b"SMBS2CCipherKey\0"
_DECRYPTION_3_1_1 = b"SMBC2SCipherKey\0"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one session as the server uses them; `repr` shows none of them."""

    signing: bytes = field(repr=False)
    encryption: bytes = field(repr=False)  # server to client; empty in 2.x
    decryption: bytes = field(repr=False)  # client to server; empty in 2.x


def derive_keys(
    dialect: int, session_key: bytes, preauth_hash: bytes = b"", cipher_id: int = 0
) -> Keys:
    """Keys of a session from the key that the login left ([MS-SMB2] 3.3.5.5.3).

    `session_key` is the whole cryptographic key of the login: everything is derived from its
    first 16 bytes (Session.SessionKey) except the keys of a 256-bit cipher, which get all of it
    (Session.FullSessionKey). After NTLM both are the same 16 bytes. `preauth_hash` counts in
    3.1.1 only, `cipher_id` 0 means that no cipher was negotiated.
    """
    short = session_key[:16].ljust(16, b"\0")
    if dialect < Dialect.SMB_3_0:
        return Keys(short, b"", b"")
    if dialect < Dialect.SMB_3_1_1:
        return Keys(
            _derive(short, *_SIGNING_3_0),
            _derive(short, *_ENCRYPTION_3_0),
            _derive(short, *_DECRYPTION_3_0),
        )
    long_cipher = cipher_id in {AES_256_CCM, AES_256_GCM}
    cipher_source, length = (session_key, 32) if long_cipher else (short, 16)
    return Keys(
        _derive(short, _SIGNING_3_1_1, preauth_hash),
        _derive(cipher_source, _ENCRYPTION_3_1_1, preauth_hash, length),
        _derive(cipher_source, _DECRYPTION_3_1_1, preauth_hash, length),
    )


def _derive(key: bytes, label: bytes, context: bytes, length: int = 16) -> bytes:
    """HMAC-SHA256 in counter mode: 32-bit counter before, 32-bit L in bits after, big-endian.

    The library's KDF and not the one line of `hmac` that would do: a key costs 6 us
    (measured) once per login, and somebody else watches over it.
    """
    kdf = KBKDFHMAC(
        algorithm=SHA256(),
        mode=Mode.CounterMode,
        length=length,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=context,
        fixed=None,
    )
    return kdf.derive(key)
