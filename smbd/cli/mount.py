"""The exact line that mounts a share, for each client."""

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
    server: ServerConfig, share: ShareConfig, address: Address, user: str | None
) -> list[tuple[str, str]]:
    """Return (client, command line) for every client; a user of None is a guest."""
    return [
        ("Linux", _linux(server, share, address, user)),
        ("Windows", _windows(share, address, user)),
        ("macOS", _macos(share, address, user)),
        ("smbclient", _smbclient(share, address, user)),
    ]


def _linux(server: ServerConfig, share: ShareConfig, address: Address, user: str | None) -> str:
    # mount.cifs cuts the host at the next slash and resolves it as it is: IPv6 without brackets.
    options = [] if address.port == _STANDARD_PORT else [f"port={address.port}"]
    options.append("guest" if user is None else f"username={user}")
    options.append(f"vers={_CIFS_VERSIONS[server.max_dialect]}")
    if share.encryption == "required":
        options.append("seal")
    source = shlex.quote(f"//{address.host}/{share.name}")
    return f"sudo mount -t cifs {source} /mnt -o {shlex.quote(','.join(options))}"


def _windows(share: ShareConfig, address: Address, user: str | None) -> str:
    path = f"\\\\{_unc_host(address.host)}\\{share.name}"
    line = f"net use X: {_windows_quoted(path)}"
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


def _macos(share: ShareConfig, address: Address, user: str | None) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    port = "" if address.port == _STANDARD_PORT else f":{address.port}"
    who = "guest:" if user is None else quote(user, safe="")
    return f"open {shlex.quote(f'smb://{who}@{host}{port}/{quote(share.name)}')}"


def _smbclient(share: ShareConfig, address: Address, user: str | None) -> str:
    port = "" if address.port == _STANDARD_PORT else f" -p {address.port}"
    who = "-N" if user is None else f"-U {shlex.quote(user)}"
    return f"smbclient {shlex.quote(f'//{address.host}/{share.name}')}{port} {who}"
