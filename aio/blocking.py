"""Engine "sync": pread and pwrite in the calling task, the path to compare with.

Also the loops that every blocking path shares: a count is full, or short only at end of file.
"""

import errno
import math
import os
from collections import deque
from collections.abc import Callable
from time import perf_counter

import trio

from aio.base import Begun, Data, Done, Stats
from aio.completion import TURN, fsync_awaited, tell


def read_full(fd: int, into: memoryview, offset: int, flags: int = 0) -> int:
    """Read until `into` is full or the file ends; the count.  EINTR is retried by `os.preadv`."""
    count = os.preadv(fd, (into,), offset, flags)
    if count == len(into):
        return count
    while count < len(into):
        more = os.preadv(fd, (into[count:],), offset + count, flags)
        if not more:
            break
        count += more
    return count


def write_full(fd: int, data: Data, offset: int, flags: int = 0) -> int:
    """Write all of `data`; its length.  An error after a part of it (ENOSPC) is the error."""
    # pwrite is faster by 0.25 us (measured).
    count = os.pwritev(fd, (data,), offset, flags) if flags else os.pwrite(fd, data, offset)
    if count == len(data):
        return count
    view = memoryview(data)
    while count < len(view):
        more = os.pwrite(fd, view[count:], offset + count)
        if not more:  # no file system of Linux does, but one in user space might, for ever
            raise OSError(errno.EIO, "the file system takes no more and names no error")
        count += more
    return count


def write_timed(fd: int, data: Data, offset: int, flags: int) -> tuple[int, float]:
    """As `write_full`; and how many seconds it took."""
    started = perf_counter()
    count = write_full(fd, data, offset, flags)
    return count, perf_counter() - started


class _Call:
    """A call that was begun, and comes with `kick`."""

    __slots__ = ("_call", "_done", "_wanted")

    def __init__(self, call: Callable[[], int], done: Done) -> None:
        self._call, self._done = call, done
        self._wanted = True

    def withdraw(self) -> None:
        """As `aio.base.Begun` has it."""
        self._wanted = False

    def tell(self) -> None:
        """Make the call, and call `done`."""
        try:
            if not self._wanted:
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            count = self._call()
        except OSError as error:
            self._done(0, error)
        else:
            self._done(count, None)


class SyncEngine:
    """Blocks the loop for as long as the kernel takes."""

    name = "sync"
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._stats = Stats()
        self._closed = False
        self._begun: deque[_Call] = deque()
        self.write_seconds = 0.0

    def attach(self, fd: int) -> None:
        """Nothing is kept for an open file."""

    def detach(self, fd: int) -> None:
        """Nothing is kept for an open file."""

    def try_read(self, fd: int, into: memoryview, offset: int) -> int:
        """The blocking call itself."""
        self._check_open()
        started = perf_counter()
        count = read_full(fd, into, offset)
        stats = self._stats
        stats.took(perf_counter() - started)
        stats.reads += 1
        stats.bytes_read += count
        return count

    def try_write(self, fd: int, data: Data, offset: int) -> int:
        """The blocking call itself."""
        self._check_open()
        started = perf_counter()
        count = write_full(fd, data, offset)
        stats = self._stats
        self.write_seconds = perf_counter() - started
        stats.took(self.write_seconds)
        stats.writes += 1
        stats.bytes_written += count
        return count

    async def read(self, fd: int, into: memoryview, offset: int) -> int:
        """As `try_read`; the checkpoint comes after it, as in every engine."""
        count = self.try_read(fd, into, offset)
        await trio.lowlevel.checkpoint()
        return count

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """The blocking call comes with `kick`."""
        return self._begin(lambda: self.try_read(fd, into, offset), done)

    def begin_fsync(self, fd: int, done: Done) -> Begun:
        """The blocking call comes with `kick`."""
        return self._begin(lambda: self._fsync(fd), self._stats.flushing(done))

    def _begin(self, function: Callable[[], int], done: Done) -> Begun:
        self._check_open()
        call = _Call(function, done)
        self._begun.append(call)
        return call

    @staticmethod
    def _fsync(fd: int) -> int:
        os.fsync(fd)
        return 0

    def kick(self) -> None:
        """As many blocking calls as a turn has room for, and so again in the next rounds."""
        if not tell(self._begun, perf_counter() + TURN):
            trio.lowlevel.current_trio_token().run_sync_soon(self.kick, idempotent=True)

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """As `try_write`, then a checkpoint."""
        count = self.try_write(fd, data, offset)
        await trio.lowlevel.checkpoint()
        return count

    async def fsync(self, fd: int) -> None:
        """Fsync in the loop."""
        await fsync_awaited(self, fd)

    async def aclose(self) -> None:
        """Nothing is in flight but what was not kicked yet."""
        while self._begun:
            tell(self._begun, math.inf)
        self._closed = True
        await trio.lowlevel.checkpoint()

    def statistics(self) -> Stats:
        """A copy of the counters."""
        return self._stats + Stats()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this engine is closed")
