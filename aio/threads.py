"""Engine "threads": every call goes to a worker thread, as Samba's aio_pthread does it.

A worker makes one system call per job and runs no logic: one busy pure-Python thread raises an
inline read of 2.7 us to a mean of 500 us (measured), since both need the GIL.  Reads and fsyncs go
to threads in C once they are at hand (aio.readers).
"""

import os
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar, TypeVarTuple

from aio._readers import READERS
from aio.base import Begun, Data, Done, Stats
from aio.completion import fsync_awaited, read_awaited
from aio.dontcache import DontCache, Uncached
from aio.flushes import Flushes
from aio.jobs import Jobs
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
        self._flushes = _Flushes(self._pool, self._stats, max(1, workers // 2))
        self._transfers: Transfers = Uncached(by, dontcache) if dontcache.wanted else by
        self._takes_jobs = not dontcache.wanted

    @property
    def jobs(self) -> Jobs | None:
        """By which C gives reads to these threads, once there are threads in C."""
        return self._by.in_c.jobs if self._takes_jobs else None

    @property
    def flush_jobs(self) -> Jobs | None:
        """The same of fsyncs, once there has been one."""
        return self._flushes.in_c.jobs

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
        self._by.in_c.kick()
        self._flushes.in_c.kick()

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """Pwrite in a worker."""
        count = await self._timed(self._transfers.write, fd, data, offset)
        self._stats.writes += 1
        self._stats.bytes_written += count
        return count

    async def fsync(self, fd: int) -> None:
        """Fsync in a worker."""
        await fsync_awaited(self, fd)

    def begin_fsync(self, fd: int, done: Done) -> Begun:
        """Fsync in a worker."""
        self._pool.check_open()
        self._stats.switches += 1
        return self._flushes.begin(fd, self._stats.flushing(done))

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
            await self._by.in_c.aclose()
            await self._flushes.in_c.aclose()

    def statistics(self) -> Stats:
        """A copy of the counters."""
        return self._stats + Stats()


class _ThreadsInC:
    """Threads in C, from when they are at hand."""

    def __init__(self, most: int, stats: Stats) -> None:
        self._most, self._stats = most, stats
        self._ring: Ring | None = None
        self._may_come = True  # they may be at hand some time
        self.jobs: Jobs | None = None  # once there are some

    def ring(self) -> Ring | None:
        """By which they are given work; None if they are not at hand."""
        if self._ring is None and self._may_come:
            self._start()
        return self._ring

    def _start(self) -> None:
        module = READERS.at_hand()
        self._may_come = module is None
        if module is None:
            return
        try:
            queue = Readers(module, self._most)
        except OSError:  # no thread: Python's pool has one
            return
        # Its submissions are no system calls of a kernel's queue.
        self._ring = Ring(queue, Stats(), Unbounded(queue.depth))
        self.jobs = Jobs(queue, self._stats)

    def kick(self) -> None:
        """Wake them."""
        if self._ring is not None:
            self._ring.kick()

    async def aclose(self) -> None:
        """Wait for what is in flight, then end them."""
        if self.jobs is not None:
            await self.jobs.aclose()
        if self._ring is not None:
            await self._ring.aclose()


class _Flushes:
    """Fsyncs, in threads of their own in C, where these are at hand: so that reads find theirs."""

    def __init__(self, pool: WorkerPool, stats: Stats, most: int) -> None:
        self._pool = pool
        self._most = most
        self._in_ring: Flushes | None = None
        self.in_c = _ThreadsInC(most, stats)

    def begin(self, fd: int, done: Done) -> Begun:
        """As `Engine.begin_fsync`."""
        if self._in_ring is None:
            ring = self.in_c.ring()
            if ring is None:
                return self._pool.begin_long(done, fd, _fsync, fd)
            self._in_ring = Flushes(ring, self._most)
        return self._in_ring.begin(fd, done)


def _fsync(fd: int) -> int:
    os.fsync(fd)
    return 0


class _ByThreads(ByThreads):
    """The same, but for reads, where threads in C are at hand."""

    def __init__(self, pool: WorkerPool, stats: Stats, workers: int) -> None:
        super().__init__(pool, stats)
        self._by_ring: ByRing | None = None
        self.in_c = _ThreadsInC(workers, stats)
        self._find()

    def begin_read(
        self, fd: int, into: memoryview, offset: int, done: Done, flags: int = 0
    ) -> Begun:
        """As `Transfers.begin_read`."""
        by = self._by_ring or self._find()
        if by is None:
            return super().begin_read(fd, into, offset, done, flags)
        self._stats.switches += 1
        return by.begin_read(fd, into, offset, done, flags)

    def _find(self) -> ByRing | None:
        ring = self.in_c.ring()
        if ring is not None:
            self._by_ring = ByRing(ring)
        return self._by_ring
