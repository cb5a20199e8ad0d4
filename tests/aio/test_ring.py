"""The queue in the loop: bursts, a queue that is full or refuses, and no request left behind."""

import errno
import gc
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

import aio
from aio.base import Stats
from aio.dontcache import DontCache
from aio.kernel import Address, address_of
from aio.libaio import LibaioQueue
from aio.queued import QueuedEngine
from aio.ring import FSYNC, READ, Request, Ring
from tests.aio.engines import QUEUED, Form

CONTENT = os.urandom(1 << 16)
NOTHING = Address(0, memoryview(b""))


class PaperQueue:
    """A queue that takes and completes what a test says."""

    name = "paper"

    def __init__(self, depth: int = 4) -> None:
        self.depth = depth
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK)
        self.refusals: list[int] = []  # errnos, one for each call that fails
        self.most = depth  # taken in one call
        self.at_once = False  # completes while it is submitted, as cached data does
        self.calls: list[int] = []  # requests of each call that did not fail
        self.tags: list[int] = []
        self.done: list[tuple[int, int]] = []
        self.open = True
        self._put: dict[int, int] = {}

    def put(self, index: int, tag: int, request: Request) -> None:  # noqa: ARG002
        self._put[index] = tag

    def submit(self, count: int) -> int:
        if self.refusals:
            number = self.refusals.pop(0)
            raise OSError(number, os.strerror(number))
        taken = min(count, self.most)
        self.calls.append(taken)
        self.tags += [self._put[index] for index in range(taken)]
        if self.at_once:
            self.complete(*self.tags)
        return taken

    def complete(self, *tags: int, result: int = 0) -> None:
        for tag in tags:
            self.tags.remove(tag)
            self.done.append((tag, result))
        os.eventfd_write(self.eventfd, 1)

    def reap(self, *, woken: bool) -> Iterable[tuple[int, int]]:
        assert self.open
        if woken:
            os.eventfd_read(self.eventfd)
        done, self.done = self.done, []
        return done

    def register(self, memory: Address, length: int) -> bool:  # noqa: ARG002
        return False

    def close(self) -> None:
        assert self.open
        self.open = False
        os.close(self.eventfd)


def request() -> Request:
    return Request(READ, 0, NOTHING, 10, 0)


@pytest.fixture
def paper() -> PaperQueue:
    return PaperQueue()


@pytest.fixture
async def ring(paper: PaperQueue) -> AsyncIterator[Ring]:
    made = Ring(paper, Stats())
    yield made
    await made.aclose()


async def test_a_burst_is_submitted_at_once(ring: Ring, paper: PaperQueue) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ring.perform, request())
        await trio.testing.wait_all_tasks_blocked()
        assert paper.calls == [3]
        paper.complete(*paper.tags)


async def test_a_burst_of_completions_wakes_the_loop_once(paper: PaperQueue) -> None:
    stats = Stats()
    ring = Ring(paper, stats)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ring.perform, request())
        await trio.testing.wait_all_tasks_blocked()
        paper.complete(*paper.tags)
    assert (stats.submits, stats.completions, stats.wakes) == (1, 3, 1)
    await ring.aclose()


async def test_what_completes_while_it_is_submitted_needs_no_wake_up(paper: PaperQueue) -> None:
    stats = Stats()
    ring = Ring(paper, stats)
    paper.at_once = True
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ring.perform, request())
    assert (stats.submits, stats.completions) == (1, 3)
    assert stats.wakes <= 1  # for the eventfd, which a real queue clears
    await ring.aclose()


async def test_more_than_the_queue_holds_wait_for_room(ring: Ring, paper: PaperQueue) -> None:
    results: list[int] = []

    async def one() -> None:
        results.append(await ring.perform(request()))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked()
        assert paper.calls == [4]
        paper.complete(*paper.tags[1:3], result=7)
        await trio.testing.wait_all_tasks_blocked()
        assert paper.calls == [4, 2]
        assert results == [7, 7]
        paper.at_once = True
        paper.complete(paper.tags[0])
    assert sum(paper.calls) == 10
    assert ring.pending == 0


