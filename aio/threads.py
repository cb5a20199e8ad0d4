"""Engine "threads": every call goes to a worker thread, as Samba's aio_pthread does it.

A worker makes one system call per job and runs no logic: one busy pure-Python thread raises an
inline read of 2.7 us to a mean of 500 us (measured), since both need the GIL.  Reads go to threads
in C once they are at hand (aio.readers).
"""

import os
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar, TypeVarTuple

from aio._readers import READERS
from aio.base import Begun, Data, Done, Stats
from aio.completion import read_awaited
from aio.dontcache import DontCache, Uncached
from aio.pool import WorkerPool
from aio.readers import Readers
from aio.ring import Ring
from aio.transfers import ByRing, ByThreads, Transfers
from aio.window import Unbounded

R = TypeVar("R")
Args = TypeVarTuple("Args")


class ThreadsEngine:
    """A pool of its own; `try_read` and `try_write` never do anything."""

    name = "threads"
    notes: tuple[str, ...] = ()

    def __init__(self, *, workers: int, dontcache: DontCache) -> None:
        self._pool = WorkerPool(workers, "aio-threads")
        self._pool.reserve()
        self._stats = Stats()
        self._by = by = _ByThreads(self._pool, self._stats, workers)
        self._transfers: Transfers = Uncached(by, dontcache) if dontcache.wanted else by

    @property
    def write_seconds(self) -> float:
        """In the worker."""
        return self._by.write_seconds

    def attach(self, fd: int) -> None:
        """Nothing is kept for an open file."""

    def detach(self, fd: int) -> None:
        """Nothing is kept for an open file."""

    def try_read(self, fd: int, into: memoryview, offset: int) -> None:  # noqa: ARG002
        """None: this engine does not ask whether a call would wait."""
        return

    def try_write(self, fd: int, data: Data, offset: int) -> None:  # noqa: ARG002
        """None: this engine does not ask whether a call would wait."""
        return

    async def read(self, fd: int, into: memoryview, offset: int) -> int:
        """Preadv in a worker."""
        return await read_awaited(self, fd, into, offset)

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """Preadv in a worker."""
        self._pool.check_open()
        return self._transfers.begin_read(fd, into, offset, self._stats.reading(done))

    def kick(self) -> None:
        """Wake threads in C; Python's have begun."""
        self._by.kick()

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """Pwrite in a worker."""
        count = await self._timed(self._transfers.write, fd, data, offset)
        self._stats.writes += 1
        self._stats.bytes_written += count
        return count

    async def fsync(self, fd: int) -> None:
        """Fsync in a worker."""
        self._stats.switches += 1
        await self._timed(self._pool.run_long, fd, os.fsync, fd)
        self._stats.fsyncs += 1

    async def _timed(self, function: Callable[[*Args], Awaitable[R]], *args: *Args) -> R:
        started = perf_counter()
        try:
            return await function(*args)
        finally:
            self._stats.took(perf_counter() - started)

    async def aclose(self) -> None:
        """Wait for the calls in flight, then end the threads."""
        try:
            await self._pool.aclose()
        finally:
            await self._by.aclose()

    def statistics(self) -> Stats:
        """A copy of the counters."""
        return self._stats + Stats()


class _ByThreads(ByThreads):
    """The same, but for reads, where threads in C are at hand."""

    def __init__(self, pool: WorkerPool, stats: Stats, workers: int) -> None:
        super().__init__(pool, stats)
        self._workers = workers
        self._ring: Ring | None = None
        self._by_ring: ByRing | None = None
        self._looks = True  # whether they may be at hand some time
        self._look()

    def begin_read(
        self, fd: int, into: memoryview, offset: int, done: Done, flags: int = 0
    ) -> Begun:
        """As `Transfers.begin_read`."""
        by = self._by_ring
        if by is None and self._looks:
            by = self._look()
        if by is None:
            return super().begin_read(fd, into, offset, done, flags)
        self._stats.switches += 1
        return by.begin_read(fd, into, offset, done, flags)

    def _look(self) -> ByRing | None:
        module = READERS.at_hand()
        if module is None:
            return None
        self._looks = False
        try:
            queue = Readers(module, self._workers)
        except OSError:  # no thread: Python's pool has one
            return None
        # Its submissions are no system calls of a kernel's queue.
        self._ring = Ring(queue, Stats(), Unbounded(queue.depth))
        self._by_ring = ByRing(self._ring)
        return self._by_ring

    def kick(self) -> None:
        """Wake threads in C."""
        if self._ring is not None:
            self._ring.kick()

    async def aclose(self) -> None:
        """Wait for their reads, then end them."""
        if self._ring is not None:
            await self._ring.aclose()
