"""What one running server is, for every connection: [MS-SMB2] 3.3.1.5 less the transport."""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from smbd.auth import Authenticator, LoginThrottle
from smbd.buffers import SpareBuffers
from smbd.config import Config
from smbd.crypto import Keys
from smbd.faults import Faults
from smbd.native import Native
from smbd.records import Records
from smbd.session import Session
from smbd.share import Share
from smbd.state import Deadlines, Tables
from smbd.turns import Turns
from smbd.wire.fsctl import NetworkInterface

T = TypeVar("T")

# Enough for eight replies of the largest READ under way at once.
_SPARE_BYTES = 64 << 20


class Blocking(Protocol):
    """Runs a blocking function that is no share's away from the event loop."""

    def __call__(self, function: Callable[..., T], /, *args: object) -> Awaitable[T]:
        """Await `function(*args)`, run in a worker."""


@dataclass(slots=True, eq=False)
class Service:
    """Configuration, shares, sessions and global tables of one server."""

    config: Config
    authenticator: Authenticator
    shares: dict[str, Share]  # by name in lower case
    blocking: Blocking
    tables: Tables
    clock: Callable[[], float] = time.monotonic  # in seconds; any thread may ask it
    records: Records | None = None  # of persistent handles; None: there are none
    throttle: LoginThrottle = field(default_factory=LoginThrottle)
    native: Native = field(default_factory=Native)
    turns: Turns = field(default_factory=Turns)
    buffers: SpareBuffers = field(default_factory=lambda: SpareBuffers(_SPARE_BYTES))
    faults: Faults = field(default_factory=Faults)  # by which requests go wrong on purpose
    sessions: dict[int, Session] = field(default_factory=dict)
    retired: list[Share] = field(default_factory=list)  # configured away, but still in use
    # Those that clients are told of, at this moment.  Blocks; OSError.
    interfaces: Callable[[], Sequence[NetworkInterface]] = lambda: ()
    dispose: Callable[[Share], None] = lambda _: None  # of one that nobody uses any more
    # Captures get the keys of each login: SessionId, the login's key, those made of it.
    note_keys: list[Callable[[int, bytes, Keys], None]] = field(default_factory=list)
    guid: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    started: float = field(default_factory=time.time)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @property
    def deadlines(self) -> Deadlines:
        """What is due, by that clock."""
        return self.tables.deadlines

    @property
    def uptime(self) -> float:
        """Seconds since the start, however the time of day was set meanwhile."""
        return self.clock() - self._began

    def retire(self, shares: Iterable[Share]) -> None:
        """Keep shares that are no longer offered for those who are connected to them."""
        self.retired += shares
        self.dispose_unused()

    def dispose_unused(self) -> None:
        """Dispose of retired shares that nobody uses; called at each end of a tree or open."""
        unused = [share for share in self.retired if not (share.trees or share.opens)]
        if unused:
            self.retired = [share for share in self.retired if share.trees or share.opens]
        for share in unused:
            self.dispose(share)

    def new_session_id(self) -> int:
        """An id that no live session has; unpredictable, for it names a login.

        32 bits of the 64: Samba's tools keep it in as many.
        """
        while True:
            session_id = secrets.randbits(32)
            if session_id and session_id not in self.sessions:
                return session_id
