"""What NEGOTIATE settles for as long as a connection lasts ([MS-SMB2] 3.3.1.7, 3.3.5.4)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """Both sides' dialect, rights and limits; without arguments that of a connection before it."""

    dialect: int = 0  # 0 until NEGOTIATE
    multi_credit: bool = False  # SupportsMultiCredit
    max_read: int = 65536  # bytes, as the two below
    max_write: int = 65536
    max_transact: int = 65536
    capabilities: int = 0  # what we answered: VALIDATE_NEGOTIATE_INFO repeats it
    security_mode: int = 0
    cipher_id: int = 0  # 0: nothing can be sealed
    signing_algorithm: int = 0
    client_guid: bytes = bytes(16)
    client_capabilities: int = 0
    client_security_mode: int = 0
    client_dialects: tuple[int, ...] = ()
