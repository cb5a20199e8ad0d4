"""Byte-range locks of one file: [MS-FSA] 2.1.4.10 (conflicts), 2.1.5.8 and 2.1.5.9.

Mandatory: READ and WRITE of others honour them.  Held here alone, not with fcntl: the kernel
knows one owner, this process, and would let every client through.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from smbd.ntstatus import NtError, NtStatus

# On one file, for the memory's sake.
_MOST_HELD = 8192


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


class _Ranges:
    """Locks of one kind, sorted by offset, so that others' READs feel nothing of 1,000 of them.

    `_reach` has for each lock the furthest end of all up to it: where that does not reach an
    offset, neither it nor any before it meets what begins there.
    """

    __slots__ = ("_reach", "_starts", "locks")

    def __init__(self) -> None:
        self.locks: list[ByteRange] = []
        self._starts: list[int] = []
        self._reach: list[int] = []

    def meet(self, offset: int, length: int) -> bool:
        """Whether some lock meets a range."""
        before = bisect_left(self._starts, offset + length)
        return before > 0 and self._reach[before - 1] > offset

    def meeting(self, offset: int, length: int) -> Iterator[ByteRange]:
        """The locks that meet a range."""
        at = bisect_left(self._starts, offset + length)
        while at and self._reach[at - 1] > offset:
            at -= 1
            lock = self.locks[at]
            if lock.meets(offset, length):
                yield lock

    def find(self, owner: object, offset: int, length: int) -> ByteRange | None:
        """An owner's lock of exactly this range."""
        at = bisect_left(self._starts, offset)
        while at < len(self.locks) and self._starts[at] == offset:
            lock = self.locks[at]
            if lock.length == length and lock.owner is owner:
                return lock
            at += 1
        return None

    def add(self, lock: ByteRange) -> None:
        at = bisect_left(self._starts, lock.offset)
        self.locks.insert(at, lock)
        self._starts.insert(at, lock.offset)
        self._reach.insert(at, -1)
        self._extend(at)

    def remove(self, lock: ByteRange) -> bool:
        """Whether it was there."""
        at = bisect_left(self._starts, lock.offset)
        while at < len(self.locks) and self._starts[at] == lock.offset:
            if self.locks[at] is lock:
                del self.locks[at], self._starts[at], self._reach[at]
                self._extend(at)
                return True
            at += 1
        return False

    def drop(self, owner: object) -> None:
        self.locks = [lock for lock in self.locks if lock.owner is not owner]
        self._starts = [lock.offset for lock in self.locks]
        self._reach = [-1] * len(self.locks)
        self._extend(0)

    def _extend(self, at: int) -> None:
        """Make `_reach` right again from a place on where a lock came or went."""
        furthest = self._reach[at - 1] if at else -1
        for place in range(at, len(self.locks)):
            lock = self.locks[place]
            furthest = max(furthest, lock.offset + lock.length)
            if place > at and self._reach[place] == furthest:
                return  # and so are all that follow
            self._reach[place] = furthest


