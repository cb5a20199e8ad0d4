"""The common part of the engines "libaio" and "uring": requests go to a queue of the kernel's, and
completions come back.  Each engine brings its own queue (aio.libaio, aio.uring).
"""

import os
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar, TypeVarTuple

import trio

from aio.base import Begun, Data, Done, Stats
from aio.completion import fsync_awaited, read_awaited
from aio.direct import Direct
from aio.dontcache import DontCache, Uncached
from aio.flushes import Flushes
from aio.pool import WorkerPool
from aio.ring import Queue, Ring
from aio.transfers import ByRing, ByThreads, Transfers

R = TypeVar("R")
Args = TypeVarTuple("Args")

# io_uring gives each fsync to a thread of its own pool, which has four for each processor; half of
# them are left for reads that may need one (on file systems that cannot wait otherwise).
_FSYNCS_A_PROCESSOR = 2


class QueuedEngine:
    """A ring; with `direct`, O_DIRECT where it can be.

    `workers`: threads for requests that O_DIRECT cannot do, where the queue is asynchronous by
    O_DIRECT alone; 0: the queue does these too.
    """

    def __init__(self, queue: Queue, dontcache: DontCache, *, direct: bool, workers: int) -> None:
        self.name = queue.name
        self.notes: tuple[str, ...] = ()
        self._stats = Stats()
        self._ring = Ring(queue, self._stats)
        self._pool = WorkerPool(workers, f"aio-{queue.name}") if direct and workers else None
        self._transfers: Transfers = ByRing(self._ring)
        self._direct: Direct | None = None
        if dontcache.wanted and not direct:
            self._transfers = Uncached(ByRing(self._ring), dontcache)
        elif direct:
            other = ByThreads(self._pool, self._stats) if self._pool else self._transfers
            self._transfers = self._direct = Direct(self._ring, self._stats, other)
        processors = os.cpu_count() or 1
        half = max(1, min(queue.depth // 2, processors * _FSYNCS_A_PROCESSOR))
        self._flushes = Flushes(self._ring, half)  # the queue must never be full of them
        self._closed = False
        self.write_seconds = 0.0

    def attach(self, fd: int) -> None:
        """With `direct`, it will be opened a second time."""
        if self._direct is not None:
            self._direct.attach(fd)

    def detach(self, fd: int) -> None:
        """Close the second descriptor."""
        if self._direct is not None:
            self._direct.detach(fd)

    def try_read(self, fd: int, into: memoryview, offset: int) -> None:  # noqa: ARG002
        """None: only a submission tells whether a request would wait."""
        return

    def try_write(self, fd: int, data: Data, offset: int) -> None:  # noqa: ARG002
        """None: only a submission tells whether a request would wait."""
        return

    async def read(self, fd: int, into: memoryview, offset: int) -> int:
        """Through the queue."""
        return await read_awaited(self, fd, into, offset)

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """Through the queue, with those that are begun before `kick`."""
        self._check_open()
        return self._transfers.begin_read(fd, into, offset, self._stats.reading(done))

    def kick(self) -> None:
        """Submit them."""
        self._ring.kick()

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """Through the queue."""
        started = perf_counter()
        count = await self._whole(self._transfers.write, fd, data, offset)
        self.write_seconds = perf_counter() - started
        self._stats.writes += 1
        self._stats.bytes_written += count
        return count

    async def fsync(self, fd: int) -> None:
        """Through the queue: of all descriptors of the file, and of the page cache."""
        await fsync_awaited(self, fd)

    def begin_fsync(self, fd: int, done: Done) -> Begun:
        """The same."""
        self._check_open()
        return self._flushes.begin(fd, self._stats.flushing(done))

    async def _whole(self, function: Callable[[*Args], Awaitable[R]], *args: *Args) -> R:
        self._check_open()
        started = perf_counter()
        try:
            return await function(*args)
        finally:
            self._stats.took(perf_counter() - started)
            await trio.lowlevel.checkpoint_if_cancelled()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this engine is closed")

    async def aclose(self) -> None:
        """Wait for the requests in flight, then give the queue and all descriptors back."""
        self._closed = True
        try:
            if self._pool is not None:
                await self._pool.aclose()
        finally:
            await self._ring.aclose()
            if self._direct is not None:
                self._direct.close()
            await trio.lowlevel.checkpoint()

    def statistics(self) -> Stats:
        """A copy of the counters."""
        return self._stats + Stats()
