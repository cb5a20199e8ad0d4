"""The locks held on one file: few of them in a list, many of them counted and sorted.

A lock in a list costs some 180 bytes, and nearly every file has few.  What is sorted costs more to
begin with, and then a READ asks in 2 us what 10,000 locks forbid.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from smbd.state.ranges import RangeCounts

FEW = 6  # as fast to look through as to search
# To take one lock out costs as much as to look at so many others and put them together anew.
_DEARER = 8


@dataclass(slots=True, frozen=True)
class ByteRange:
    """A locked range.  `owner` is the Open that holds it: two opens of one client conflict.

    It meets another range if each begins before the other ends.  A range of no bytes lies between
    two bytes: it meets only what has it inside.
    """

    owner: object
    offset: int
    length: int
    exclusive: bool


class LockSet(Protocol):
    """Locks of any owners; equal ones are counted, for nothing tells them apart."""

    def __len__(self) -> int:
        """How many."""

    @property
    def lowest(self) -> int | None:
        """Where the first one begins; None if there is none."""

    def add(self, lock: ByteRange) -> None:
        """Hold one more."""

    def remove(self, lock: ByteRange) -> None:
        """Give up one that is held."""

    def has(self, lock: ByteRange) -> bool:
        """Whether it is held."""

    def meeting(self, offset: int, length: int, *, exclusive: bool) -> int:
        """How many locks of this kind meet a range."""

    def own(self, owner: object, offset: int, length: int) -> int:
        """How many of the exclusive ones that meet a range are the owner's."""

    def of(self, owner: object) -> list[ByteRange]:
        """The locks of one owner."""

    def drop(self, owner: object) -> list[ByteRange]:
        """Give up all of an owner; which they were."""


class FewLocks:
    """A list."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: list[ByteRange] = []

    def __len__(self) -> int:
        return len(self._locks)

    @property
    def lowest(self) -> int | None:
        """Where the first one begins; None if there is none."""
        return min((one.offset for one in self._locks), default=None)

    def all(self) -> list[ByteRange]:
        """In the order in which they came."""
        return self._locks

    def add(self, lock: ByteRange) -> None:
        """Hold one more."""
        self._locks.append(lock)

    def remove(self, lock: ByteRange) -> None:
        """Give up one that is held."""
        self._locks.remove(lock)

    def has(self, lock: ByteRange) -> bool:
        """Whether it is held."""
        return lock in self._locks

    def meeting(self, offset: int, length: int, *, exclusive: bool) -> int:
        """How many locks of this kind meet a range."""
        count, end = 0, offset + length
        for one in self._locks:  # 0.3 us for one lock, where a generator takes 1 us
            if one.offset < end and offset < one.offset + one.length:
                count += one.exclusive is exclusive
        return count

    def own(self, owner: object, offset: int, length: int) -> int:
        """How many of the exclusive ones that meet a range are the owner's."""
        count, end = 0, offset + length
        for one in self._locks:
            if one.owner is owner and one.offset < end and offset < one.offset + one.length:
                count += one.exclusive
        return count

    def of(self, owner: object) -> list[ByteRange]:
        """The locks of one owner."""
        return [one for one in self._locks if one.owner is owner]

    def drop(self, owner: object) -> list[ByteRange]:
        """Give up all of an owner; which they were."""
        mine = self.of(owner)
        self._locks = [one for one in self._locks if one.owner is not owner]
        return mine


class _Owned:
    """Many locks of one owner."""

    __slots__ = ("_exclusive", "_locks")

    def __init__(self, locks: Iterable[ByteRange]) -> None:
        self._locks = Counter(locks)
        self._exclusive = _ranges(self._locks.elements(), exclusive=True)

    def __len__(self) -> int:
        return len(self._locks)

    def all(self) -> list[ByteRange]:
        return list(self._locks.elements())

    def add(self, lock: ByteRange) -> None:
        self._locks[lock] += 1
        if lock.exclusive:
            self._exclusive.add(lock.offset, lock.length)

    def remove(self, lock: ByteRange) -> None:
        self._locks[lock] -= 1
        if not self._locks[lock]:
            del self._locks[lock]
        if lock.exclusive:
            self._exclusive.remove(lock.offset, lock.length)

    def has(self, lock: ByteRange) -> bool:
        return lock in self._locks

    def own(self, _owner: object, offset: int, length: int) -> int:
        return self._exclusive.meeting(offset, length)


class ManyLocks:
    """How many meet a range is counted for all together; the locks themselves are their owners'."""

    __slots__ = ("_count", "_exclusive", "_owned", "_shared")

    def __init__(self, locks: Iterable[ByteRange]) -> None:
        self._exclusive, self._shared = RangeCounts(), RangeCounts()
        self._owned: dict[object, FewLocks | _Owned] = {}
        self._count = 0
        for lock in locks:
            self.add(lock)

    def __len__(self) -> int:
        return self._count

    @property
    def lowest(self) -> int | None:
        """Where the first one begins; None if there is none."""
        found = (self._exclusive.lowest, self._shared.lowest)
        return min((one for one in found if one is not None), default=None)

    def add(self, lock: ByteRange) -> None:
        """Hold one more."""
        mine = self._owned.get(lock.owner)
        if mine is None:
            mine = self._owned[lock.owner] = FewLocks()
        elif isinstance(mine, FewLocks) and len(mine) >= FEW:
            mine = self._owned[lock.owner] = _Owned(mine.all())
        mine.add(lock)
        self._counts(lock).add(lock.offset, lock.length)
        self._count += 1

    def remove(self, lock: ByteRange) -> None:
        """Give up one that is held."""
        mine = self._owned[lock.owner]
        mine.remove(lock)
        if not mine:
            del self._owned[lock.owner]
        self._counts(lock).remove(lock.offset, lock.length)
        self._count -= 1

    def has(self, lock: ByteRange) -> bool:
        """Whether it is held."""
        mine = self._owned.get(lock.owner)
        return mine is not None and mine.has(lock)

    def meeting(self, offset: int, length: int, *, exclusive: bool) -> int:
        """How many locks of this kind meet a range."""
        return (self._exclusive if exclusive else self._shared).meeting(offset, length)

    def own(self, owner: object, offset: int, length: int) -> int:
        """How many of the exclusive ones that meet a range are the owner's."""
        mine = self._owned.get(owner)
        return 0 if mine is None else mine.own(owner, offset, length)

    def of(self, owner: object) -> list[ByteRange]:
        """The locks of one owner."""
        mine = self._owned.get(owner)
        return [] if mine is None else list(mine.all())

    def drop(self, owner: object) -> list[ByteRange]:
        """Give up all of an owner; which they were.

        What an owner of many holds goes at once: the others' locks are put together anew.
        """
        freed = self.of(owner)
        if len(freed) * _DEARER < self._count:
            for lock in freed:
                self.remove(lock)
            return freed
        self._owned.pop(owner, None)
        rest = [lock for other in self._owned.values() for lock in other.all()]
        self._exclusive = _ranges(rest, exclusive=True)
        self._shared = _ranges(rest, exclusive=False)
        self._count -= len(freed)
        return freed

    def _counts(self, lock: ByteRange) -> RangeCounts:
        return self._exclusive if lock.exclusive else self._shared


def _ranges(locks: Iterable[ByteRange], *, exclusive: bool) -> RangeCounts:
    return RangeCounts.of((one.offset, one.length) for one in locks if one.exclusive is exclusive)
