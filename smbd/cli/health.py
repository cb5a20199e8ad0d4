"""`tsmbd health`: negotiates, logs in and opens a share over TCP, as any client would.

A port that accepts proves nothing: the loop may hang behind it, or the password file be gone.
"""

import argparse
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from smbd.cli import PROGRAM, UsageError, complain
from smbd.cli.asking import ask, running_servers
from smbd.config import (
    Address,
    Config,
    ConfigError,
    ShareConfig,
    UserConfig,
    load,
    runtime_directory,
)
from smbd.mount import login_name

if TYPE_CHECKING:
    from impacket.smbconnection import SMBConnection

# A server that listens on every address is reached here as well.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- compared with, not bound to


def run(arguments: argparse.Namespace) -> int:
    """Say what was opened, or why that failed; Docker knows no other exit status than 0 and 1."""
    try:
        config = load(arguments.config)
        address = _address(config, arguments.address)
        share = _share(config)
        user = _user(config, share)
    except (ConfigError, UsageError) as error:
        complain(str(error))
        return 1
    try:
        with _connected(config, address, arguments.timeout) as connected:
            problem = _try(connected, address, share, user, arguments.timeout)
    except OSError as error:
        problem = error.strerror or str(error)
    who = user.name if user else "a guest"
    if problem:
        complain(f"{address}: {who} cannot open {share.name}: {problem}")
        return 1
    print(f"{PROGRAM}: {address}: {who} has opened {share.name}")
    return 0


def _address(config: Config, wanted: str | None) -> Address:
    """Where this machine reaches the server."""
    try:
        address = Address.parse(wanted) if wanted else config.server.listen[0]
    except ValueError as error:
        raise UsageError(f"--address {error}") from None
    if not address.port:
        raise UsageError("shares.toml lets the system choose the port: say it with --address")
    return replace(address, host=_LOOPBACK.get(address.host, address.host))


def _share(config: Config) -> ShareConfig:
    """Choose the first share that the first user may have."""
    first = config.users[:1]
    for share in config.shares:
        if all(share.allows(user.name) for user in first):
            return share
    return config.shares[0]


def _user(config: Config, share: ShareConfig) -> UserConfig | None:
    name = login_name(config, share)
    user = next((user for user in config.users if user.name == name), None)
    if user is not None and user.password is None and user.nt_hash is None:
        raise UsageError(f"{user.password_file}: the server has not made this password yet")
    return user


@contextlib.contextmanager
def _connected(config: Config, address: Address, timeout: int) -> Iterator[socket.socket]:
    """Connect to the server, which is told before that this is a health check.

    It logs no health check that goes well: 2,880 a day say nothing.
    """
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, name = found[0]
    with socket.socket(family, kind, protocol) as connecting:
        connecting.settimeout(timeout)
        if name[0] in _LOOPBACK.values():
            connecting.bind((name[0], 0))
            mine = connecting.getsockname()
            for path in _control_sockets(config):
                with contextlib.suppress(OSError):
                    ask(path, {"ask": "health", "client": str(Address(mine[0], mine[1]))})
        connecting.connect(name)
        yield connecting


def _control_sockets(config: Config) -> list[Path]:
    """Return where the server that is checked may be asked; one on another machine nowhere."""
    path = config.server.status_socket
    if path is None:
        return []
    return running_servers() if path.parent == runtime_directory() else [path]


def _try(
    connected: socket.socket,
    address: Address,
    share: ShareConfig,
    user: UserConfig | None,
    timeout: int,
) -> str | None:
    """Return what went wrong, if anything."""
    from impacket.nmb import NetBIOSError, NetBIOSTCPSession, NetBIOSTimeout  # noqa: PLC0415 -- 0.3 s
    from impacket.smb3 import SMB3  # noqa: PLC0415
    from impacket.smb3 import SessionError as WireError  # noqa: PLC0415
    from impacket.smbconnection import SessionError, SMBConnection  # noqa: PLC0415

    class Spoken(SMB3):  # type: ignore[misc]
        def negotiateSession(self, *given: object) -> None:  # noqa: N802 -- impacket's name
            # On a connection that it has not made itself, it believes that SMB1 came first.
            self._Connection["SequenceWindow"] = 0
            super().negotiateSession(*given)

    where = (address.host, address.host)
    try:
        transport = NetBIOSTCPSession(
            "", *where, sess_port=address.port, timeout=timeout, sock=connected
        )
        spoken = Spoken(*where, sess_port=address.port, timeout=timeout, session=transport)
        connection = SMBConnection(existingConnection=spoken)
        _log_in(connection, user)
        connection.disconnectTree(connection.connectTree(share.name))
        connection.logoff()  # and not close(), which logs off once more
    except (OSError, SessionError, WireError, NetBIOSError, NetBIOSTimeout) as error:
        return str(error) or type(error).__name__
    return None


def _log_in(connection: "SMBConnection", user: UserConfig | None) -> None:
    if user is None:
        connection.login("guest", "")
    elif user.nt_hash is not None:
        connection.login(user.name, "", nthash=user.nt_hash.hex())
    else:
        connection.login(user.name, user.password)
