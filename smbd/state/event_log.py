"""What happened in a watched directory: one log for all handles that watch it in the same way.

A change is written down once, whatever the number of watchers; each of them knows how far it has
read.  Only requests that wait are touched, once each.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from sys import getsizeof
from typing import Protocol

from smbd.vfs import Names

# A watcher that never asks again must not eat the memory: what would not fit into so many bytes of
# answer, the most that one credit pays for, makes it look for itself.
MOST_BUFFERED = 65536
_ENTRY = 12  # NextEntryOffset, Action, FileNameLength

# All logs together have so many bytes, and one never more than a part of what is left to all
# others: 2,560 watches of one client, each with 64 KiB of short names, took 330 MB.  A log of a
# server with few watchers has room for MOST_BUFFERED of whatever names.
_MOST_HELD = 32 << 20
_PART = 32
_EVENT = 72  # bytes of an event beside its name
# Requests that one event lets go on in one turn of the loop: 1,000 took 16 ms.
_AT_ONCE = 4

Event = tuple[int, str]  # action, name


class Reader(Protocol):
    """A reader of a log."""

    def wake(self) -> bool:
        """There is something new; whether a request goes on with that, and `go_on` comes later."""


@dataclass(slots=True)
class EventMemory:
    """How many bytes all logs together may still hold."""

    left: int = _MOST_HELD


@dataclass(slots=True, eq=False)
class EventLog:
    """NotifyEventList ([MS-FSA] 2.1.1.8) of the watchers with one filter and one depth.

    A position in it is how many events and how many bytes of answer came before.
    """

    completion_filter: int = 0
    watch_tree: bool = False
    where: str = ""  # the path of the directory on disk
    veto: Names | None = None  # names in it of which nobody hears
    readers: dict[Reader, None] = field(default_factory=dict)
    waiting: dict[Reader, None] = field(default_factory=dict)  # those to wake at the next event
    _due: dict[Reader, None] = field(
        default_factory=dict
    )  # those to wake as soon as others are done
    memory: EventMemory = field(default_factory=EventMemory)
    _events: deque[Event] = field(default_factory=deque)
    _count: int = 0  # of all events, with those that are no longer kept
    _bytes: int = 0  # the same, on the wire; but not of one that repeats the one before it
    _kept: int = 0  # bytes of those in _events, on the wire ...
    _held: int = 0  # ... and in memory
    _unread: bool = False  # whether no reader has read the last event yet

    def add(self, action: int, name: str) -> None:
        """Write an event down; one that only says again what the last one said is nothing new."""
        event = (action, name)
        repeats = bool(self._events) and self._events[-1] == event
        if repeats and self._unread:
            return
        size = _size(event)
        self._events.append(event)
        self._unread = True
        self._count += 1
        self._bytes += 0 if repeats else size
        self._kept += size
        self._hold(_cost(event))
        while self._kept > MOST_BUFFERED or self._held > max(self.memory.left // _PART, 0):
            oldest = self._events.popleft()
            self._kept -= _size(oldest)
            self._hold(-_cost(oldest))
        self._wake()

    def lose(self) -> None:
        """Something happened of which nothing is known: no reader gets a list of events now."""
        self._count += 1
        self._unread = False
        self.clear()
        self._wake()

    def _wake(self) -> None:
        if self.waiting:
            waiting, self.waiting = self.waiting, {}
            self._due |= waiting
            self.go_on(_AT_ONCE)

    def go_on(self, most: int = 1) -> None:
        """Wake so many of those that are due: each that is done calls it for the next one."""
        while self._due and most:
            reader = next(iter(self._due))
            del self._due[reader]
            most -= reader.wake()

    def forget(self, reader: Reader) -> None:
        """Forget a reader."""
        for readers in (self.readers, self.waiting, self._due):
            readers.pop(reader, None)

    def read_to_end(self) -> tuple[int, int]:
        """The position behind all events, for a reader that has been told of them."""
        self._unread = False
        return self._count, self._bytes

    def has_more(self, position: tuple[int, int]) -> bool:
        """Whether something came after a position."""
        return self._count > position[0]

    def since(self, position: tuple[int, int], capacity: int) -> list[Event] | None:
        """The events after a position; None where they are more than `capacity` bytes."""
        count, bytes_ = position
        room = min(capacity, MOST_BUFFERED)
        if self._bytes - bytes_ > room:
            return None
        kept_from = self._count - len(self._events)
        if count < kept_from:
            return None  # the memory was needed elsewhere
        events: list[Event] = []
        for event in islice(self._events, count - kept_from, None):
            if not events or events[-1] != event:
                events.append(event)
        # The first one may repeat what this reader has read: then it is not counted in _bytes.
        return events if sum(map(_size, events)) <= room else None

    def forget_read(self) -> None:
        """Keep nothing for a single reader that has read all."""
        if len(self.readers) <= 1:
            self.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self._events.clear()
        self._kept = 0
        self._hold(-self._held)

    def _hold(self, size: int) -> None:
        self._held += size
        self.memory.left -= size


def _size(event: Event) -> int:
    """Bytes on the wire: an entry starts at a multiple of four."""
    return _ENTRY + 2 * len(event[1]) + 3 & ~3


def _cost(event: Event) -> int:
    """Bytes in memory; a name that several logs share is counted in each."""
    return _EVENT + getsizeof(event[1])
