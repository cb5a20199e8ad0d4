"""The settings that a test may want to be different, by the names of shares.toml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, TypedDict, Unpack

from smbd.config import (
    DIALECTS,
    Address,
    Config,
    Guest,
    Limits,
    ServerConfig,
    ShareConfig,
    UserConfig,
    check_made,
)
from smbd.content import Tree
from smbd.presets import Memory, Preset, find, is_in_memory


class ServerOptions(TypedDict, total=False):
    """The fields of Options as keywords: what an editor completes."""

    share: str
    user: str
    password: str
    read_only: bool
    write: Sequence[str] | None
    read: Sequence[str] | None
    guest: Guest
    hide: Sequence[str]
    veto: Sequence[str]
    streams: bool
    engine: str
    engine_options: Mapping[str, int] | None
    signing: Literal["required", "enabled"]
    encryption: Literal["off", "desired", "required"]
    leases: bool
    continuous: bool
    state_directory: Path | None
    min_dialect: str
    max_dialect: str
    multichannel: bool
    interfaces: Sequence[str] | None
    listen: str | Sequence[str]
    port: int
    shares: Sequence[ShareConfig]
    users: Sequence[UserConfig]
    watch: bool
    limits: Limits
    status_socket: Path | None
    tree: Tree | None
    memory: Memory
    preset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings that a test may want to be different.

    `shares` adds shares to the one of `path`; `limits` and `engine_options` take the fields of
    [server.limits] and of the engine's table in shares.toml.  `tree` is made in the folder
    (smbd.content), which with `memory` is a new one in memory; a limit in bytes, or like "64 MiB",
    can be its value.  `preset` has the settings of an odd server (`tsmbd presets`), but for those
    that are given.
    """

    share: str = "share"
    user: str = "test"
    password: str = "test"  # noqa: S105 - a test's
    read_only: bool = False
    write: Sequence[str] | None = None  # users
    read: Sequence[str] | None = None
    guest: Guest = False
    hide: Sequence[str] = ()
    veto: Sequence[str] = ()
    streams: bool = True
    engine: str = "nowait"
    engine_options: Mapping[str, int] | None = None
    signing: Literal["required", "enabled"] = "required"
    encryption: Literal["off", "desired", "required"] = "off"
    leases: bool = True  # and oplocks
    continuous: bool = False  # with state_directory: handles outlive the server
    state_directory: Path | None = None
    min_dialect: str = "2.0.2"
    max_dialect: str = "3.1.1"
    multichannel: bool = True
    interfaces: Sequence[str] | None = None
    listen: str | Sequence[str] = "127.0.0.1"  # "::1", "0.0.0.0", or with a port
    port: int = 0  # of those in `listen` that have none; 0: any free one
    shares: Sequence[ShareConfig] = ()
    users: Sequence[UserConfig] = ()
    watch: bool = False
    limits: Limits = field(default_factory=Limits)
    status_socket: Path | None = None
    tree: Tree | None = None
    memory: Memory = False
    preset: str | None = None
    given: frozenset[str] = frozenset()  # the names of those that have not their default's value

    @classmethod
    def of(cls, **options: Unpack[ServerOptions]) -> Self:
        """The settings with these keywords; TypeError for one that there is not."""
        return cls(**options, given=frozenset(options))

    @property
    def odd(self) -> Preset | None:
        """The preset; ValueError if there is none of that name."""
        return None if self.preset is None else find(self.preset)

    @property
    def is_in_memory(self) -> bool:
        """Whether the folder is a new one in memory, and no other can be given."""
        return is_in_memory(self.memory, self.odd)

    def config(self, path: Path) -> Config:
        """The configuration that shares `path` so; ValueError if it is none."""
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: must be a number from 0 to 65535, not {self.port}")
        server = ServerConfig(
            listen=self._addresses(),
            signing=self.signing,
            encryption=self.encryption,
            leases=self.leases,
            min_dialect=_dialect("min_dialect", self.min_dialect),
            max_dialect=_dialect("max_dialect", self.max_dialect),
            multichannel=self.multichannel,
            interfaces=None if self.interfaces is None else tuple(self.interfaces),
            limits=self.limits,
            state_directory=self.state_directory,
            status_socket=self.status_socket,
        )
        share = ShareConfig(
            name=self.share,
            path=path.absolute(),
            read_only=self.read_only,
            write=None if self.write is None else tuple(self.write),
            read=None if self.read is None else tuple(self.read),
            guest=self.guest,
            hide=tuple(self.hide),
            veto=tuple(self.veto),
            streams=self.streams,
            encryption=self.encryption,
            leases=self.leases,
            watch=self.watch,
            continuous=self.continuous,
            engine=self.engine,
            engine_options=self.engine_options or {},
        )
        user = UserConfig(name=self.user, password=self.password)
        config = Config(server=server, users=(user, *self.users), shares=(share, *self.shares))
        if self.odd is not None:
            config = self.odd.applied(config, self.given)
        check_made(config)
        return config

    def _addresses(self) -> tuple[Address, ...]:
        written = [self.listen] if isinstance(self.listen, str) else [*self.listen]
        if not written:
            raise ValueError('listen: must have an address, as in "127.0.0.1"')
        return tuple(_address(text, self.port) for text in written)


def _address(text: str, port: int) -> Address:
    """Read "0.0.0.0", "::1", "0.0.0.0:4450", "[::1]:4450"."""
    if text.count(":") == 1 or text.startswith("["):
        if text.endswith("]"):
            return Address(text[1:-1], port)
        try:
            return Address.parse(text)
        except ValueError as error:
            raise ValueError(f"listen: {error}") from None
    if not text:
        raise ValueError('listen: must be an address, as in "127.0.0.1", "::1" or "0.0.0.0:4450"')
    return Address(text, port)


def _dialect(option: str, written: str) -> int:
    if written not in DIALECTS:
        raise ValueError(f"{option}: must be one of {', '.join(DIALECTS)}, not {written!r}")
    return DIALECTS[written]
