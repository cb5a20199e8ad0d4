"""Why an address cannot be bound, and what would help."""

import errno

from smbd.cli.asking import ask, running_servers
from smbd.config import Address

_FIRST_FREE_PORT = 1024  # below it, Linux lets only root bind, unless it was told otherwise
_SMB_PORT = 445


def told(error: OSError) -> str:
    """Write an error of the start, with the address or path that it is about."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}{_advice(error)}"


def _advice(error: OSError) -> str:
    try:
        address = Address.parse(str(error.filename))
    except ValueError:
        return ""
    if error.errno == errno.EADDRINUSE:
        return _occupied(address)
    if error.errno in {errno.EACCES, errno.EPERM} and address.port < _FIRST_FREE_PORT:
        return (
            f"; a port below {_FIRST_FREE_PORT} needs root: take another (--port 4450), or let "
            f"everybody have it: sysctl net.ipv4.ip_unprivileged_port_start={address.port}"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return '; this machine has no such address ("0.0.0.0" stands for all that it has)'
    return ""


def _occupied(address: Address) -> str:
    """Name the program that has an address: a server of this user, or Samba where it is likely."""
    for path in running_servers():
        try:
            found = ask(path, {"ask": "status"})
            theirs = [Address.parse(one) for one in found.get("listen", ())]
        except (OSError, ValueError):
            continue  # left by a server that was killed
        if any(one == address or one.collides_with(address) for one in theirs):
            shares = ", ".join(share["name"] for share in found.get("shares", ()))
            return (
                f", by another tsmbd (pid {found.get('pid')}), which serves {shares}; "
                "`tsmbd status` shows it, --port takes another port"
            )
    if address.port == _SMB_PORT:
        return "; perhaps Samba has it: `ss -ltnp sport = :445` shows who, --port takes another"
    return ""
