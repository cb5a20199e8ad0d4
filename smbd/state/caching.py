"""Oplocks and leases: what clients may cache of one file, and what takes it from them again.

[MS-SMB2] 3.3.1.12 (Lease), 3.3.4.6 and 3.3.4.7 (breaks); [MS-FSA] 2.1.4.12 and 2.1.5.18.  A lease
is a Caching that all opens with its key have together, an oplock one that belongs to its Open:
batch is all three rights, exclusive READ and WRITE, level II READ alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, Protocol

from smbd.memory import Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.state.deadlines import Deadline, Deadlines
from smbd.state.waits import Wait
from smbd.wire.access import Access
from smbd.wire.create_contexts import Lease, LeaseState

R, H, W = LeaseState.READ_CACHING, LeaseState.HANDLE_CACHING, LeaseState.WRITE_CACHING
_RIGHTS = (R, H, W)

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
    """What somebody does to a file that others may have cached."""

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


def only_looks(access: int) -> bool:
    """Whether an open for `access` reads and changes nothing that could be cached."""
    return not access & ~_LOOKS


def spares_leases(access: int) -> bool:
    """The same where nothing but leases is held."""
    return not access & ~_SPARES_LEASES


@dataclass(frozen=True, slots=True)
class Break:
    """What a client is told ([MS-SMB2] 2.2.23): what it has, and what is left of that."""

    caching: "Caching"
    held: int
    left: int
    needs_acknowledgment: bool


class Teller(Protocol):
    """Knows how to reach the client that caches."""

    def tell(self, notification: Break) -> bool:
        """Send it; whether there was a connection to send it over."""

    def settled(self, caching: "Caching") -> None:
        """No acknowledgment is due any more."""

    def ended(self, caching: "Caching") -> None:
        """Its last open is closed."""


@dataclass(slots=True, eq=False)
class Caching:
    """What one lease key of a client, or one open, may cache of one file.

    `held` is what the client has until it acknowledges, and `kept` what it will be left with then.
    """

    file: "Cachings"
    teller: Teller
    key: bytes = b""  # LeaseKey; b"": an oplock
    version: int = 0  # of the lease
    parent_key: bytes = b""  # the lease key of the directory; b"": none was said
    epoch: int = 0
    memory: Holding = field(default_factory=Holding)
    held: int = 0
    kept: int = 0
    offered: int = 0  # while it breaks: what its client may acknowledge at most
    opens: int = 0
    using: int = 0  # those of the opens that do more than look
    _deadline: Deadline | None = None

    @property
    def is_oplock(self) -> bool:
        """Whether it belongs to one open."""
        return not self.key

    @property
    def is_breaking(self) -> bool:
        """Whether its client has to acknowledge a break."""
        return self._deadline is not None

    @property
    def notification(self) -> Break:
        """The break that is to be acknowledged, to tell it again."""
        return Break(self, self.held, self.offered, needs_acknowledgment=True)

    def raise_to(self, asked: int, granted: int) -> None:
        """A CREATE with the same key asks for more.

        It gets all of it or nothing, and never less than it has.
        """
        if self.is_breaking or granted != asked or granted == self.held:
            return
        if granted & self.held == self.held:
            self._count_epoch()
            self.file.put(self, granted, granted)

    def break_to(self, leaves: int, now: float) -> None:
        """Leave the client no more than that.

        While a break is not acknowledged nothing more is told: what is left comes with the next.
        """
        kept = self.kept & leaves
        if self.is_oplock and kept != self.kept:
            kept &= R  # level II or none
        if kept == self.kept:
            return
        self.file.put(self, self.held, kept)
        if not self.is_breaking:
            self._count_epoch()
            self._tell(kept, now)

    def acknowledge(self, state: int, now: float) -> int:
        """The client has given up all but `state`, and gets an answer that says what it has.

        NtError: UNSUCCESSFUL where no break is under way, REQUEST_NOT_ACCEPTED for more than it
        was offered ([MS-SMB2] 3.3.5.22.2).
        """
        if not self.is_breaking:
            raise NtError(NtStatus.UNSUCCESSFUL)
        if state & ~self.offered:
            raise NtError(NtStatus.REQUEST_NOT_ACCEPTED)
        self._stop()
        state = state if state & R else 0  # the others go with READ alone
        further = state & ~self.kept
        self.file.put(self, state, state & self.kept)
        if further:
            # As Windows breaks, in steps: from what has to be acknowledged never straight to none.
            self._tell(self.kept | (R if state & (H | W) else 0), now)
        else:
            self.settle(state)
        return state

    def expire(self) -> None:
        """The client did not acknowledge in time: it has nothing any more (3.3.6.1, 3.3.6.5)."""
        self.settle(0)

    def give_way(self) -> None:
        """There is no connection to the client: what it would be left with is what it has."""
        self.settle(self.kept)

    def settle(self, state: int) -> None:
        """No break is under way any more; whoever waits for the file looks again."""
        self._stop()
        self.file.put(self, state, state)
        self.file.wake()

    def end(self) -> None:
        """Its last open is closed."""
        self.settle(0)
        self.teller.ended(self)
        self.memory.end()

    def _tell(self, left: int, now: float) -> None:
        if not self.teller.tell(Break(self, self.held, left, bool(self.held & (H | W)))):
            self.give_way()
        elif self.held & (H | W):
            self.offered = left
            self._deadline = self.file.deadlines.at(now + PATIENCE, self.expire)
        else:
            self.settle(left)  # nothing is written and no handle kept: there is nothing to say

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self.teller.settled(self)

    def _count_epoch(self) -> None:
        self.epoch = self.epoch + 1 & 0xFFFF


@dataclass(slots=True, eq=False)
class CachingWait(Wait):
    """A request that waits until caching has been given up."""

    file: "Cachings | None" = None

    def give_up(self) -> None:
        """Nothing waits any more."""
        if self.file is not None:
            self.file.waits.pop(self, None)


def _by_right() -> dict[int, dict[Caching, None]]:
    return {right: {} for right in _RIGHTS}


@dataclass(slots=True, eq=False)
class Cachings:
    """All that is cached of one file.

    Each right has those that keep it and those that still hold it: an operation costs what it
    breaks, and 1,000 leases whose breaks nobody acknowledges delay no WRITE.
    """

    deadlines: Deadlines
    using: int = 0  # opens of the file that do more than look
    waits: dict[CachingWait, None] = field(default_factory=dict)
    _keeping: dict[int, dict[Caching, None]] = field(default_factory=_by_right)
    _holding: dict[int, dict[Caching, None]] = field(default_factory=_by_right)
    # All that may go on caching: READ is in whatever they keep.  WRITE looks here first.
    keepers: dict[Caching, None] = field(init=False)

    def __post_init__(self) -> None:
        self.keepers = self._keeping[R]

    def contend(
        self, operation: Operation, by: Caching | None, now: float, *, leases: bool = True
    ) -> Wait | None:
        """Break what stands against an operation; what to wait for before it is tried again.

        `by` is the caching of the open that does it, which the operation leaves alone; but level II
        is broken by its own open's changes too.  `leases`: whether it means leases.
        """
        rule = RULES[operation]
        if operation is Operation.CHANGE and by is not None and by.is_oplock and by.kept == R:
            by = None
        for right in _RIGHTS:
            if not rule.leaves & right:
                for one in [one for one in self._keeping[right] if one is not by]:
                    if leases or one.is_oplock:
                        one.break_to(rule.leaves, now)
        if any(one is not by and (leases or one.is_oplock) for one in self._held(rule.waits)):
            wait = CachingWait(file=self)
            self.waits[wait] = None
            return wait
        return None

    def contend_open(
        self, operation: Operation, by: Caching | None, access: int, now: float
    ) -> Wait | None:
        """The same for a CREATE that wants `access`, which may be for a look only."""
        if operation is Operation.OPEN and only_looks(access):
            return None
        leases = operation is not Operation.OPEN or not spares_leases(access)
        return self.contend(operation, by, now, leases=leases)

    def lease(
        self, client: Teller, own: Caching | None, asked: Lease, *, directory: bool, locked: bool
    ) -> Caching:
        """The lease of a CREATE that has met nothing to wait for: its own one, or a new one."""
        wanted = asked.state & (R | H if directory else R | H | W)
        granted = self._grantable(wanted, own, locked=locked, oplock=False)
        if own is not None:
            own.raise_to(wanted, granted)
            return own
        lease = Caching(self, client, asked.key, asked.version, asked.parent_key, asked.epoch)
        lease.raise_to(granted, granted)
        return lease

    def oplock(self, teller: Teller, wanted: int, *, locked: bool) -> Caching | None:
        """The oplock of such a CREATE, if it gets any."""
        granted = self._grantable(wanted, None, locked=locked, oplock=True)
        if not granted:
            return None
        oplock = Caching(self, teller)
        oplock.raise_to(granted, granted)
        return oplock

    def _grantable(self, wanted: int, own: Caching | None, *, locked: bool, oplock: bool) -> int:
        """[MS-FSA] 2.1.5.18: what of it fits what others do and cache.

        `locked`: byte-range locks lie within the file.
        """
        others = self.using - (own.using if own is not None else 0)
        if not wanted & R or any(one is not own for one in self._holding[W]):
            return 0  # the others go with READ alone
        if others or any(one is not own for one in self._holding[R]):
            wanted &= ~W
        if oplock:
            if self._holding[H]:
                return 0  # an oplock could not tell its client that the handle is wanted
            if not wanted & W:
                wanted &= R
        elif any(one is not own and one.is_oplock for one in self._holding[R]):
            wanted &= ~H
        return wanted if wanted & W or not locked else 0

    def enter(self, caching: Caching | None, access: int) -> None:
        """Count an open in, with its caching."""
        using = not only_looks(access)
        self.using += using
        if caching is not None:
            caching.opens += 1
            caching.using += using

    def leave(self, caching: Caching | None, access: int) -> None:
        """Count an open out; what it alone had cached ends."""
        using = not only_looks(access)
        self.using -= using
        if caching is not None:
            caching.opens -= 1
            caching.using -= using
            if not caching.opens:
                caching.end()

    def put(self, caching: Caching, held: int, kept: int) -> None:
        """For Caching: what it holds and keeps from now on."""
        caching.held, caching.kept = held, kept
        for state, places in ((held, self._holding), (kept, self._keeping)):
            for right in _RIGHTS:
                if state & right:
                    places[right][caching] = None
                else:
                    places[right].pop(caching, None)

    def wake(self) -> None:
        """For Caching: all that wait look again."""
        waits, self.waits = self.waits, {}
        for wait in waits:
            wait.end()

    def _held(self, rights: int) -> Iterator[Caching]:
        """All that hold one of the rights, acknowledged or not."""
        for right in _RIGHTS:
            if rights & right:
                yield from self._holding[right]
