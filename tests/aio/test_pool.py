"""The worker pool: its own threads, one wake-up per burst, and no call left behind."""

import errno
import gc
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from aio import WorkerPool
from aio.starting import settle


class Gate:
    """A function that its worker stays in until the test lets it go."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self._passed: deque[None] = deque()  # appending is atomic, counting is not

    def __call__(self, *result: object) -> tuple[object, ...]:
        self.open.wait()
        self._passed.append(None)
        return result

    @property
    def passed(self) -> int:
        return len(self._passed)


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool(4, "test-pool")
    yield made
    await made.aclose()


def threads_of(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


async def test_a_call_runs_in_another_thread_and_gives_its_result(pool: WorkerPool) -> None:
    assert await pool.run(divmod, 17, 5) == (3, 2)
    assert await pool.run(threading.get_ident) != threading.get_ident()


async def test_an_exception_comes_back_with_its_traceback(pool: WorkerPool) -> None:
    def fails_in_the_worker() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here") as caught:
        await pool.run(fails_in_the_worker)
    assert caught.traceback[-1].name == "fails_in_the_worker"


async def test_threads_start_when_they_are_needed_and_not_before(pool: WorkerPool) -> None:
    assert threads_of("test-pool") == []
    for _ in range(20):
        await pool.run(int)
    assert len(threads_of("test-pool")) == 1
    gate = Gate()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(pool.run, gate)
        await trio.testing.wait_all_tasks_blocked()
        assert pool.pending == 10
        settle()
        assert len(threads_of("test-pool")) == 4
        gate.open.set()
    assert gate.passed == 10
    assert pool.pending == 0
    assert pool.threads == 4


async def test_threads_are_daemons_and_gone_after_aclose() -> None:
    pool = WorkerPool(2, "test-gone")
    await pool.run(int)
    assert all(thread.daemon for thread in threads_of("test-gone"))
    await pool.aclose()
    assert threads_of("test-gone") == []
    with pytest.raises(trio.ClosedResourceError):
        await pool.run(int)


async def test_a_cancelled_caller_waits_until_its_function_has_returned(pool: WorkerPool) -> None:
    gate = Gate()
    ended = trio.Event()

    async def caller() -> None:
        with scope:
            await pool.run(gate)
        ended.set()

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(caller)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert not ended.is_set()
        gate.open.set()
    assert ended.is_set()
    assert gate.passed == 1
    assert scope.cancelled_caught


async def test_a_cancelled_caller_is_cancelled_even_if_its_function_failed(
    pool: WorkerPool,
) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await pool.run(divmod, 1, 0)
    assert scope.cancelled_caught


async def test_aclose_waits_for_calls_in_flight_even_when_it_is_cancelled() -> None:
    pool = WorkerPool(2)
    gate = Gate()
    closed = trio.Event()

    async def close() -> None:
        with scope:
            await pool.aclose()
        closed.set()

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(pool.run, gate)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(close)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert not closed.is_set()
        with pytest.raises(trio.ClosedResourceError):
            await pool.run(int)
        gate.open.set()
    assert closed.is_set()
    assert gate.passed == 5


async def test_a_burst_of_completions_wakes_the_loop_once(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pool.run(int)  # the token is taken, and a thread is there
    wakes = 0
    wake = trio.lowlevel.TrioToken.run_sync_soon

    def counted(token: trio.lowlevel.TrioToken, *args: object, **options: object) -> None:
        nonlocal wakes
        wakes += 1
        wake(token, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(trio.lowlevel.TrioToken, "run_sync_soon", counted)
    gate = Gate()
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(pool.run, gate)
        await trio.testing.wait_all_tasks_blocked()
        gate.open.set()
        while gate.passed < 50:  # the loop stands still, so that they make one burst
            pass
    # The first wakes the loop; each thread's last may come after the loop has begun to take them.
    assert wakes <= 1 + 4


async def test_an_idle_thread_keeps_nothing_of_its_last_call(pool: WorkerPool) -> None:
    class Buffer(bytearray):
        pass

    buffer = Buffer(10)
    alive = weakref.ref(buffer)
    assert await pool.run(len, buffer) == 10
    await pool.run(int)  # the thread has let go of the call before this one
    del buffer
    gc.collect()
    assert alive() is None


async def test_without_more_threads_those_that_there_are_must_do(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="can't start") as caught:
        await pool.run(int)
    assert caught.value.errno == errno.ENOMEM
    monkeypatch.setattr(threading.Thread, "start", start)
    assert await pool.run(int) == 0
    monkeypatch.setattr(threading.Thread, "start", refuse)
    gate = Gate()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(pool.run, gate)
        await trio.testing.wait_all_tasks_blocked()
        gate.open.set()
    assert gate.passed == 3


def test_a_pool_serves_one_run_of_trio_after_another() -> None:
    pool = WorkerPool(2)
    for number in range(3):
        assert trio.run(pool.run, divmod, number, 1) == (number, 0)
    trio.run(pool.aclose)
