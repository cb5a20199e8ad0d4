"""How much io_submit does before it returns: buffered and with O_DIRECT, cached and not."""

import os
import select
from collections.abc import Callable, Sequence
from contextlib import closing
from mmap import mmap
from pathlib import Path

from aio.compare.experiments.ground import WARM, Calls, Found, Ground, Timed, timed, while_time
from aio.compare.experiments.reads import SIZE, opened
from aio.compare.study import CannotRun
from aio.compare.workloads import Load
from aio.direct import try_direct
from aio.kernel import Address, address_of
from aio.libaio import LibaioQueue
from aio.opening import unavailable
from aio.ring import READ, Queue, Request

_BATCH = 16  # requests of one io_submit

# Reads a batch by a descriptor: the call as it was timed, and how many were done at its return.
_Way = Callable[[int, Sequence[int]], tuple[Timed[int], int]]


def io_submit(ground: Ground) -> Found:
    """Batches of 16 reads: how long io_submit takes, and how many are done when it returns.

    And how long it takes to read as many one after the other without it.
    """
    reason = unavailable("libaio")
    if reason:
        raise CannotRun(reason)
    found: Found = {}
    memory = address_of(mmap(-1, _BATCH * SIZE), writable=True)
    with closing(LibaioQueue(_BATCH)) as queue:  # it waits for the requests in flight
        submit = Submitter(queue, memory).submit
        ways: list[tuple[str, _Way, int]] = [("pread", _read, 0), ("buffered", submit, 0)]
        try:
            must_take_direct(ground.files.cached)
            ways.append(("direct", submit, os.O_DIRECT))
        except OSError as error:
            found["direct_reason"] = f"no O_DIRECT here: {error.strerror}"
        for name, way, flags in ways:
            found |= _series(f"{name}_cached", ground, way, flags, cold=False)
            try:
                found |= _series(f"{name}_cold", ground, way, flags, cold=True)
            except CannotRun as error:
                found["cold_reason"] = str(error)
    return found


def _series(name: str, ground: Ground, way: _Way, flags: int, *, cold: bool) -> Found:
    """Batch after batch, for as long as there is time."""
    if cold:
        path, offsets = ground.files.evicted, ground.cold(SIZE)
    else:
        ground.files.prepare(WARM)
        path, offsets = ground.files.cached, ground.files.blocks(Load(size=SIZE))
    calls, done = Calls(), 0
    with opened(path, flags) as fd:
        for start in while_time(ground.seconds, range(0, len(offsets) - _BATCH + 1, _BATCH)):
            call, at_once = way(fd, offsets[start : start + _BATCH])
            calls.add(call)
            done += at_once
    return {**calls.found(name), f"{name}_done_at_return": done / (_BATCH * len(calls.seconds))}


def _read(fd: int, offsets: Sequence[int]) -> tuple[Timed[int], int]:
    into = bytearray(SIZE)

    def read_all() -> int:
        return sum(os.preadv(fd, (into,), offset) for offset in offsets)

    return timed(read_all), len(offsets)


class Submitter:
    """Reads through a queue of the kernel's."""

    def __init__(self, queue: Queue, memory: Address) -> None:
        self._queue = queue
        self._memory = memory

    def submit(self, fd: int, offsets: Sequence[int]) -> tuple[Timed[int], int]:
        """Submit reads of a page each, and wait for them.  OSError: one failed, or was refused."""
        for index, offset in enumerate(offsets):
            piece = self._memory._replace(value=self._memory.value + index * SIZE)
            self._queue.put(index, index, Request(READ, fd, piece, SIZE, offset))
        call = timed(self._queue.submit, len(offsets))
        if call.result != len(offsets):
            raise CannotRun(f"the kernel took {call.result or 0} of {len(offsets)} requests")
        at_once = self._completed(woken=False)
        left = len(offsets) - at_once
        while left:
            select.select([self._queue.eventfd], [], [])
            left -= self._completed(woken=True)
        return call, at_once

    def _completed(self, *, woken: bool) -> int:
        results = [result for _, result in self._queue.reap(woken=woken)]
        for result in results:
            if result < 0:
                raise OSError(-result, os.strerror(-result))
        return len(results)


def must_take_direct(path: Path) -> None:
    """OSError: this file cannot be read by O_DIRECT."""
    with opened(path) as fd:
        try_direct(fd)
