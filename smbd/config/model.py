"""The configuration as values, which shares.toml, the command line and tests all build."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from aio.catalog import DEFAULT_SPEC

Signing = Literal["required", "enabled"]
Encryption = Literal["off", "desired", "required"]
LogFormat = Literal["text", "json"]
Guest = bool | Literal["unknown"]

# As people write them, with the numbers of [MS-SMB2] 2.2.3.
DIALECTS = {"2.0.2": 0x0202, "2.1": 0x0210, "3.0": 0x0300, "3.0.2": 0x0302, "3.1.1": 0x0311}

# A NetBIOS name has 15 characters; NTLM's target info and Windows' lists cut longer ones.
NAME_LENGTH = 15

# In the path of a share of homes it stands for the user's name, as shares.toml spells it.
PLACE_OF_USER = "{user}"

_MIB = 1024 * 1024


def dialect_name(dialect: int) -> str:
    """Return "3.1.1" for 0x0311; KeyError for a number that is no dialect."""
    return {number: name for name, number in DIALECTS.items()}[dialect]


def host_name() -> str:
    """Return this machine's name as a server's: first label, upper case, at most 15 characters."""
    return socket.gethostname().partition(".")[0].upper()[:NAME_LENGTH] or "SMBD"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host without brackets, and a port (0: any free one)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "127.0.0.1:4450" or "[::1]:4450"; ValueError says what would be right."""
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        if bracketed != (":" in host):
            raise ValueError('an IPv6 address stands in brackets, as in "[::1]:4450"')
        if not (colon and host):
            advice = f'; did you mean "127.0.0.1:{text}"?' if text.isdecimal() else ""
            raise ValueError(f'must look like "127.0.0.1:4450", not "{text}"{advice}')
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f'the port must be a number from 0 to 65535, not "{port}"')
        return cls(host, int(port))

    def collides_with(self, other: "Address") -> bool:
        """Whether both cannot be listened on: one port, and one host or everywhere.

        A name (localhost) may have any address, and collides with itself alone.
        """
        if not self.port or self.port != other.port:
            return False
        if self.host == other.host:
            return True
        try:
            mine, its = ip_address(self.host), ip_address(other.host)
        except ValueError:
            return False
        return mine.version == its.version and (mine.is_unspecified or its.is_unspecified)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one server, address or connection. Sizes in bytes, times in seconds."""

    connections: int = 1000
    connections_per_address: int = 250
    # Connections that have no session yet.  More than connections_per_address: no one machine
    # can keep all others out.
    half_open_logins: int = 300
    login_time: float = 30.0  # from accept to the first session
    # Of a connection without open handles, or with a client that takes no replies; 0: never closed.
    idle_time: float = 900.0
    opens: int = 16384  # handles of one connection
    parked: int = 4096  # handles kept for clients that have lost their connection
    requests: int = 1024  # of one connection, in work at once
    credits: int = 8192  # held by one connection; Samba's default too
    # What is longer does not fit into a processor's own cache, goes to a worker, and is signed or
    # verified in one piece.  smbclient gets and puts 256 MiB at 1.2 to 1.4 times the rate that it
    # has with 8 MiB, at 0.6 to 0.9 of the server's CPU (measured).
    max_read: int = _MIB
    max_write: int = _MIB
    max_transact: int = 8 * _MIB
    memory: int = 64 * _MIB  # that one connection may make the server hold


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """The table [server]."""

    listen: tuple[Address, ...] = (Address("127.0.0.1", 4450),)
    name: str = field(default_factory=host_name)
    workgroup: str = "WORKGROUP"
    min_dialect: int = 0x0202
    max_dialect: int = 0x0311
    signing: Signing = "required"
    encryption: Encryption = "off"
    leases: bool = True  # and oplocks
    multichannel: bool = True  # several connections may serve one session
    # Names or addresses of those that clients are told of; None: all that `listen` reaches.
    interfaces: tuple[str, ...] | None = None
    limits: Limits = field(default_factory=Limits)
    state_directory: Path | None = None  # for what outlives a restart
    status_socket: Path | None = None
    log_format: LogFormat = "text"
    metrics: Address | None = None  # where Prometheus may ask; None: nowhere
    announce: Address | None = None  # in the banner's mount lines; None: one of `listen`
    mdns: bool = False  # announce the server on the local network
    ws_discovery: bool = False  # the same, to Windows
    watch: bool = False  # the default of all shares


@dataclass(frozen=True, slots=True)
class UserConfig:
    """A table [users.NAME]. Once prepared, either password or nt_hash is set, never both."""

    name: str
    password: str | None = field(default=None, repr=False)
    nt_hash: bytes | None = field(default=None, repr=False)
    password_file: Path | None = None
    generate: bool = False


@dataclass(frozen=True, slots=True)
class ShareConfig:
    """A table [shares.NAME].

    The path is absolute; encryption and leases have the server's policy in them.
    """

    name: str
    path: Path
    comment: str = ""
    read_only: bool = False
    users: tuple[str, ...] | None = None  # who may connect; None: every user
    write: tuple[str, ...] | None = None  # who alone may write; None: all but those of `read`
    read: tuple[str, ...] | None = None  # who may only read
    guest: Guest = False  # "unknown": whoever logs in by a name that is no user's is one too
    hidden: bool = False
    hide: tuple[str, ...] = ()  # patterns of names that are shown with the attribute HIDDEN
    veto: tuple[str, ...] = ()  # patterns of names that clients neither see nor make
    recycle: str = ""  # the name of the folder in which deleted files are kept; "": none
    recycle_except: tuple[str, ...] = ()  # patterns of names that are not
    recycle_days: int = 0  # for how long; 0: until they are deleted there
    streams: bool = True
    encryption: Encryption = "off"
    leases: bool = True  # and oplocks
    continuous: bool = False  # its handles outlive a restart of the server
    engine: str = DEFAULT_SPEC
    engine_options: Mapping[str, int] = field(default_factory=dict)
    create: bool = False
    watch: bool = False  # whether clients hear of what other processes change; the server's in it

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))  # a test may well give a text

    def allows(self, user: str) -> bool:
        """Tell whether a user may connect, after the password was right. Guests are not users.

        `write` and `read`, where both are there, name all who may.
        """
        if self.write is not None and self.read is not None:
            return _is_in(user, (*self.write, *self.read))
        return self.users is None or _is_in(user, self.users)

    @property
    def has_homes(self) -> bool:
        """Whether each user has a folder of its own in it, all under the name of the share."""
        return PLACE_OF_USER in str(self.path)

    @property
    def folder(self) -> Path:
        """The folder that is there whoever connects: of homes the one that holds them."""
        if not self.has_homes:
            return self.path
        return next(one for one in self.path.parents if PLACE_OF_USER not in str(one))

    def home_of(self, user: str) -> Path:
        """The folder that a user sees; the name is one of shares.toml, where it was checked."""
        return Path(*self._parts_for(user)) if self.has_homes else self.path

    def holder_of(self, user: str) -> Path:
        """The first folder of that path that is one user's: what lies in it may be its doing."""
        return Path(*self._parts_for(user)[: len(self.folder.parts) + 1])

    def _parts_for(self, user: str) -> list[str]:
        return [part.replace(PLACE_OF_USER, user) for part in self.path.parts]

    def may_write(self, user: str | None) -> bool:
        """Tell whether one who may connect may change anything; None is a guest.

        A guest, whom no list names, gets the lesser right where there is one.
        """
        if self.read_only:
            return False
        if user is None:
            return self.write is None and self.read is None
        if self.write is not None:
            return _is_in(user, self.write)
        return self.read is None or not _is_in(user, self.read)


def _is_in(user: str, names: tuple[str, ...]) -> bool:
    return user.casefold() in {name.casefold() for name in names}


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, with its file ("" is none), line and key, and what would be right."""

    file: str
    line: int | None
    key: str
    message: str
    share: str = ""  # that the key belongs to

    def __str__(self) -> str:
        if not self.file:
            return self.message
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be served; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


@dataclass(frozen=True, slots=True)
class Config:
    """One whole configuration. `source` is the file that it came from, if any."""

    server: ServerConfig = field(default_factory=ServerConfig)
    users: tuple[UserConfig, ...] = ()
    shares: tuple[ShareConfig, ...] = ()
    source: Path | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def guest(self) -> bool:
        """Whether some share takes guests."""
        return any(share.guest for share in self.shares)

    @property
    def unknown_is_guest(self) -> bool:
        """Whether a login by a name that is no user's makes a guest, whatever its password."""
        return any(share.guest == "unknown" for share in self.shares)
