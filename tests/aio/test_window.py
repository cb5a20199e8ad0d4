"""How many requests are given to the kernel at once: what the device takes without waiting."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

import aio
import aio.ring
from aio.base import Stats
from aio.kernel import address_of
from aio.ring import FSYNC, READ, WRITE, Request, Ring
from aio.window import Window
from tests.aio.test_ring import NOTHING, PaperQueue, request

BUSY = -errno.ECANCELED


class SlowQueue(PaperQueue):
    """Each submission takes as long as a test says, by a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(depth=64)
        self.now = 100.0
        self.takes = 0.0
        self.aside: list[bool] = []
        monkeypatch.setattr(aio.ring, "perf_counter", lambda: self.now)

    def put(self, index: int, tag: int, request: Request) -> None:
        super().put(index, tag, request)
        self.aside.append(request.aside)

    def submit(self, count: int) -> int:
        self.now += self.takes
        return super().submit(count)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> SlowQueue:
    return SlowQueue(monkeypatch)


@pytest.fixture
async def ring(queue: SlowQueue) -> AsyncIterator[Ring]:
    made = Ring(queue, Stats())
    yield made
    await made.aclose()


async def rounds(ring: Ring, queue: SlowQueue, count: int) -> list[int]:
    """How many requests were in flight in each round, of as many as there can be."""
    flying = []
    async with trio.open_nursery() as nursery:
        for _ in range(64 * count):
            nursery.start_soon(ring.perform, request())
        for _ in range(count):
            await trio.testing.wait_all_tasks_blocked()
            flying.append(len(queue.tags))
            queue.complete(*queue.tags)
        while ring.pending:
            await trio.testing.wait_all_tasks_blocked()
            queue.complete(*queue.tags)
    return flying


async def test_more_and_more_are_in_flight_while_nothing_waits(
    ring: Ring, queue: SlowQueue
) -> None:
    assert await rounds(ring, queue, 6) == [4, 8, 16, 32, 64, 64]
    assert max(queue.calls) == 16


async def test_a_submission_that_waited_leaves_the_rest_in_user_space(
    ring: Ring, queue: SlowQueue
) -> None:
    await rounds(ring, queue, 5)
    queue.takes = 0.0015
    shrinking = await rounds(ring, queue, 5)
    assert shrinking == sorted(shrinking, reverse=True)
    assert shrinking[-1] <= 4
    queue.takes = 0.0
    growing = await rounds(ring, queue, 4)
    assert growing == list(range(growing[0], growing[0] + 4))


async def test_after_a_submission_that_waited_threads_of_the_kernel_submit(
    ring: Ring, queue: SlowQueue
) -> None:
    queue.takes = 0.005
    await rounds(ring, queue, 1)
    assert not queue.aside[0]
    assert queue.aside[-1]
    queue.takes = 0.0
    queue.now += 1
    queue.aside.clear()
    await rounds(ring, queue, 1)
    assert not any(queue.aside)


async def test_others_have_their_turn_while_much_is_submitted(ring: Ring, queue: SlowQueue) -> None:
    queue.takes = 0.0009  # each copies what is cached, and waits for nothing
    queue.at_once = True
    turns = 0

    async def other() -> None:
        nonlocal turns
        while len(queue.calls) < 8:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(ring.perform, Request(READ, 0, NOTHING, 1 << 20, 0))
        nursery.start_soon(other)
    assert queue.calls == [1] * 8
    assert turns >= 2


def test_a_long_copy_is_no_wait() -> None:
    window = Window(64)
    window.submitted(0.0014, 1 << 20, 1.0)
    assert (window.size, window.aside_until) == (4, 0.0)
    window.submitted(0.0014, 4096, 1.0)
    assert window.size == 2
    assert window.aside_until == pytest.approx(1.14)


@pytest.mark.parametrize("threads", [True, False])
async def test_what_the_kernel_has_no_thread_for_is_done_all_the_same(
    queue: SlowQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, threads: bool
) -> None:
    """A limit of processes: io_uring cancels each request, for ever."""
    ring = Ring(queue, Stats())
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    into = bytearray(6)

    async def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    async def cancel_all() -> None:
        while True:
            await trio.testing.wait_all_tasks_blocked()
            queue.complete(*queue.tags, result=BUSY)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancel_all)
        if not threads:
            monkeypatch.setattr(trio.to_thread, "run_sync", refuse)
        data = address_of(b"stored")
        assert await ring.perform(Request(WRITE, fd, data, 6, 3)) == 6
        assert await ring.perform(Request(FSYNC, fd, NOTHING, 0, 0)) == 0
        target = address_of(into, writable=True)
        assert await ring.perform(Request(READ, fd, target, 6, 3)) == 6
        assert len(queue.calls) == 4  # once it is known, the queue is not asked
        queue.now += 11
        assert await ring.perform(Request(READ, fd, target, 6, 3)) == 6
        assert len(queue.calls) == 8
        with pytest.raises(OSError, match="Bad file descriptor"):
            await ring.perform(Request(READ, -1, target, 6, 3))
        nursery.cancel_scope.cancel()
    assert into == b"stored"
    os.close(fd)
    monkeypatch.undo()
    await ring.aclose()
