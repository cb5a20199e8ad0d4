"""One load on an engine: its clients, and the latency of each of their requests."""

import errno
import os
from array import array
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import cycle
from time import perf_counter

import trio

from aio.base import Engine
from aio.compare.figures import Figures
from aio.compare.workloads import Load
from aio.completion import after_burst

# A reply's payload lies behind its headers, and so does a WRITE's: never on a page's boundary.
# So O_DIRECT must copy as much here as in the server.
_HEADERS = 80
# The server has the engine begin a READ so long without a task; other requests get a task.
_WITHOUT_TASK = 65536

_Try = Callable[[int, memoryview, int], int | None]
_Wait = Callable[[int, memoryview, int], Awaitable[int]]


class Lane:
    """A slot for each client, each with one request at a time: there, carried out, answered."""

    def __init__(
        self, engine: Engine, load: Load, path: os.PathLike[str], freed: trio.lowlevel.ParkingLot
    ) -> None:
        """Open the file; `freed` wakes a task that waits there when a client was answered."""
        reads = load.operation == "read"
        self.load = load
        self.free: list[int] = []  # slots with a client's next request
        self.used_up = False
        self.latencies = array("d")
        self.inline = 0
        self.seconds = 0.0
        self.flying = 0  # requests that no task waits for
        self._alone = reads and load.size <= _WITHOUT_TASK
        self._error: BaseException | None = None  # of one of them
        self._fd = os.open(path, os.O_RDONLY if reads else os.O_RDWR)
        self._buffers = [_buffer(load.size) for _ in range(load.depth)]
        self._ready = [0.0] * load.depth  # when each slot's request came
        self._freed = freed
        self._offsets: Iterator[int] = iter(())
        self._try: _Try = engine.try_read if reads else engine.try_write
        self._wait: _Wait = engine.read if reads else engine.write
        self._engine = engine
        engine.attach(self._fd)

    def close(self) -> None:
        """Close the file."""
        self._engine.detach(self._fd)
        os.close(self._fd)

    def go_through(self, offsets: list[int]) -> None:
        """Take these offsets next: of evicted data once, of other data for ever."""
        self._offsets = iter(offsets) if self.load.data == "evicted" else cycle(offsets)
        self.used_up = False

    def reset(self) -> None:
        """Set all counts to nothing."""
        self.latencies = array("d")
        self.inline = 0
        self.seconds = 0.0

    def figures(self) -> Figures:
        """The figures of its clients."""
        transferred = len(self.latencies) * self.load.size
        return Figures.of_load(self.seconds, transferred, self.latencies)

    def begin(self, now: float) -> None:
        """All clients come."""
        self.free = list(range(self.load.depth))
        self._ready = [now] * self.load.depth

    def end(self, began: float) -> None:
        """All clients have their answer."""
        self.seconds += max(self._ready) - began

    def burst(self, nursery: trio.Nursery) -> None:
        """Carry out all requests that are there: inline, begun, or as tasks."""
        self.check()
        slots, self.free = self.free, []
        flying = self.flying
        for slot in slots:
            offset = next(self._offsets, None)
            if offset is None:
                self.used_up = True
                break
            count = self._try(self._fd, self._buffers[slot], offset)
            if count is not None:
                self.inline += 1
                self._answered(slot, count)
            elif self._alone:
                self.flying += 1
                done = partial(self._done, slot)
                self._engine.begin_read(self._fd, self._buffers[slot], offset, done)
            else:
                nursery.start_soon(self._later, slot, offset)
        if self.flying != flying:
            self._engine.kick()

    def check(self) -> None:
        """OSError, if a request has failed that no task waited for."""
        if self._error is not None:
            raise self._error

    def _done(self, slot: int, count: int, error: BaseException | None) -> None:
        self.flying -= 1
        try:
            if error is not None:
                raise error
            self._answered(slot, count)
        except OSError as failed:
            self._error = failed
        after_burst(self._freed.unpark)

    async def _later(self, slot: int, offset: int) -> None:
        self._answered(slot, await self._wait(self._fd, self._buffers[slot], offset))
        self._freed.unpark()

    def _answered(self, slot: int, count: int) -> None:
        if count != self.load.size:
            raise OSError(errno.EIO, f"{count} bytes of {self.load.size}")
        now = perf_counter()
        self.latencies.append(now - self._ready[slot])
        self._ready[slot] = now
        self.free.append(slot)


def _buffer(size: int) -> memoryview:
    return memoryview(bytearray(_HEADERS + size))[_HEADERS:]
