"""Calls that others in C have made for the threads of `aio.readers`, told of in the loop.

Nothing of Python's is made for one of them: smbd's C makes a job of a READ that misses the page
cache, or of a FLUSH, and the answer of its result.  Python hears how many there are of each owner.
"""

from collections import deque
from time import perf_counter
from typing import Protocol

import trio

from aio.base import Stats
from aio.bells import bells_here
from aio.completion import TURN, tell
from aio.readers import Readers


class Owner(Protocol):
    """Whose jobs they are."""

    key: int  # the address of its `struct jobs`, which gets back those that have ended

    def tell(self) -> None:
        """In the loop: some have ended."""


# A thread writes to the memory of jobs in flight, whether or not anybody still knows the engine.
_busy: set["Jobs"] = set()


class Jobs:
    """Those of one engine."""

    def __init__(self, readers: Readers, stats: Stats) -> None:
        self.is_open = True
        self._readers = readers
        self._stats = stats
        self._pending = 0
        self._owners: dict[int, Owner] = {}  # those with jobs in flight, and how many ...
        self._counts: dict[int, int] = {}
        self._ended: deque[Owner] = deque()  # not told yet
        self._run: trio.lowlevel.TrioToken | None = None
        self._idle: trio.Event | None = None
        self._taken = trio.Event()  # the task that takes what has ended has ended itself
        self._taken.set()

    def begin(self, owner: Owner, first: int, count: int) -> None:
        """Threads have a list of jobs: the address of the first, and how many there are.

        The owner's memory, and theirs, is the threads' until the owner is told of each.
        """
        if not self._pending:
            self._begin()
        self._pending += count
        self._stats.switches += count
        key = owner.key
        self._owners[key] = owner
        self._counts[key] = self._counts.get(key, 0) + count
        self._readers.add(first)

    def ended(self, count: int, size: int, seconds: float, longest: float) -> None:
        """So many have read so many bytes, in so much time together, one of them in the longest."""
        self._stats.reads += count
        self._stats.bytes_read += size
        self._took(seconds, longest)

    def flushed(self, count: int, seconds: float, longest: float) -> None:
        """The same of fsyncs."""
        self._stats.fsyncs += count
        self._took(seconds, longest)

    def _took(self, seconds: float, longest: float) -> None:
        stats = self._stats
        stats.seconds += seconds
        stats.max_seconds = max(stats.max_seconds, longest)

    def _begin(self) -> None:
        _busy.add(self)
        run = trio.lowlevel.current_trio_token()
        if run is not self._run:  # the task of an earlier run of trio ended with it
            self._run = run
            self._taken = trio.Event()
            trio.lowlevel.spawn_system_task(self._take, name="aio jobs")

    async def _take(self) -> None:
        """Take what has ended as it comes, until `aclose` or the end of this run of trio."""
        eventfd = self._readers.jobs_eventfd
        try:
            with bells_here().told(eventfd, self._woken):
                while self.is_open or self._pending:
                    await trio.lowlevel.wait_readable(eventfd)
                    self._woken()
        except trio.ClosedResourceError:
            return
        finally:
            self._taken.set()

    def _woken(self) -> None:
        for key, count in self._readers.take():
            self._ended.append(self._owners[key])
            self._count(key, count)
        self._go_on()

    def _go_on(self) -> None:
        if not tell(self._ended, perf_counter() + TURN):
            assert self._run is not None
            self._run.run_sync_soon(self._go_on, idempotent=True)

    def _count(self, key: int, count: int) -> None:
        self._counts[key] -= count
        if not self._counts[key]:
            del self._counts[key], self._owners[key]
        self._pending -= count
        if not self._pending:
            _busy.discard(self)
            if self._idle is not None:
                self._idle.set()

    async def aclose(self) -> None:
        """Wait, cancelled or not, until nothing is in flight; the readers are closed after it."""
        with trio.CancelScope(shield=True):
            while self._pending:
                self._idle = trio.Event()
                await self._idle.wait()
            if self.is_open:
                self.is_open = False
                trio.lowlevel.notify_closing(self._readers.jobs_eventfd)
                await self._taken.wait()
