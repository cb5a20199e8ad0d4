"""All that is cached of one file, and what its operations take of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from smbd.state.caching import (
    RULES,
    Caching,
    CachingFigures,
    H,
    Operation,
    Owner,
    R,
    Teller,
    W,
    only_looks,
    spares_leases,
)
from smbd.state.deadlines import Deadlines
from smbd.state.waits import Wait
from smbd.wire.create_contexts import Lease

# Of one file: to break so many in one request takes the event loop 9 ms (measured).
MOST_KEEPERS = 1024


@dataclass(slots=True, eq=False, kw_only=True)
class CachingWait(Wait):
    """A request that waits until others have given up a right: all but `by`, or their oplocks."""

    file: "Cachings"
    rights: int
    by: Caching | None
    leases: bool

    def give_up(self) -> None:
        """Take the request out of those that wait for the file."""
        self.file.forget(self)


_Some: TypeAlias = dict[Caching, None]
# Nothing is ever put in: no client caches most files.
_NOBODY: _Some = {}
_Waits: TypeAlias = dict[tuple[int, bool], dict[CachingWait, None]]  # by `rights`, `leases`
_NO_WAITS: _Waits = {}


def _with(some: _Some, caching: Caching, alone: _Some, is_in: int) -> _Some:
    """The set `some` with `caching`, or without it, as `is_in` says.

    Where there is one, as for nearly every file, several sets are the same dict, `alone`: 230 bytes
    instead of 930.  So a set of one is never changed.
    """
    if is_in:
        if not some:
            return alone
        if caching not in some:
            some = dict(some) if len(some) == 1 else some
            some[caching] = None
    elif caching in some:
        if len(some) == 1:
            return _NOBODY
        del some[caching]
    return some


@dataclass(slots=True, eq=False, init=False)
class Cachings:
    """All that is cached of one file.

    Each right has those that keep it and those that still hold it: an operation costs what it
    breaks, and 1,000 leases with unacknowledged breaks delay no WRITE.  READ is in whatever
    anybody has, and WRITE is one's alone.
    """

    deadlines: Deadlines
    figures: CachingFigures
    using: int  # opens of the file that do more than look
    waits: "_Waits"
    keepers: "_Some"  # WRITE looks here first
    _holders: "_Some"
    _handle_keepers: "_Some"
    _handle_holders: "_Some"
    _writer: Caching | None  # the one that holds WRITE

    def __init__(self, deadlines: Deadlines, figures: CachingFigures | None = None) -> None:
        """Nothing is cached.  (By hand: each file that is opened alone gets one.)"""
        self.deadlines = deadlines
        self.figures = CachingFigures() if figures is None else figures
        self.using = 0
        self.waits = _NO_WAITS
        self.keepers = self._holders = self._handle_keepers = self._handle_holders = _NOBODY
        self._writer = None

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
        for one in [one for one in self._losers(rule.leaves) if one is not by]:
            if leases or one.is_oplock:
                one.break_to(rule.leaves, now)
        if not rule.waits:
            return None
        wait = CachingWait(file=self, rights=rule.waits, by=by, leases=leases)
        if not self._is_hindered(wait):
            return None
        if self.waits is _NO_WAITS:
            self.waits = {}
        self.waits.setdefault((wait.rights, wait.leases), {})[wait] = None
        return wait

    def has_keepers_but(self, own: Caching | None) -> bool:
        """Whether anybody caches the file beside the one that is given."""
        return bool(self.keepers) and (len(self.keepers) > 1 or own not in self.keepers)

    def contend_open(
        self, operation: Operation, by: Caching | None, access: int, now: float
    ) -> Wait | None:
        """As `contend`, for a CREATE that wants `access`: one that only looks breaks nothing."""
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
        lease = Caching(
            self,
            client,
            key=asked.key,
            version=asked.version,
            parent_key=asked.parent_key,
            epoch=asked.epoch,
        )
        lease.raise_to(granted, granted)
        return lease

    def oplock(self, teller: Teller, owner: Owner, wanted: int, *, locked: bool) -> Caching | None:
        """The oplock of such a CREATE, if it gets any."""
        granted = self._grantable(wanted, None, locked=locked, oplock=True)
        if not granted:
            return None
        oplock = Caching(self, teller, owner)
        oplock.raise_to(granted, granted)
        return oplock

    def _grantable(self, wanted: int, own: Caching | None, *, locked: bool, oplock: bool) -> int:
        """[MS-FSA] 2.1.5.18: what of it fits what others do and cache.

        `locked`: byte-range locks lie within the file.
        """
        others = self.using - (own.using if own is not None else 0)
        if not wanted & R or (self._writer is not None and self._writer is not own):
            return 0  # the others go with READ alone
        if own not in self.keepers and len(self.keepers) >= MOST_KEEPERS:
            return 0
        if others or any(one is not own for one in self._holders):
            wanted &= ~W
        if oplock:
            if self._handle_holders:
                return 0  # an oplock could not tell its client that the handle is wanted
            if not wanted & W:
                wanted &= R
        elif any(one is not own and one.is_oplock for one in self._holders):
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
        """For Caching: record what it holds and keeps from now on."""
        caching.held, caching.kept = held, kept
        alone = {caching: None} if held or kept else _NOBODY
        self._holders = _with(self._holders, caching, alone, held)
        self._handle_holders = _with(self._handle_holders, caching, alone, held & H)
        self.keepers = _with(self.keepers, caching, alone, kept)
        self._handle_keepers = _with(self._handle_keepers, caching, alone, kept & H)
        if held & W:
            self._writer = caching
        elif self._writer is caching:
            self._writer = None

    def wake(self) -> None:
        """For Caching: the requests that nothing hinders any more look again.

        The others sleep on, and nothing looks at them: of 1,000 requests that waited for 1,000
        leases each would be looked at as often as one is given up, for 3 ms each time (measured).
        """
        woken: list[CachingWait] = []
        for (rights, leases), waits in self.waits.items():
            # Two hinder every request, and one all but its own.
            few = list(islice(self._hinderers(rights, leases=leases), 2))
            if len(few) < 2:
                woken += [wait for wait in waits if not few or few[0] is wait.by]
        for wait in woken:
            self.forget(wait)
            wait.end()

    def forget(self, wait: CachingWait) -> None:
        """It waits no more; again does nothing."""
        kind = wait.rights, wait.leases
        waits = self.waits.get(kind)
        if waits is not None and waits.pop(wait, wait) is None and not waits:
            del self.waits[kind]
            self.waits = self.waits or _NO_WAITS

    def _losers(self, leaves: int) -> Iterable[Caching]:
        """The leases and oplocks that have more than that."""
        if not leaves & R:
            return self.keepers
        if not leaves & H:
            return self._handle_keepers
        return () if self._writer is None else (self._writer,)

    def _is_hindered(self, wait: CachingWait) -> bool:
        """Whether others have yet to acknowledge the loss of the right that is waited for.

        Those that keep it came later: they are to be asked in their turn.
        """
        hinderers = self._hinderers(wait.rights, leases=wait.leases)
        return any(one is not wait.by for one in hinderers)

    def _hinderers(self, rights: int, *, leases: bool) -> Iterator[Caching]:
        holders: Iterable[Caching] = ()
        if rights & H:
            holders = self._handle_holders
        elif rights and self._writer is not None:
            holders = (self._writer,)
        return (one for one in holders if not one.kept & rights and (leases or one.is_oplock))
