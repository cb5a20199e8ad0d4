"""Byte-range locks of one file: [MS-FSA] 2.1.4.10 (conflicts), 2.1.5.8 and 2.1.5.9.

Mandatory: READ and WRITE of others honour them.  Held here alone, not with fcntl: the kernel
knows one owner, this process, and would let every client through.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from smbd.ntstatus import NtError, NtStatus

# On one file: every LOCK, READ and WRITE looks at all of them, in the loop.
_MOST_HELD = 8192


@dataclass(slots=True, frozen=True)
class ByteRange:
    """A locked range.  `owner` is the Open that holds it: two opens of one client conflict."""

    owner: object
    offset: int
    length: int
    exclusive: bool

    def overlaps(self, offset: int, length: int) -> bool:
        """Whether another range meets this one.

        A range of no bytes lies between two bytes: it meets only what has it inside.
        """
        return self.offset < offset + length and offset < self.offset + self.length


@dataclass(slots=True, eq=False)
class ByteRangeLocks:
    """The locks held on one file, and who waits for some of them to go."""

    held: list[ByteRange] = field(default_factory=list)
    _waiters: dict[Callable[[], None], None] = field(default_factory=dict)  # in order

    def try_lock(self, wanted: ByteRange) -> bool:
        """Hold a lock, unless one that is held conflicts.

        Shared ones go together; and who holds a range exclusively may take it shared as well.
        """
        for lock in self.held:
            if not (lock.exclusive or wanted.exclusive):
                continue
            if lock.owner is wanted.owner and not wanted.exclusive:
                continue
            if lock.overlaps(wanted.offset, wanted.length):
                return False
        if len(self.held) >= _MOST_HELD:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        self.held.append(wanted)
        return True

    def unlock(self, owner: object, offset: int, length: int) -> None:
        """Give up one lock of exactly this range; RANGE_NOT_LOCKED if there is none.

        Of an exclusive and a shared one on top of each other the exclusive one goes first, as
        on Windows.
        """
        mine = [
            lock
            for lock in self.held
            if lock.owner is owner and lock.offset == offset and lock.length == length
        ]
        if not mine:
            raise NtError(NtStatus.RANGE_NOT_LOCKED)
        self.release(max(mine, key=lambda lock: lock.exclusive))

    def release(self, lock: ByteRange) -> None:
        """Give up just this lock."""
        self.held.remove(lock)
        self._changed()

    def drop(self, owner: object) -> None:
        """Give up all locks of an Open that closes."""
        kept = [lock for lock in self.held if lock.owner is not owner]
        if len(kept) != len(self.held):
            self.held = kept
        self._changed()

    def check(self, owner: object, offset: int, length: int, *, writing: bool) -> None:
        """FILE_LOCK_CONFLICT if a READ or WRITE of `owner` meets a lock that forbids it.

        An exclusive lock forbids both to others; a shared one forbids writing, to its owner too.
        """
        for lock in self.held:
            forbids = lock.owner is not owner if lock.exclusive else writing
            if forbids and lock.overlaps(offset, length):
                raise NtError(NtStatus.FILE_LOCK_CONFLICT)

    @contextmanager
    def waiting(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` when some lock goes, once, if the block still lasts."""
        self._waiters[wake] = None
        try:
            yield
        finally:
            self._waiters.pop(wake, None)

    def _changed(self) -> None:
        waiters, self._waiters = self._waiters, {}
        for wake in waiters:
            wake()
