"""`smbd health`: negotiates, logs in and opens a share over TCP, as any client would.

A port that accepts proves nothing: the loop may hang behind it, or the password file be gone.
"""

import argparse
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from smbd.cli import PROGRAM, UsageError, complain
from smbd.cli.mount import login_name
from smbd.config import Address, Config, ConfigError, ShareConfig, UserConfig, load

if TYPE_CHECKING:
    from impacket.smbconnection import SMBConnection

# Who listens everywhere is reached here as well.
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
    problem = _try(address, share, user, arguments.timeout)
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


def _try(address: Address, share: ShareConfig, user: UserConfig | None, timeout: int) -> str | None:
    """Return what went wrong, if anything."""
    from impacket.nmb import NetBIOSError, NetBIOSTimeout  # noqa: PLC0415 -- 0.3 s
    from impacket.smbconnection import SessionError, SMBConnection  # noqa: PLC0415

    try:
        connection = SMBConnection(
            address.host, address.host, sess_port=address.port, timeout=timeout
        )
        with contextlib.closing(connection):
            _log_in(connection, user)
            connection.disconnectTree(connection.connectTree(share.name))
            connection.logoff()
    except (OSError, SessionError, NetBIOSError, NetBIOSTimeout) as error:
        return str(error) or type(error).__name__
    return None


def _log_in(connection: "SMBConnection", user: UserConfig | None) -> None:
    if user is None:
        connection.login("guest", "")
    elif user.nt_hash is not None:
        connection.login(user.name, "", nthash=user.nt_hash.hex())
    else:
        connection.login(user.name, user.password)