async def test_what_was_not_taken_is_submitted_again(ring: Ring, paper: PaperQueue) -> None:
    paper.most = 2
    paper.at_once = True
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ring.perform, request())
    assert paper.calls == [2, 1]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EBUSY])
async def test_a_queue_that_is_busy_is_asked_again_after_a_completion(
    ring: Ring, paper: PaperQueue, number: int
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ring.perform, request())
        await trio.testing.wait_all_tasks_blocked()
        paper.refusals = [number]
        nursery.start_soon(ring.perform, request())
        await trio.testing.wait_all_tasks_blocked()
        assert paper.calls == [1]
        paper.at_once = True
        paper.complete(*paper.tags)
    assert paper.calls == [1, 1]


async def test_a_queue_that_is_busy_with_nothing_is_an_error(ring: Ring, paper: PaperQueue) -> None:
    paper.refusals = [errno.EAGAIN]
    with pytest.raises(BlockingIOError):
        await ring.perform(request())


async def test_a_refused_request_does_not_hold_up_the_others(ring: Ring, paper: PaperQueue) -> None:
    paper.refusals = [errno.EBADF]
    paper.at_once = True
    ends: list[object] = []

    async def one() -> None:
        try:
            ends.append(await ring.perform(request()))
        except OSError as error:
            ends.append(error.errno)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(one)
    assert sorted(map(str, ends)) == ["0", "0", "0", str(errno.EBADF)]
    assert paper.calls == [3]


async def test_an_interrupted_submission_is_made_again(ring: Ring, paper: PaperQueue) -> None:
    paper.refusals = [errno.EINTR, errno.EINTR]
    paper.at_once = True
    assert await ring.perform(request()) == 0


