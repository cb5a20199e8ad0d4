"""The banner: what is served, to whom, and how each client mounts it."""

from collections.abc import Callable, Container, Sequence

from smbd.cli import PROGRAM
from smbd.cli.access import access
from smbd.cli.logs import event_line
from smbd.config import Address, Config, Prepared, ShareConfig
from smbd.mount import login_name, mount_lines, reachable


class Banner:
    """The banner of one server: printed at its start, and again when a reload has changed it."""

    def __init__(self, prepared: Prepared, put: Callable[[str], None]) -> None:
        self.prepared = prepared
        self._in_json = prepared.config.server.log_format == "json"
        self._put = put
        self._addresses: Sequence[Address] = ()
        self._shown = ""

    def start(self, addresses: Sequence[Address]) -> None:
        """Print it; the server listens on these addresses."""
        self._addresses = addresses
        self._print("started")

    def reloaded(self) -> None:
        """Print it for the new `prepared`, if it says anything else then."""
        self._print("reloaded")

    def _print(self, event: str) -> None:
        config = self.prepared.config
        shown = announcement(config, self._addresses, self.prepared.unwritable)
        if shown == self._shown:
            return
        self._shown = shown
        if self._in_json:
            listen = [*map(str, self._addresses)]
            shares = [share.name for share in config.shares]
            shown = event_line(event, shown, listen=listen, shares=shares)
        self._put(shown)


def announcement(
    config: Config, addresses: Sequence[Address], unwritable: Container[str] = ()
) -> str:
    """Say what is served, to whom, and how each client mounts it.

    `unwritable` has the names of shares to which the server's user cannot write.
    """
    lines = [f"{PROGRAM} serves on {', '.join(map(str, addresses))}"]
    address = config.server.announce or reachable(addresses)
    for share in config.shares:
        allowed = access(share, can_write=share.name not in unwritable)
        lines += ["", *_share_lines(config, share, address, allowed)]
    lines += ["", *_passwords(config)]
    lines += ["", "Ctrl-C ends it; `tsmbd status` shows what it does."]
    return "\n".join(lines)


def _passwords(config: Config) -> list[str]:
    """Say where each password is; the one of `serve DIR` is nowhere but here."""
    lines = []
    for user in config.users:
        if user.password_file is not None:
            lines.append(f"The password of {user.name} is in {user.password_file}")
        elif config.source is None:
            lines.append(f"The password of {user.name} is {user.password}")
    return lines


def _share_lines(config: Config, share: ShareConfig, address: Address, allowed: str) -> list[str]:
    user = login_name(config, share)
    if user is None:
        allowed += ", guests only"
    elif share.guest:
        allowed += ", guests too"
    lines = [f"{share.name}: {share.path} ({allowed}, engine {share.engine})"]
    lines += _mounts(config, share, address, user)
    if share.guest and user is not None:
        lines += ["  or without a password:", *_mounts(config, share, address, None)]
    return lines


def _mounts(config: Config, share: ShareConfig, address: Address, user: str | None) -> list[str]:
    return [
        f"  {client:<10} {line}{_footnote(client, address, user)}"
        for client, line in mount_lines(config.server, share, address, user)
    ]


def _footnote(client: str, address: Address, user: str | None) -> str:
    if client != "Windows":
        return ""
    if user is None:
        return "  (Windows 11 must first be told to allow guests)"
    return "  (Windows 11 24H2 or later)" if address.port != 445 else ""
