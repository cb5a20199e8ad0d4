"""Oplocks and leases: what clients may cache of one file, and what takes it from them again.

[MS-SMB2] 3.3.1.12 (Lease), 3.3.4.6 and 3.3.4.7 (breaks); [MS-FSA] 2.1.4.12 and 2.1.5.18.  A lease
is a Caching that all opens with its key have together, an oplock one that belongs to its Open:
batch is all three rights, exclusive READ and WRITE, level II READ alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, Protocol

from smbd.memory import Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.state.deadlines import Deadline, Deadlines
from smbd.wire.access import Access
from smbd.wire.create import OplockLevel
from smbd.wire.create_contexts import LeaseState

R, H, W = LeaseState.READ_CACHING, LeaseState.HANDLE_CACHING, LeaseState.WRITE_CACHING

# Seconds that a client has to acknowledge a break ([MS-SMB2] 3.3.2.1: as Windows).
PATIENCE = 35.0

# An open for no more than this only looks at a file: it takes no caching from anybody.  Leases
# are spared by one that also reads the security descriptor ([MS-FSA] 2.1.4.12, OPEN).
_LOOKS = Access.SYNCHRONIZE | Access.FILE_READ_ATTRIBUTES | Access.FILE_WRITE_ATTRIBUTES
_SPARES_LEASES = _LOOKS | Access.READ_CONTROL


class Rule(NamedTuple):
    """What an operation takes from the others."""

    leaves: int  # what they may go on caching
    waits: int  # the rights whose loss has to be acknowledged first


class Operation(Enum):
    """An operation on a file that other clients may have cached."""

    OPEN = auto()
    OVERWRITE = auto()  # a CREATE that empties the file
    COLLISION = auto()  # a CREATE whose share mode does not fit: the handle may be a cached one
    REMOVE = auto()  # the name goes: rename, delete, and a link or a rename put over it
    CHANGE = auto()  # WRITE, LOCK, sizes, zero data, copychunk; of a directory: what lies in it


RULES = {
    Operation.OPEN: Rule(leaves=R | H, waits=W),
    Operation.OVERWRITE: Rule(leaves=0, waits=W),
    Operation.COLLISION: Rule(leaves=R | W, waits=H),
    Operation.REMOVE: Rule(leaves=R | W, waits=H),
    Operation.CHANGE: Rule(leaves=0, waits=0),
}


# What an oplock is, in these rights; and the other way round.
OPLOCKS = {
    OplockLevel.LEVEL_II: R,
    OplockLevel.EXCLUSIVE: R | W,
    OplockLevel.BATCH: R | W | H,
}
_LEVELS = {state: level for level, state in OPLOCKS.items()}


def level_of(state: int) -> int:
    """The OplockLevel of what an oplock has."""
    return _LEVELS.get(state, OplockLevel.NONE)


def only_looks(access: int) -> bool:
    """Whether an open for `access` reads and changes nothing that could be cached."""
    return not access & ~_LOOKS


def spares_leases(access: int) -> bool:
    """Whether an open for `access` also leaves leases alone, where no oplock is held."""
    return not access & ~_SPARES_LEASES


@dataclass(frozen=True, slots=True)
class Break:
    """An OPLOCK_BREAK notification ([MS-SMB2] 2.2.23): the state before it, and after it."""

    caching: "Caching"
    held: int
    left: int
    needs_acknowledgment: bool


@dataclass(slots=True)
class CachingFigures:
    """How much the clients of the server cache, and how much was taken from them."""

    leases: int = 0
    oplocks: int = 0
    breaks: int = 0  # told
    expired: int = 0  # of these: not acknowledged in time
    unacknowledged: int = 0  # of these: now
    on_expired: "Callable[[Caching], None]" = lambda _: None  # told of each, before it is settled

    def counts(self) -> dict[str, int]:
        """The figures by their names."""
        names = ("leases", "oplocks", "breaks", "expired", "unacknowledged")
        return {name: getattr(self, name) for name in names}


class CachedFile(Protocol):
    """The file that is cached: smbd.state.cachings."""

    deadlines: Deadlines
    figures: CachingFigures

    def put(self, caching: "Caching", held: int, kept: int) -> None:
        """Record what a caching holds and keeps from now on."""

    def wake(self) -> None:
        """Let the requests that wait for the file look again."""


class Owner(Protocol):
    """The Open that an oplock belongs to."""

    @property
    def persistent_id(self) -> int:
        """The half of its FileId that stays."""

    @property
    def volatile_id(self) -> int:
        """The half by which its session finds it."""

    @property
    def session_id(self) -> int:
        """The id of the session that holds it."""


class Teller(Protocol):
    """Knows how to reach the client that caches."""

    leases: "dict[bytes, Caching]"  # of the client, by their keys

    def tell(self, notification: Break) -> bool:
        """Send it; whether there was a connection to send it over."""

    def settled(self, caching: "Caching") -> None:
        """Forget the break of a caching: no acknowledgment is due any more."""

    def ended(self, caching: "Caching") -> None:
        """Forget a caching: its last open is closed."""


@dataclass(slots=True, eq=False)
class Caching:
    """What one lease key of a client, or one open, may cache of one file.

    `held` (Lease.LeaseState) is what the client has until it acknowledges, and `kept` what it will
    be left with then (Lease.BreakToLeaseState).
    """

    file: CachedFile
    teller: Teller
    owner: Owner | None = None  # of an oplock
    key: bytes = b""  # LeaseKey of a lease
    version: int = 0  # of the lease
    parent_key: bytes = b""  # the lease key of the directory; b"": none was said
    epoch: int = 0
    memory: Holding = field(default_factory=Holding)
    held: int = 0
    kept: int = 0
    offered: int = 0  # while it breaks: what its client may acknowledge at most
    opens: int = 0
    using: int = 0  # those of the opens that do more than look
    parked: dict[Owner, Callable[[], None]] = field(default_factory=dict)  # and how each is ended
    persistent: int = 0  # those of the opens for whose client a break waits, connected or not
    unsaid: int = 0  # CREATEs that it was granted to, and whose answers have not left yet
    _deadline: Deadline | None = None

    def __post_init__(self) -> None:
        self._count(1)

    @property
    def is_oplock(self) -> bool:
        """Whether it belongs to one open."""
        return self.owner is not None

    @property
    def is_breaking(self) -> bool:
        """Whether its client has to acknowledge a break."""
        return self._deadline is not None

    @property
    def is_settled(self) -> bool:
        """Whether its client has nothing to give up: told of it, or about to be."""
        return self.held == self.kept

    @property
    def notification(self) -> Break:
        """The break that is to be acknowledged, to tell it again."""
        return Break(self, self.held, self.offered, needs_acknowledgment=True)

    def raise_to(self, asked: int, granted: int) -> None:
        """A CREATE with the same key asks for more.

        It gets all of it or nothing, and never less than it has.
        """
        if not self.is_settled or granted != asked or granted == self.held:
            return
        if granted & self.held == self.held:
            self._count_epoch()
            self.file.put(self, granted, granted)

    def break_to(self, leaves: int, now: float) -> None:
        """Leave the client no more than that.

        While a break is not acknowledged nothing more is told: the next break has the rest.  Nor
        is anything before the answer by which the client knows what it has: it ignores the break
        of a lease that it does not know ([MS-SMB2] 3.2.5.19.2), and would keep it then.
        """
        kept = self.kept & leaves
        if self.is_oplock and kept != self.kept:
            kept &= R  # level II or none
        if kept == self.kept:
            return
        self.file.put(self, self.held, kept)
        if self.parked and self._end_parked():
            return
        self._tell(kept, now)

    def promise(self) -> None:
        """A CREATE is granted it: `said` follows when the answer has left, or never will."""
        self.unsaid += 1

    def said(self, now: float) -> None:
        """That answer has left: what others have asked for meanwhile is told now."""
        self.unsaid -= 1
        self._tell(self.kept, now)

    def acknowledge(self, state: int) -> int:
        """The client has given up all but `state`; what it has now.  `go_on` comes next.

        NtError: UNSUCCESSFUL where no break is under way, REQUEST_NOT_ACCEPTED for more than it
        was offered ([MS-SMB2] 3.3.5.22.2).
        """
        if not self.is_breaking:
            raise NtError(NtStatus.UNSUCCESSFUL)
        if state & ~self.offered:
            raise NtError(NtStatus.REQUEST_NOT_ACCEPTED)
        self._stop()
        state = state if state & R else 0  # the others go with READ alone
        self.file.put(self, state, state & self.kept)
        if state == self.kept:
            self.settle(state)
        return state

    def go_on(self, now: float) -> None:
        """Once the acknowledgment is answered: break to what later operations have asked for.

        As Windows breaks, in steps: from what has to be acknowledged never straight to none.
        """
        self._tell(self.kept | (R if self.held & (H | W) else 0), now)

    def tell_again(self, _: float) -> None:
        """Its client has come back: a break that waits for it is told now, and due when it was."""
        if self.is_breaking:
            self.teller.tell(self.notification)

    def expire(self) -> None:
        """The client did not acknowledge in time: it has nothing any more (3.3.6.1, 3.3.6.5)."""
        figures = self.file.figures
        figures.expired += 1
        try:
            figures.on_expired(self)
        finally:
            self.settle(0)

    def breaking_for(self, now: float) -> float:
        """Seconds since its client was told what it has to acknowledge; 0 where it has not."""
        return 0.0 if self._deadline is None else now - (self._deadline.due - PATIENCE)

    def give_way(self) -> None:
        """There is no connection to the client: what it would be left with is what it has.

        But for a persistent open: its client has until the deadline to come back and be told.
        """
        if not self.persistent:
            self.settle(self.kept)

    def settle(self, state: int) -> None:
        """End the break, with `state` left; the requests that wait for the file look again."""
        self._stop()
        self.file.put(self, state, state)
        self.file.wake()

    def end(self) -> None:
        """Its last open is closed."""
        self.settle(0)
        self.teller.ended(self)
        self.memory.end()
        self._count(-1)
        self.owner = None  # in a cycle an Open would keep its share's folder, and so the disk

    def _tell(self, left: int, now: float) -> None:
        """Tell the client that no more than that is `left`, unless that has to wait or is no news.

        Each notification counts the epoch ([MS-SMB2] 3.3.4.7), also the next step of a break.

        Windows does not count the steps.  But cifs.ko (6.1) does nothing on a notification whose
        NewEpoch is no newer: it went on reading old data from its cache (3 plays of 3), or
        acknowledged more than it was offered, and all waited for 35 s.
        """
        if self.is_settled or self.is_breaking or self.unsaid:
            return
        self._count_epoch()
        self.file.figures.breaks += 1
        told = self.teller.tell(Break(self, self.held, left, bool(self.held & (H | W))))
        if not told and not self.persistent:
            self.give_way()
        elif self.held & (H | W):
            self.offered = left
            self.file.figures.unacknowledged += 1
            self._deadline = self.file.deadlines.at(now + PATIENCE, self.expire)
        else:
            self.settle(left)  # nothing is written and no handle kept: there is nothing to say

    def _end_parked(self) -> bool:
        """End those of its opens that are parked; whether those are all.

        If so no client can be told, and the state goes with the last of them.
        """
        for end in list(self.parked.values()):
            end()
        return len(self.parked) == self.opens

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self.file.figures.unacknowledged -= 1
            self.teller.settled(self)

    def _count(self, more: int) -> None:
        if self.is_oplock:
            self.file.figures.oplocks += more
        else:
            self.file.figures.leases += more

    def _count_epoch(self) -> None:
        self.epoch = self.epoch + 1 & 0xFFFF