@dataclass(slots=True, eq=False)
class LockWait:
    """A LOCK's place in the line: granted, or refused when its owner closes.

    As a context manager it is given up by an exception: CANCEL.
    """

    locks: "ByteRangeLocks"
    wanted: ByteRange
    granted: bool = False
    over: bool = False
    wake: Callable[[], None] = lambda: None  # called once, when it is over

    def end(self, *, granted: bool) -> None:
        """Tell who waits."""
        self.granted, self.over = granted, True
        self.wake()

    def give_up(self) -> None:
        """Leave the line, or give back the lock that was granted meanwhile."""
        if not self.over:
            self.locks.waits.remove(self)
        elif self.granted:
            self.locks.release(self.wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.give_up()


@dataclass(slots=True, eq=False)
class ByteRangeLocks:
    """The locks held on one file, and who waits for some of them to go, in the order they came.

    Two kinds, asked differently.  Exclusive locks never meet one another, so that few can meet
    any one range; a shared one is in the way of whatever asks for it, whoever its owner is.
    """

    held: int = 0  # how many: READ and WRITE ask nothing more where there are none
    waits: list[LockWait] = field(default_factory=list)
    _exclusive: _Ranges = field(default_factory=_Ranges)
    _shared: _Ranges = field(default_factory=_Ranges)

    def try_lock(self, wanted: ByteRange) -> bool:
        """Hold a lock, unless one that is held conflicts.

        Shared ones go together; and who holds a range exclusively may take it shared as well.
        INSUFFICIENT_RESOURCES if this file has more locks than is good for anybody.
        """
        offset, length = wanted.offset, wanted.length
        if wanted.exclusive:
            if self._shared.meet(offset, length) or self._exclusive.meet(offset, length):
                return False
        elif self._meets_anothers(wanted.owner, offset, length):
            return False
        if self.held >= _MOST_HELD:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        self._kind(wanted).add(wanted)
        self.held += 1
        return True

    def try_all(self, wanted: list[ByteRange]) -> bool:
        """Hold all of them or none."""
        with ExitStack() as undo:
            for lock in wanted:
                if not self.try_lock(lock):
                    return False
                undo.callback(self.release, lock)
            undo.pop_all()
        return True

    def wait(self, wanted: ByteRange) -> LockWait:
        """Stand in line for a lock that cannot be had now."""
        place = LockWait(self, wanted)
        self.waits.append(place)
        return place

    def unlock(self, owner: object, offset: int, length: int) -> None:
        """Give up one lock of exactly this range; RANGE_NOT_LOCKED if there is none.

        Of an exclusive and a shared one on top of each other the exclusive one goes first, as
        on Windows.
        """
        lock = self._exclusive.find(owner, offset, length) or self._shared.find(
            owner, offset, length
        )
        if lock is None:
            raise NtError(NtStatus.RANGE_NOT_LOCKED)
        self.release(lock)

    def release(self, lock: ByteRange) -> None:
        """Give up just this lock, if its owner's CLOSE has not done so."""
        if self._kind(lock).remove(lock):
            self.held -= 1
            self._grant([one for one in self.waits if one.wanted.meets(lock.offset, lock.length)])

    def drop(self, owner: object) -> None:
        """Give up all locks of an Open that closes, and its places in the line."""
        if self.waits:
            mine = [one for one in self.waits if one.wanted.owner is owner]
            self.waits = [one for one in self.waits if one.wanted.owner is not owner]
            for one in mine:
                one.end(granted=False)
        if self.held:
            self._exclusive.drop(owner)
            self._shared.drop(owner)
            self.held = len(self._exclusive.locks) + len(self._shared.locks)
            self._grant(self.waits)

    def of(self, owner: object) -> list[ByteRange]:
        """The locks that an Open holds, for people."""
        held = (*self._exclusive.locks, *self._shared.locks)
        return [lock for lock in held if lock.owner is owner]

    def forbid(self, owner: object, offset: int, length: int, *, writing: bool) -> bool:
        """Whether a READ or WRITE of `owner` meets a lock that forbids it.

        An exclusive lock forbids both to others; a shared one forbids writing, to its owner too.
        Nothing forbids to read or write no bytes.
        """
        return bool(length) and (
            self._meets_anothers(owner, offset, length)
            or (writing and self._shared.meet(offset, length))
        )

    def check(self, owner: object, offset: int, length: int, *, writing: bool) -> None:
        """FILE_LOCK_CONFLICT if a lock forbids it."""
        if self.forbid(owner, offset, length, writing=writing):
            raise NtError(NtStatus.FILE_LOCK_CONFLICT)

    def _meets_anothers(self, owner: object, offset: int, length: int) -> bool:
        """Whether somebody else's exclusive lock is in the way."""
        return any(lock.owner is not owner for lock in self._exclusive.meeting(offset, length))

    def _kind(self, lock: ByteRange) -> _Ranges:
        return self._exclusive if lock.exclusive else self._shared

    def _grant(self, places: list[LockWait]) -> None:
        """Some lock went: whoever can have his now gets it, first come, first served."""
        for place in list(places):
            if self.held < _MOST_HELD and self.try_lock(place.wanted):
                self.waits.remove(place)
                place.end(granted=True)
