"""How each client comes to a share: the exact line that mounts it, its URL, its UNC path."""

import re
import shlex
import socket
from collections.abc import Sequence
from urllib.parse import quote

from smbd.config import Address, Config, ServerConfig, ShareConfig

# cifs.ko's own spelling of the dialects.
_CIFS_VERSIONS = {0x0202: "2.0", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.02", 0x0311: "3.1.1"}
_STANDARD_PORT = 445
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- compared with, not bound to


def reachable(addresses: Sequence[Address]) -> Address:
    """Choose the address to show: the first one by IPv4, for it needs no brackets anywhere."""
    chosen = min(addresses, key=lambda address: ":" in address.host)
    if chosen.host in _EVERY_ADDRESS:
        return Address(socket.gethostname(), chosen.port)
    return chosen


def login_name(config: Config, share: ShareConfig) -> str | None:
    """Return the first user who may connect; None: guests only."""
    return next((user.name for user in config.users if share.allows(user.name)), None)


def mount_lines(
    server: ServerConfig,
    share: ShareConfig,
    address: Address,
    user: str | None,
    password: str | None = None,
) -> list[tuple[str, str]]:
    """Return (client, command line) for every client; a user of None is a guest.

    With a password the lines hold it, and ask for none.
    """
    return [
        ("Linux", _linux(server, share, address, user, password)),
        ("Windows", _windows(share, address, user, password)),
        ("macOS", f"open {shlex.quote(url(address, share.name, user, password))}"),
        ("smbclient", _smbclient(share, address, user, password)),
    ]


def url(address: Address, share: str, user: str | None, password: str | None = None) -> str:
    """Return "smb://user:password@host:port/share", percent-encoded; a user of None is a guest."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    port = "" if address.port == _STANDARD_PORT else f":{address.port}"
    who = "guest:" if user is None else quote(user, safe="")
    if user is not None and password is not None:
        who += f":{quote(password, safe='')}"
    return f"smb://{who}@{host}{port}/{quote(share, safe='')}"


def unc(address: Address, share: str) -> str:
    r"""Return "\\host\share": a UNC path has no place for a port."""
    return f"\\\\{_unc_host(address.host)}\\{share}"


def _linux(
    server: ServerConfig,
    share: ShareConfig,
    address: Address,
    user: str | None,
    password: str | None,
) -> str:
    # mount.cifs cuts the host at the next slash and resolves it as it is: IPv6 without brackets.
    options = [] if address.port == _STANDARD_PORT else [f"port={address.port}"]
    options.append("guest" if user is None else f"username={user}")
    environment = ""
    if user is not None and password is not None:
        if "," in password:  # which ends an option
            environment = f"PASSWD={shlex.quote(password)} "
        else:
            options.append(f"password={password}")
    options.append(f"vers={_CIFS_VERSIONS[server.max_dialect]}")
    if share.encryption == "required":
        options.append("seal")
    source = shlex.quote(f"//{address.host}/{share.name}")
    return f"sudo {environment}mount -t cifs {source} /mnt -o {shlex.quote(','.join(options))}"


def _windows(share: ShareConfig, address: Address, user: str | None, password: str | None) -> str:
    line = f"net use X: {_windows_quoted(unc(address, share.name))}"
    if user is not None and password is not None:
        line += f" {_windows_quoted(password)}"
    # Any name without a password makes a guest; Windows wants to be told one.
    line += f" /user:{_windows_quoted(user or 'guest')}"
    if address.port != _STANDARD_PORT:
        line += f" /TCPPORT:{address.port}"
    return line


def _unc_host(host: str) -> str:
    """Write an IPv6 address as a UNC path can hold it: colons are not allowed there."""
    if ":" not in host:
        return host
    literal = host.replace(":", "-").replace("%", "s")
    return f"{'0' if literal.startswith('-') else ''}{literal}.ipv6-literal.net"


def _windows_quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w.$@\\-]+", word) else f'"{word}"'


def _smbclient(share: ShareConfig, address: Address, user: str | None, password: str | None) -> str:
    port = "" if address.port == _STANDARD_PORT else f" -p {address.port}"
    if user is None:
        who = "-N"
    else:
        who = f"-U {shlex.quote(user if password is None else f'{user}%{password}')}"
    return f"smbclient {shlex.quote(f'//{address.host}/{share.name}')}{port} {who}"
