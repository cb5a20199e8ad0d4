"""The settings that a test may want to be different, by the names of shares.toml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, Self, TypedDict, Unpack

from smbd.config import Guest, Limits, ShareConfig, UserConfig, schema
from smbd.content import Tree
from smbd.presets import Memory, Preset, find, is_in_memory


class ShareOptions(TypedDict, total=False):
    """What a share is beside its name: the keys of [shares.NAME] in shares.toml."""

    path: str | Path  # without one: a new folder, which is gone with the server
    comment: str
    read_only: bool
    users: Sequence[str]
    write: Sequence[str]
    read: Sequence[str]
    guest: Guest
    hidden: bool
    hide: Sequence[str]
    veto: Sequence[str]
    recycle: str
    recycle_except: Sequence[str]
    recycle_days: int
    streams: bool
    encryption: Literal["off", "desired", "required"]
    leases: bool
    continuous: bool
    watch: bool
    engine: str
    engine_options: Mapping[str, int]
    create: bool


class LimitsOptions(TypedDict, total=False):
    """The keys of [server.limits] in shares.toml; sizes in bytes, times in seconds."""

    connections: int
    connections_per_address: int
    half_open_logins: int
    login_time: float
    idle_time: float
    opens: int
    parked: int
    requests: int
    credits: int
    max_read: int
    max_write: int
    max_transact: int
    memory: int


# As a mapping: the path of each share, or its options; the password of each user.
Shares = Mapping[str, str | Path | ShareOptions] | Sequence[ShareConfig]
Users = Mapping[str, str] | Sequence[UserConfig]


class ServerOptions(TypedDict, total=False):
    """The fields of Options as keywords: what an editor completes."""

    share: str
    user: str
    password: str | None
    read_only: bool
    write: Sequence[str] | None
    read: Sequence[str] | None
    guest: Guest
    hide: Sequence[str]
    veto: Sequence[str]
    recycle: str
    recycle_except: Sequence[str]
    recycle_days: int
    streams: bool
    engine: str
    engine_options: Mapping[str, int] | None
    signing: Literal["required", "enabled"]
    encryption: Literal["off", "desired", "required"]
    leases: bool
    continuous: bool
    state_directory: str | Path | None
    min_dialect: str
    max_dialect: str
    multichannel: bool
    interfaces: Sequence[str] | None
    listen: str | Sequence[str]
    port: int
    shares: Shares
    users: Users
    watch: bool
    limits: LimitsOptions | Limits | None
    status_socket: str | Path | None
    journal: bool | int
    tree: Tree | None
    memory: Memory
    preset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings that a test may want to be different.

    share, user, password  of the share that is served, and of who may log in.  The password is
        "test", or a new one where other machines can connect.
    shares, users  more of them: `shares={"docs": path, "inbox": {"write": ["bob"]}}` and
        `users={"bob": "his password"}`.  A share of the served one's name has more keys for that.
    listen, port  the addresses, "127.0.0.1", "::1", "0.0.0.0" or "10.0.0.1:4450", and the port of
        those that have none; 0 is any free one.
    limits, engine_options  the keys of [server.limits] and of the engine's table in shares.toml.
    journal  keep what is asked, in `server.requests`: the latest 10,000, or so many.
    tree  what is made in the folder (smbd.content).
    memory  the folder is a new one in memory; a limit in bytes, or like "64 MiB", can be its value.
    preset  the settings of an odd server (`tsmbd presets`), but for those that are given.
    """

    share: str = "share"
    user: str = "test"
    password: str | None = None
    read_only: bool = False
    write: Sequence[str] | None = None  # users
    read: Sequence[str] | None = None
    guest: Guest = False
    hide: Sequence[str] = ()
    veto: Sequence[str] = ()
    recycle: str = ""
    recycle_except: Sequence[str] = ()
    recycle_days: int = 0
    streams: bool = True
    engine: str = "nowait"
    engine_options: Mapping[str, int] | None = None
    signing: Literal["required", "enabled"] = "required"
    encryption: Literal["off", "desired", "required"] = "off"
    leases: bool = True  # and oplocks
    continuous: bool = False  # persistent handles: they outlive a restart
    state_directory: str | Path | None = None  # for these; without one: a new folder
    min_dialect: str = "2.0.2"
    max_dialect: str = "3.1.1"
    multichannel: bool = True
    interfaces: Sequence[str] | None = None
    listen: str | Sequence[str] = "127.0.0.1"
    port: int = 0
    shares: Shares = ()
    users: Users = ()
    watch: bool = False
    limits: LimitsOptions | Limits | None = None
    status_socket: str | Path | None = None
    journal: bool | int = False
    tree: Tree | None = None
    memory: Memory = False
    preset: str | None = None
    given: frozenset[str] = frozenset()  # the names of those that have not their default's value

    @classmethod
    def of(cls, **options: Unpack[ServerOptions]) -> Self:
        """Make them of keywords; a TypeError for one that there is not says what it may mean."""
        known = {field.name for field in fields(cls)} - {"given"}
        for name in options:
            if name not in known:
                advice = schema.nearest(name, known) or f"; there are {', '.join(sorted(known))}"
                raise TypeError(f"{name}: a server has no such option{advice}")
        return cls(**options, given=frozenset(options))

    @property
    def odd(self) -> Preset | None:
        """The preset; ValueError if there is none of that name."""
        return None if self.preset is None else find(self.preset)

    @property
    def is_in_memory(self) -> bool:
        """Whether the folder is a new one in memory, and no other can be given."""
        return is_in_memory(self.memory, self.odd)

    @property
    def has_content(self) -> bool:
        """Whether something is made in its folder, or the folder in memory: that takes a while."""
        return self.tree is not None or self.preset is not None or self.is_in_memory
