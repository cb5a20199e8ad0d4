"""Case-insensitive names over a case-sensitive file system: an index per directory, in memory.

Linux finds a name only as it is spelled.  That a client's name is in no spelling there can only be
known from the whole directory, and every CREATE of a new file asks just that; so a directory is
read once, and the index then follows what we ourselves do in it.
"""

import itertools
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from smbd.vfs.name_set import NameSet
from smbd.vfs.names import to_wire
from smbd.vfs.short_names import could_be_short, find_by_short_name

# All indexes together, for each share: 2.4 million names of 26 characters.  One directory with more
# stays all the same: without its index every new name would cost reading it again.
MAXIMUM_BYTES = 128 << 20
_DIRECTORY_BYTES = 500  # beside the names

# A directory's times are its version, but two changes within one tick of the kernel's clock (10 ms
# at HZ=100) can look the same.  A directory read this soon after its last change may hide a second
# one.
_TICK_NS = 100_000_000
# Also a change by another process between our own change and the look at the times after it would
# be taken for ours.  So an index that is not known to be right for sure is read again at times:
# after a tenth of a second, or later in large directories, so that reading costs 5 % at most.
_DOUBT_SECONDS = 0.1
_DOUBT_SCANS = 20

_READ_AT_ONCE = 1024
# Directories that the loop reads again itself: of so many bytes (1,000 names or so, 1 ms), if the
# last time was so many seconds ago at most, so that the kernel has it in its caches still.
_SMALL, _LATELY = 65_536, 1.0


class DirectoryIndex:
    """The index of one directory.  Its methods are for the holder of `lock`."""

    __slots__ = (
        "_doubted_at",
        "_names",
        "_read_at",
        "_scan_seconds",
        "_version",
        "counted",
        "fd",
        "lock",
        "users",
    )

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0
        self.counted = 0  # the bytes that the Index counts for it
        self.fd = -1  # the holder's descriptor (O_PATH will do)
        self._names: NameSet | None = None
        self._version = (0, 0)
        self._doubted_at = math.inf
        self._scan_seconds = 0.0
        self._read_at = -math.inf

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return _DIRECTORY_BYTES + (self._names.size if self._names else 0)

    def find(self, name: str) -> str | None:
        """The entry on disk that a client means by `name` (a component on disk); None if none.

        Of several the one spelled so, else the first in order, so that the answer is always one.
        In a directory that we may search but not read only the spelling given can be found.
        """
        self._refresh()
        if self._names is None:
            return name if os.access(name, os.F_OK, dir_fd=self.fd, follow_symlinks=False) else None
        self._names.make_room()
        found = self._names.equal(name)
        if not found:
            return (
                find_by_short_name(name, self._names.portions()) if could_be_short(name) else None
            )
        wire = to_wire(name)
        return min(found, key=lambda one: (one != name, to_wire(one) != wire, one))

    def added(self, name: str) -> None:
        """`name` was created by the holder."""
        if self._names is not None:
            self._names.add(name)
            self._follow()

    def added_free(self, name: str) -> None:
        """The same for a name that `is_free_now`."""
        if self._names is not None:
            self._names.put(name)
            self._follow()

    def removed(self, *names: str) -> None:
        """`names` were removed by the holder."""
        if self._names is not None:
            for name in names:
                self._names.remove(name)
            self._follow()

    def is_free_now(self, name: str) -> bool:
        """Whether it is known, without long work, that a client means no entry by it.

        A small directory that was read lately is read again.
        """
        if (
            self._names is None
            and time.monotonic() < self._read_at + _LATELY
            and os.fstat(self.fd).st_size <= _SMALL
        ):
            self._refresh(few=True)
        names = self._names
        return (
            names is not None
            and names.has_room
            and not names.equal(name)
            and not could_be_short(name)
        )

    def begin(self, fd: int, version: tuple[int, int]) -> None:
        """The holder has the directory open as `fd`: forget names that others have changed.

        `version` may be of before the holder had the lock: so another one says nothing yet.
        """
        self.fd = fd
        if (
            self._names is not None
            and not self._is_current(version)
            and not self._is_current(_version(os.fstat(fd)))
        ):
            self._names = None

    def _is_current(self, version: tuple[int, int]) -> bool:
        return self._version == version and time.monotonic() < self._doubted_at

    def _follow(self) -> None:
        self._version = _version(os.fstat(self.fd))
        self._doubted_at = min(self._doubted_at, self._next_doubt())

    def _next_doubt(self) -> float:
        return time.monotonic() + max(_DOUBT_SECONDS, _DOUBT_SCANS * self._scan_seconds)

    def _refresh(self, *, few: bool = False) -> None:
        if self._names is not None:
            if self._is_current(_version(os.fstat(self.fd))):
                return
            self._names = None
        began = time.monotonic()
        began_ns = time.time_ns()
        try:
            readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        except PermissionError:
            return
        try:
            version = _version(os.fstat(readable))
            names = _read_few(readable) if few else _read(readable)
        finally:
            os.close(readable)
        self._names = names
        self._version = version
        self._read_at = began
        self._scan_seconds = time.monotonic() - began
        settled = began_ns - version[1] > _TICK_NS  # mtime can be set to anything
        self._doubted_at = math.inf if settled else self._next_doubt()


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_ctime_ns


