"""Engine "sync": pread and pwrite in the calling task, the path to compare with.

Also the loops that every blocking path shares: a count is full, or short only at end of file.
"""

import errno
import os
from time import perf_counter

import trio

from aio.base import Data, Stats


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


class SyncEngine:
    """Blocks the loop for as long as the kernel takes."""

    name = "sync"
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._stats = Stats()
        self._closed = False
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

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """As `try_write`, then a checkpoint."""
        count = self.try_write(fd, data, offset)
        await trio.lowlevel.checkpoint()
        return count

    async def fsync(self, fd: int) -> None:
        """Fsync in the calling task, then a checkpoint."""
        self._check_open()
        started = perf_counter()
        os.fsync(fd)
        self._stats.took(perf_counter() - started)
        self._stats.fsyncs += 1
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Nothing is ever in flight."""
        self._closed = True
        await trio.lowlevel.checkpoint()

    def statistics(self) -> Stats:
        """A copy of the counters."""
        return self._stats + Stats()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this engine is closed")
