"""Engine "threads": every call goes to a worker thread, as Samba's aio_pthread does it.

A worker makes one system call per job and runs no logic: one busy pure-Python thread raises an
inline read of 2.7 us to a mean of 500 us (measured), since both need the GIL.
"""

import os
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar, TypeVarTuple

from aio.base import Begun, Data, Done, Stats
from aio.completion import read_awaited
from aio.dontcache import DontCache, Uncached
from aio.pool import WorkerPool
from aio.transfers import ByThreads, Transfers

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
        self._by = by = ByThreads(self._pool, self._stats)
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
        """Preadv in a worker, at once."""
        return self._transfers.begin_read(fd, into, offset, self._stats.reading(done))

    def kick(self) -> None:
        """A worker has begun with it."""

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
        await self._pool.aclose()

    def statistics(self) -> Stats:
        """A copy of the counters."""
        return self._stats + Stats()
