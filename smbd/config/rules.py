"""Rules between keys, for those that were read from a file and for those that were made in code."""

from smbd.config import schema
from smbd.config.document import Findings
from smbd.config.lines import KeyPath
from smbd.config.model import Encryption, Limits, ServerConfig, ShareConfig

# "required" needs a max_dialect that can encrypt.
NEEDS_SMB3 = '"required" needs a max_dialect of "3.0" or later: older ones cannot encrypt'
_STRENGTH: dict[Encryption, int] = {"off": 0, "desired": 1, "required": 2}


def check_dialects(document: Findings, server: ServerConfig) -> None:
    """Note a range of dialects that has none."""
    if server.min_dialect > server.max_dialect:
        document.problem(("server", "min_dialect"), "must not be above max_dialect")


def check_credits(document: Findings, key_path: KeyPath, limits: Limits) -> None:
    """Note a limit of credits that does not pay for one largest request: 64 KiB each."""
    largest = largest_transfer(limits)
    least = -(-largest // schema.SMALLEST_TRANSFER)
    if limits.credits < least:
        document.problem(
            (*key_path, "credits"),
            f'must be at least {least}, which pay for one transfer of "{schema.in_units(largest)}" '
            "(max_read, max_write, max_transact)",
        )


def largest_transfer(limits: Limits) -> int:
    """Bytes that one request or its reply may move at most."""
    return max(limits.max_read, limits.max_write, limits.max_transact)


def check_encryption(
    document: Findings, key_path: KeyPath, share: ShareConfig, server: ServerConfig
) -> None:
    """Note where a share's encryption and the server's or its guests exclude each other."""
    where = (*key_path, "encryption")
    if _STRENGTH[share.encryption] < _STRENGTH[server.encryption] == _STRENGTH["required"]:
        document.problem(where, 'must be "required" too, as server.encryption is')
    if share.encryption == "required" and server.max_dialect < 0x0300:
        document.problem(where, NEEDS_SMB3)
    if share.encryption == "required" and share.guest:
        document.problem(
            (*key_path, "guest"), "guests have no key to encrypt with, and this share requires it"
        )


def check_recycle(document: Findings, key_path: KeyPath, share: ShareConfig) -> None:
    """Note a time for what is not kept at all."""
    if share.recycle_days and not share.recycle:
        document.problem(
            (*key_path, "recycle_days"), 'says for how long: it needs recycle, say ".recycle"'
        )


def check_continuous(
    document: Findings, key_path: KeyPath, share: ShareConfig, server: ServerConfig
) -> None:
    """Note a share whose handles are to outlive a restart, and have no place for that."""
    if share.continuous and server.state_directory is None:
        document.problem((*key_path, "continuous"), "needs server.state_directory, a folder")
    elif share.continuous and not share.leases:
        document.problem((*key_path, "continuous"), "needs leases")
