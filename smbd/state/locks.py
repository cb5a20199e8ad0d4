"""Byte-range locks of one file: [MS-FSA] 2.1.4.10 (conflicts), 2.1.5.8 and 2.1.5.9.

Mandatory: READ and WRITE of others honour them.  Held here alone, not with fcntl: the kernel
knows one owner, this process, and would let every client through.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from smbd.ntstatus import NtError, NtStatus
from smbd.state.ranges import RangeCounts
from smbd.state.waits import Wait

# On one file, for the memory's sake; and the whole queue is looked through when a lock goes.
_MOST_HELD = 8192
_MOST_WAITS = 1024
# To take one lock out costs as much as to look at so many others and put them together anew.
_DEARER = 8
_NONE = RangeCounts()  # of a file without locks, as most are: nothing is ever put in


@dataclass(slots=True, frozen=True)
class ByteRange:
    """A locked range.  `owner` is the Open that holds it: two opens of one client conflict."""

    owner: object
    offset: int
    length: int
    exclusive: bool

    def meets(self, offset: int, length: int) -> bool:
        """Whether this and another range each begin before the other ends.

        A range of no bytes lies between two bytes: it meets only what has it inside.
        """
        return self.offset < offset + length and offset < self.offset + self.length


@dataclass(slots=True, eq=False)
class _Owned:
    """What one Open holds: equal locks are counted, for nothing tells them apart."""

    locks: Counter[ByteRange] = field(default_factory=Counter)
    exclusive: RangeCounts = field(default_factory=RangeCounts)


@dataclass(slots=True)
class LockBudget:
    """How many locks all files together may have: each costs some 300 bytes."""

    left: int = 1 << 18


@dataclass(slots=True, eq=False, kw_only=True)
class LockWait(Wait):
    """A LOCK that waits in the queue: it ends when the lock is held, or by what refuses it."""

    locks: "ByteRangeLocks"
    wanted: ByteRange

    def end(self, status: int = 0) -> None:
        """Leave the queue; behind the end this does nothing."""
        self.locks.waits.pop(self, None)
        Wait.end(self, status)


@dataclass(slots=True, eq=False)
class ByteRangeLocks:
    """The locks held on one file, and the queue of those that wait, in the order they came.

    What is asked for each READ is counted, not listed: how many exclusive locks meet a range, and
    how many of those are the caller's own.
    """

    budget: LockBudget = field(default_factory=LockBudget)
    held: int = 0  # how many: READ and WRITE ask nothing more where there are none
    waits: dict[LockWait, None] = field(default_factory=dict)
    _exclusive: RangeCounts = _NONE
    _shared: RangeCounts = _NONE
    _owned: dict[object, _Owned] = field(default_factory=dict)

    def begin_below(self, size: int) -> bool:
        """Whether a lock begins within a file of so many bytes."""
        return self.held > 0 and any(
            bag.lowest is not None and bag.lowest < size for bag in (self._exclusive, self._shared)
        )

    def try_lock(self, wanted: ByteRange) -> bool:
        """Hold a lock, unless one that is held conflicts.

        Shared ones go together; and the owner of an exclusive one may take it shared as well.
        INSUFFICIENT_RESOURCES if this file or the server has more locks than is good for anybody.
        """
        offset, length = wanted.offset, wanted.length
        if wanted.exclusive:
            if self._shared.meeting(offset, length) or self._exclusive.meeting(offset, length):
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

    def wait(self, wanted: ByteRange) -> LockWait:
        """Wait for a lock that cannot be had now; INSUFFICIENT_RESOURCES in a long queue."""
        if len(self.waits) >= _MOST_WAITS:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        wait = LockWait(locks=self, wanted=wanted)
        self.waits[wait] = None
        return wait

    def unlock(self, owner: object, offset: int, length: int) -> None:
        """Give up one lock of exactly this range; RANGE_NOT_LOCKED if there is none."""
        self.unlock_all(owner, [(offset, length)])

    def unlock_all(self, owner: object, ranges: Iterable[tuple[int, int]]) -> None:
        """Give up locks one by one, up to the first that is not held: RANGE_NOT_LOCKED.

        Of an exclusive and a shared one on top of each other the exclusive one goes first, as
        on Windows.  The queue is looked through once, at the end.
        """
        freed: list[ByteRange] = []
        mine = self._owned.get(owner)
        try:
            for offset, length in ranges:
                lock = ByteRange(owner, offset, length, exclusive=True)
                if mine is None or lock not in mine.locks:
                    lock = ByteRange(owner, offset, length, exclusive=False)
                    if mine is None or lock not in mine.locks:
                        raise NtError(NtStatus.RANGE_NOT_LOCKED)
                self._remove(lock)
                freed.append(lock)
        finally:
            self._grant(freed)

    def release(self, lock: ByteRange) -> None:
        """Give up just this lock, if its owner's CLOSE has not done so."""
        mine = self._owned.get(lock.owner)
        if mine is not None and lock in mine.locks:
            self._remove(lock)
            self._grant([lock])

    def drop(self, owner: object) -> None:
        """Give up all locks of an Open that closes, and refuse those that it waits for."""
        if self.waits:
            for one in [one for one in self.waits if one.wanted.owner is owner]:
                one.end(NtStatus.RANGE_NOT_LOCKED)
        mine = self._owned.get(owner)
        if mine is not None:
            freed = list(mine.locks.elements())
            if len(freed) * _DEARER < self.held:
                for lock in freed:
                    self._remove(lock)
            else:
                self._remove_owner(owner, len(freed))
            self._grant(freed)

    def of(self, owner: object) -> list[ByteRange]:
        """The locks that an Open holds, for people."""
        mine = self._owned.get(owner)
        return [] if mine is None else list(mine.locks.elements())

    def forbid(self, owner: object, offset: int, length: int, *, writing: bool) -> bool:
        """Whether a READ or WRITE of `owner` meets a lock that forbids it.

        An exclusive lock forbids both to others; a shared one forbids writing, to its owner too.
        Nothing forbids to read or write no bytes.
        """
        return bool(length) and (
            self._meets_anothers(owner, offset, length)
            or (writing and self._shared.meeting(offset, length) > 0)
        )

    def check(self, owner: object, offset: int, length: int, *, writing: bool) -> None:
        """FILE_LOCK_CONFLICT if a lock forbids it."""
        if self.forbid(owner, offset, length, writing=writing):
            raise NtError(NtStatus.FILE_LOCK_CONFLICT)

    def _meets_anothers(self, owner: object, offset: int, length: int) -> bool:
        """Whether somebody else's exclusive lock is in the way."""
        count = self._exclusive.meeting(offset, length)
        if not count:
            return False
        mine = self._owned.get(owner)
        return mine is None or count > mine.exclusive.meeting(offset, length)

    def _add(self, lock: ByteRange) -> None:
        if not self.held:
            self._exclusive, self._shared = RangeCounts(), RangeCounts()
        mine = self._owned.setdefault(lock.owner, _Owned())
        mine.locks[lock] += 1
        if lock.exclusive:
            self._exclusive.add(lock.offset, lock.length)
            mine.exclusive.add(lock.offset, lock.length)
        else:
            self._shared.add(lock.offset, lock.length)
        self._count(1)

    def _remove(self, lock: ByteRange) -> None:
        mine = self._owned[lock.owner]
        mine.locks[lock] -= 1
        if not mine.locks[lock]:
            del mine.locks[lock]
        if lock.exclusive:
            self._exclusive.remove(lock.offset, lock.length)
            mine.exclusive.remove(lock.offset, lock.length)
        else:
            self._shared.remove(lock.offset, lock.length)
        if not mine.locks:
            del self._owned[lock.owner]
        self._count(-1)

    def _remove_owner(self, owner: object, count: int) -> None:
        """What an owner of many holds goes at once: the others' locks are put together anew."""
        del self._owned[owner]
        rest = [lock for other in self._owned.values() for lock in other.locks.elements()]
        self._exclusive, self._shared = (
            RangeCounts.of((one.offset, one.length) for one in rest if one.exclusive is exclusive)
            for exclusive in (True, False)
        )
        self._count(-count)

    def _count(self, more: int) -> None:
        self.held += more
        self.budget.left -= more

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