def _read(fd: int) -> NameSet:
    names = NameSet()
    with os.scandir(fd) as entries:
        while some := [entry.name for entry in itertools.islice(entries, _READ_AT_ONCE)]:
            names.extend(some)
    return names


def _read_few(fd: int) -> NameSet:
    """As `_read`, for the loop, which waits for no other thread's slices."""
    with os.scandir(fd) as entries:
        return NameSet.of_few([entry.name for entry in entries])


class Index:
    """The directories that were asked about last, as many as memory allows.

    One for all shares, which may lie in one another: what one of them makes, another knows.
    """

    def __init__(self, maximum_bytes: int = MAXIMUM_BYTES) -> None:
        self._each = maximum_bytes
        self._shares: list[None] = []  # one for each: to count them takes no lock
        self._size = 0
        self._directories: OrderedDict[tuple[int, int], DirectoryIndex] = OrderedDict()
        self._lock = threading.Lock()

    def join(self) -> Self:
        """One share more uses it, and `maximum_bytes` more memory; `leave` it."""
        self._shares.append(None)
        return self

    def leave(self) -> None:
        """One share less uses it, and so much memory less; with the last one all is forgotten.

        It may be called by a finalizer, at any point of a thread that has the lock.
        """
        self._shares.pop()
        if self._lock.acquire(blocking=False):
            try:
                self._drop_oldest()
            finally:
                self._lock.release()

    @contextmanager
    def of(self, fd: int) -> Iterator[DirectoryIndex]:
        """The directory open as `fd`, for this thread alone."""
        status = os.fstat(fd)
        index = self._take(status)
        try:
            with index.lock:
                index.begin(fd, _version(status))
                yield index
        finally:
            self._give_back(index)

    @contextmanager
    def of_both(self, one: int, other: int) -> Iterator[tuple[DirectoryIndex, DirectoryIndex]]:
        """Two directories (maybe the same) for this thread alone; all threads lock in one order."""
        some = [(_key(status), fd, status) for fd in (one, other) for status in [os.fstat(fd)]]
        first, second = sorted(some, key=lambda item: item[0])
        with self.of(first[1]) as lower, self.of(second[1]) as upper:
            yield (lower, upper) if first is some[0] else (upper, lower)

    def get(self, key: tuple[int, int]) -> DirectoryIndex | None:
        """The index of the directory with this (device, inode), for a caller that cannot wait.

        It is the caller's when that has got its `lock` without waiting, and called `begin`.  None
        if nothing is known of it.  The holder counts for no user: should the index be dropped
        meanwhile, the next one is read after the holder's change, or finds out that it was not.
        """
        return self._directories.get(key)

    def _take(self, status: os.stat_result) -> DirectoryIndex:
        with self._lock:
            key = _key(status)
            index = self._directories.get(key)
            if index is None:
                index = self._directories[key] = DirectoryIndex()
            index.users += 1
            self._directories.move_to_end(key)
            return index

    def _give_back(self, index: DirectoryIndex) -> None:
        with self._lock:
            index.users -= 1
            size = index.size
            self._size += size - index.counted
            index.counted = size
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        most = len(self._shares) * self._each
        if self._size <= most:
            return
        last = next(reversed(self._directories)) if most else None
        dropped: list[tuple[int, int]] = []
        for key, index in self._directories.items():
            # One in use stays: its holder's change would be unseen by a second index of it.
            if not index.users and key != last:
                self._size -= index.counted
                dropped.append(key)
            if self._size <= most:
                break
        for key in dropped:
            del self._directories[key]


def _key(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