@pytest.mark.parametrize("number", [errno.EINTR, errno.ECANCELED])
async def test_an_interrupted_request_is_made_again(
    ring: Ring, paper: PaperQueue, number: int
) -> None:
    """io_uring cancels what it gets no thread for, because of a signal."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ring.perform, request())
        await trio.testing.wait_all_tasks_blocked()
        paper.complete(*paper.tags, result=-number)
        await trio.testing.wait_all_tasks_blocked()
        assert paper.calls == [1, 1]
        paper.complete(*paper.tags)


async def test_aclose_waits_for_what_is_in_flight_even_when_it_is_cancelled(
    paper: PaperQueue,
) -> None:
    ring = Ring(paper, Stats())
    scope = trio.CancelScope()

    async def close() -> None:
        with scope:
            await ring.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ring.perform, request())
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(close)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert paper.open
        paper.complete(*paper.tags)
    assert not paper.open
    await ring.aclose()


async def test_a_cancelled_task_sleeps_on_until_there_is_a_result(
    ring: Ring, paper: PaperQueue
) -> None:
    ended = trio.Event()
    scope = trio.CancelScope()

    async def one() -> None:
        with scope:
            await ring.perform(request())
            ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert not ended.is_set()
        paper.complete(*paper.tags)
    assert ended.is_set()


@pytest.mark.parametrize("offset", [-1, 1 << 63])
def test_an_offset_that_no_file_has_is_an_oserror(offset: int) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        Request(READ, 0, NOTHING, 10, offset)


@pytest.fixture(params=QUEUED, ids=str)
def queued(request: pytest.FixtureRequest) -> Form:
    form: Form = request.param
    return form


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    opened = os.open(path, os.O_RDWR)
    yield opened
    os.close(opened)


async def read(engine: aio.Engine, fd: int) -> bytes:
    into = memoryview(bytearray(4096))
    assert await engine.read(fd, into, 4096) == 4096
    return bytes(into)


def test_an_engine_serves_one_run_of_trio_after_another(queued: Form, fd: int) -> None:
    engine = queued.open()
    for _ in range(3):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        assert trio.run(read, engine, fd) == CONTENT[4096:8192]
    trio.run(engine.aclose)


async def test_a_ring_that_is_closed_while_it_is_woken_looks_at_nothing() -> None:
    """Which of the two tasks comes first in a tick is up to chance."""
    for _ in range(20):
        paper = PaperQueue()
        paper.at_once = True
        ring = Ring(paper, Stats())
        await ring.perform(request())
        await trio.lowlevel.checkpoint()  # the eventfd is readable
        await ring.aclose()


async def test_a_shallow_queue_serves_many(fd: int) -> None:
    for spec in ("libaio", "uring"):
        engine = Form(spec, {"depth": 3}).open()
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(read, engine, fd)
        stats = engine.statistics()
        assert stats.completions == stats.reads == 100
        assert stats.submits >= 34
        await engine.aclose()


async def test_what_waits_in_io_submit_is_counted(fd: int) -> None:
    """Claim 3: libaio on a buffered file reads it before io_submit returns."""
    engine = Form("libaio").open()
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    await read(engine, fd)
    stats = engine.statistics()
    assert (stats.submits, stats.completions, stats.wakes) == (1, 1, 0)
    assert 0 < stats.max_submit_seconds <= stats.submit_seconds <= stats.seconds
    await engine.aclose()


async def test_completions_are_taken_while_the_loop_stands_still() -> None:
    """With libaio itself: three requests, one system call each way."""
    queue = LibaioQueue(8)
    stats = Stats()
    ring = Ring(queue, stats)
    fds = [os.memfd_create("aio-tests") for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for fd in fds:
            nursery.start_soon(ring.perform, Request(FSYNC, fd, NOTHING, 0, 0))
    assert (stats.submits, stats.completions) == (1, 3)
    for fd in fds:
        os.close(fd)
    await ring.aclose()


def test_memory_that_may_not_be_written_is_not_read_into() -> None:
    with pytest.raises(BufferError):
        address_of(b"read only", writable=True)


def test_memory_stays_where_it_is_but_nobody_keeps_a_view_of_a_view() -> None:
    """Which Python before 3.12 would crash over when it collects a cycle."""
    memory = bytearray(10)
    view = memoryview(memory)[3:]
    address = address_of(view, writable=True)
    view.release()
    with pytest.raises(BufferError):
        memory.extend(b"more")
    address.view.release()
    memory.extend(b"more")


async def test_errors_in_cycles_are_collected(queued: Form) -> None:
    engine = queued.open()
    for _ in range(100):
        try:
            await engine.read(-1, memoryview(bytearray(10)), 0)
        except OSError as error:
            kept = error  # which has this frame, which has it
    assert kept.errno == errno.EBADF
    del kept
    gc.collect()
    await engine.aclose()


async def test_thirty_two_fsyncs_leave_half_of_the_queue_to_a_read(paper: PaperQueue) -> None:
    engine = QueuedEngine(paper, DontCache(0), direct=False, workers=0)
    async with trio.open_nursery() as nursery:
        for _ in range(32):
            nursery.start_soon(engine.fsync, 0)
        await trio.testing.wait_all_tasks_blocked()
        fsyncs = list(paper.tags)
        assert len(fsyncs) == paper.depth // 2
        nursery.start_soon(engine.read, 0, memoryview(bytearray(10)), 0)
        await trio.testing.wait_all_tasks_blocked()
        (read,) = set(paper.tags) - set(fsyncs)
        paper.complete(read)
        while paper.tags:
            paper.complete(*paper.tags)
            await trio.testing.wait_all_tasks_blocked()
    assert engine.statistics().fsyncs == 32
    await engine.aclose()


async def test_fsyncs_that_wait_are_made_before_the_engine_ends(paper: PaperQueue) -> None:
    engine = QueuedEngine(paper, DontCache(0), direct=False, workers=0)
    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(engine.fsync, 0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(engine.aclose)
        await trio.testing.wait_all_tasks_blocked()
        while paper.tags:
            paper.complete(*paper.tags)
            await trio.testing.wait_all_tasks_blocked()
    assert engine.statistics().fsyncs == 6
    assert not paper.open


async def test_an_fsync_that_was_not_submitted_is_cancelled_at_once(paper: PaperQueue) -> None:
    engine = QueuedEngine(paper, DontCache(0), direct=False, workers=0)
    async with trio.open_nursery() as nursery:
        for _ in range(paper.depth // 2):
            nursery.start_soon(engine.fsync, 0)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0) as scope:
            await engine.fsync(0)
        assert scope.cancelled_caught
        paper.complete(*paper.tags)
    await engine.aclose()
