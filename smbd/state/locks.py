"""Byte-range locks of one file: [MS-FSA] 2.1.4.10 (conflicts), 2.1.5.8 and 2.1.5.9.

Mandatory: READ and WRITE of others honour them.  Held here alone, not with fcntl: the kernel
knows one owner, this process, and would let every client through.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from smbd.ntstatus import NtError, NtStatus
from smbd.state.lock_sets import FEW, ByteRange, FewLocks, LockSet, ManyLocks
from smbd.state.ranges import RangeCounts
from smbd.state.waits import Wait

# On one file, for the memory's sake; and the whole queue is looked through when a lock goes.
_MOST_HELD = 16384
_MOST_WAITS = 1024
# Of a file without locks, as most are: nothing is ever put in.
_NONE = FewLocks()
_NO_WAITS: "dict[LockWait, None]" = {}


@dataclass(slots=True)
class LockBudget:
    """How many locks all files together may have: each costs up to 400 bytes."""

    left: int = 1 << 18


@dataclass(slots=True, eq=False, kw_only=True)
class LockWait(Wait):
    """A LOCK that waits in the queue: it ends when the lock is held, or by what refuses it."""

    locks: "ByteRangeLocks"
    wanted: ByteRange
    sequence: tuple[int, int] = (0, 0)  # LockSequenceIndex and LockSequenceNumber
    # Called with the status in the moment of its end: the connection that asked may be lost before
    # anything goes on that waits for it.
    settled: Callable[[int], None] = lambda _: None

    def end(self, status: int = 0) -> None:
        """Leave the queue; behind the end this does nothing."""
        if not self.over:
            self.locks.waits.pop(self, None)
            self.settled(status)
            Wait.end(self, status)


@dataclass(slots=True, eq=False, init=False)
class ByteRangeLocks:
    """The locks held on one file, and the queue of those that wait, in the order they came.

    What is asked for each READ is counted, not listed: how many exclusive locks meet a range, and
    how many of those are the caller's own.
    """

    budget: LockBudget
    held: int  # how many: READ and WRITE ask nothing more where there are none
    waits: dict[LockWait, None]
    _locks: LockSet

    def __init__(self, budget: LockBudget | None = None) -> None:
        """No lock is held.  (By hand: each file that is opened alone gets one.)"""
        self.budget = LockBudget() if budget is None else budget
        self.held = 0
        self.waits = _NO_WAITS
        self._locks = _NONE

    def begin_below(self, size: int) -> bool:
        """Whether a lock begins within a file of so many bytes."""
        lowest = self._locks.lowest
        return lowest is not None and lowest < size

    def try_lock(self, wanted: ByteRange) -> bool:
        """Hold a lock, unless one that is held conflicts.

        Shared ones go together; and the owner of an exclusive one may take it shared as well.
        INSUFFICIENT_RESOURCES if this file or the server has more locks than is good for anybody.
        """
        offset, length = wanted.offset, wanted.length
        if wanted.exclusive:
            if any(self._locks.meeting(offset, length, exclusive=kind) for kind in (False, True)):
                return False
        elif self._meets_anothers(wanted.owner, offset, length):
            return False
        if self.held >= _MOST_HELD or self.budget.left <= 0:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        self._add(wanted)
        return True

    def try_all(self, wanted: Sequence[ByteRange]) -> bool:
        """Hold all of them or none."""
        taken = 0
        try:
            for lock in wanted:
                if not self.try_lock(lock):
                    return False
                taken += 1
        finally:
            if taken < len(wanted):
                for lock in wanted[:taken]:
                    self._remove(lock)
        return True

    def wait(
        self,
        wanted: ByteRange,
        sequence: tuple[int, int] = (0, 0),
        settled: Callable[[int], None] = lambda _: None,
    ) -> LockWait:
        """Wait for a lock that cannot be had now; INSUFFICIENT_RESOURCES in a long queue."""
        if len(self.waits) >= _MOST_WAITS:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        wait = LockWait(locks=self, wanted=wanted, sequence=sequence, settled=settled)
        if self.waits is _NO_WAITS:
            self.waits = {}
        self.waits[wait] = None
        return wait

    def take_over(self, wait: LockWait) -> None:
        """It repeats a LOCK that waits, if there is such, and takes over its entry in the queue."""
        for before in self.waits:
            same = before.sequence == wait.sequence and before.wanted.owner is wait.wanted.owner
            if same and before is not wait:
                del self.waits[wait]
                self.waits = {wait if one is before else one: None for one in self.waits}
                before.end(NtStatus.CANCELLED)
                return

    def unlock(self, owner: object, ranges: Iterable[tuple[int, int]]) -> None:
        """Give up locks one by one, up to the first that is not held: RANGE_NOT_LOCKED.

        Of an exclusive and a shared one on top of each other the exclusive one goes first, as
        on Windows.  The queue is looked through once, at the end.
        """
        freed: list[ByteRange] = []
        try:
            for offset, length in ranges:
                lock = ByteRange(owner, offset, length, exclusive=True)
                if not self._locks.has(lock):
                    lock = ByteRange(owner, offset, length, exclusive=False)
                    if not self._locks.has(lock):
                        raise NtError(NtStatus.RANGE_NOT_LOCKED)
                self._remove(lock)
                freed.append(lock)
        finally:
            self._grant(freed)

    def release(self, lock: ByteRange) -> None:
        """Give up just this lock, if its owner's CLOSE has not done so."""
        if self._locks.has(lock):
            self._remove(lock)
            self._grant([lock])

    def drop(self, owner: object) -> None:
        """Give up all locks of an Open that closes, and refuse those that it waits for."""
        if self.waits:
            self.refuse(owner, NtStatus.RANGE_NOT_LOCKED)
        if self.held:
            freed = self._locks.drop(owner)
            self._count(-len(freed))
            self._grant(freed)

    def refuse(self, owner: object, status: int) -> None:
        """An Open waits for no lock any more."""
        if self.waits:
            for one in [one for one in self.waits if one.wanted.owner is owner]:
                one.end(status)

    def of(self, owner: object) -> list[ByteRange]:
        """The locks that an Open holds, for people."""
        return self._locks.of(owner)

    def forbid(self, owner: object, offset: int, length: int, *, writing: bool) -> bool:
        """Whether a READ or WRITE of `owner` meets a lock that forbids it.

        An exclusive lock forbids both to others; a shared one forbids writing, to its owner too.
        Nothing forbids to read or write no bytes.
        """
        return bool(length) and (
            self._meets_anothers(owner, offset, length)
            or (writing and self._locks.meeting(offset, length, exclusive=False) > 0)
        )

    def check(self, owner: object, offset: int, length: int, *, writing: bool) -> None:
        """FILE_LOCK_CONFLICT if a lock forbids it."""
        if self.forbid(owner, offset, length, writing=writing):
            raise NtError(NtStatus.FILE_LOCK_CONFLICT)

    def _meets_anothers(self, owner: object, offset: int, length: int) -> bool:
        """Whether an exclusive lock of another owner meets the range."""
        count = self._locks.meeting(offset, length, exclusive=True)
        return bool(count) and count > self._locks.own(owner, offset, length)

    def _add(self, lock: ByteRange) -> None:
        if not self.held:
            self._locks = FewLocks()
        elif self.held >= FEW and isinstance(self._locks, FewLocks):
            self._locks = ManyLocks(self._locks.all())
        self._locks.add(lock)
        self._count(1)

    def _remove(self, lock: ByteRange) -> None:
        self._locks.remove(lock)
        self._count(-1)

    def _count(self, more: int) -> None:
        self.held += more
        self.budget.left -= more
        if not self.held:
            self._locks = _NONE

    def _grant(self, freed: Sequence[ByteRange]) -> None:
        """Some locks went: those that wait for their ranges get them now, first come first."""
        if not self.waits or not freed:
            return
        free = RangeCounts.of((lock.offset, lock.length) for lock in freed)
        for wait in [
            one for one in self.waits if free.meeting(one.wanted.offset, one.wanted.length)
        ]:
            try:
                granted = self.try_lock(wait.wanted)
            except NtError as error:
                # There is room for no more locks: better to say so than to wait for more room.
                wait.end(error.status)
                continue
            if granted:
                wait.end()
