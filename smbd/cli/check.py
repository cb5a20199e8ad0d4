"""`tsmbd check`: would shares.toml be served, and which way would each share's files go?"""

import argparse
from ipaddress import ip_address
from pathlib import Path

from smbd.cli import complain
from smbd.cli.access import access, who
from smbd.config import (
    Config,
    ConfigError,
    ServerConfig,
    ShareConfig,
    UserConfig,
    directory_problem,
    directory_warning,
    load,
)


def run(arguments: argparse.Namespace) -> int:
    """Print what would be served; exit status 1 if some of it cannot be."""
    try:
        config = load(arguments.config)
    except ConfigError as error:
        complain(str(error))
        return 1
    for warning in config.warnings:
        complain(f"warning: {warning}")
    print(_server(config))
    print(_multichannel(config.server))
    for user in config.users:
        print(f"user {user.name}: {_login(user)}")
    served = [_report(share, config) for share in config.shares]
    print("\nKernel and engines:")
    for line in _offers():
        print(f"  {line}")
    print(f"\n{sum(served)} of {len(served)} shares can be served.")
    return 0 if all(served) else 1


def _report(share: ShareConfig, config: Config) -> bool:
    """Print all about one share; return whether it can be served."""
    problem = directory_problem(share)
    warning = directory_warning(share) if problem is None and share.folder.exists() else None
    print(f"\n{share.name}: {share.path} ({_access(share, can_write=warning is None)})")
    if problem:
        print(f"  ERROR: {problem}")
        return False
    if not share.folder.exists():
        print("  the first start makes this folder")
        return True
    try:
        lines = [*_engine(share), *_beside_the_data(share, config.server.state_directory)]
        lines += _homes(share, [user.name for user in config.users])
    except OSError as error:
        print(f"  ERROR: {error.strerror}")
        return False
    for line in lines:
        print(f"  {line}")
    if warning:
        print(f"  warning: {warning}")
    return True


def _homes(share: ShareConfig, users: list[str]) -> list[str]:
    """Say which users have a home; OSError."""
    if not share.has_homes:
        return []
    lines, allowed = [], [user for user in users if share.allows(user)]
    missing = [user for user in allowed if not share.home_of(user).is_dir()]
    there = [user for user in allowed if user not in missing]
    if there:
        lines.append(f"homes: {', '.join(there)}")
    if missing:
        then = "made when they connect" if share.create else "they cannot connect"
        lines.append(f"no homes yet, {then}: {', '.join(missing)}")
    return lines


def _server(config: Config) -> str:
    listen = ", ".join(map(str, config.server.listen))
    return (
        f"server {config.server.name} in {config.server.workgroup} on {listen}, "
        f"signing {config.server.signing}, encryption {config.server.encryption}"
    )


def _multichannel(server: ServerConfig) -> str:
    """Say which addresses clients would be told of."""
    from smbd.server.interfaces import told  # noqa: PLC0415 -- trio: as below

    if not server.multichannel:
        return "multichannel off"
    try:
        found = [str(ip_address(one.address)) for one in told(server, server.listen)]
    except OSError as error:
        return f"multichannel: the kernel does not tell of interfaces: {error.strerror}"
    return f"multichannel: clients are told of {', '.join(found) or 'no interface'}"


def _login(user: UserConfig) -> str:
    if user.nt_hash is not None:
        return "logs in with the password of an nt_hash"
    if user.password is None:
        return f"the first start makes a password in {user.password_file}"
    if user.password_file is not None:
        return f"logs in with the password in {user.password_file}"
    return "logs in with a password"


def _access(share: ShareConfig, *, can_write: bool) -> str:
    users = who(share)
    return "".join(
        (
            access(share, can_write=can_write),
            f", for {users}" if users else "",
            ", and guests" if share.guest else "",
            ", among them all unknown users" if share.guest == "unknown" else "",
            ", hidden" if share.hidden else "",
            f", encryption {share.encryption}" if share.encryption != "off" else "",
        )
    )


def _engine(share: ShareConfig) -> list[str]:
    """Say which way this share's files would go, found by trying it there; OSError: none would."""
    from aio import describe  # noqa: PLC0415 -- trio: 0.1 s that an error need not wait for

    description = describe(share.folder, share.engine, **share.engine_options)
    return [
        *description.notes,
        f"engine {description.engine} on {description.file_system}",
        f"reads: {description.reads}",
        f"writes: {description.writes}",
    ]


def _beside_the_data(share: ShareConfig, state_directory: Path | None) -> list[str]:
    """Say what its clients lack, and what comes of the keys that ask for more."""
    from smbd.vfs.volume import has_user_attributes  # noqa: PLC0415 -- as above
    from smbd.vfs.watches import describe  # noqa: PLC0415 -- as above

    lines = []
    if share.veto:
        lines.append(f"neither seen nor made: {', '.join(share.veto)}")
    if share.hide:
        lines.append(f"shown as hidden: {', '.join(share.hide)}")
    if share.recycle:
        but = f", but {', '.join(share.recycle_except)}" if share.recycle_except else ""
        days = f" for {share.recycle_days} days" if share.recycle_days else ""
        lines.append(f"deleted and replaced files are kept in {share.recycle}{days}{but}")
    if not has_user_attributes(str(share.folder)):
        lines.append("no named streams, EAs and access lists: no extended attributes here")
    if not share.leases:
        lines.append("clients cache nothing")
    if share.watch:
        lines.append(f"other programs' changes: {describe(share.folder)}")
    if share.continuous:
        lines.append(f"open files outlive a restart, by records in {state_directory}")
    return lines


def _offers() -> list[str]:
    from aio import offers  # noqa: PLC0415 -- as above

    return [
        f"{offer.name:<12} {'yes' if offer.available else 'no'}: {offer.reason}"
        for offer in offers()
    ]
