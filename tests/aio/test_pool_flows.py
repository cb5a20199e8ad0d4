"""The worker pool between many callers: flows, withdrawal, work that nobody waits for, its end."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

import aio.pool
from aio import WorkerPool, give_way
from aio.starting import settle


class Gates:
    """Calls that stay in their workers until the test lets them go, one by one."""

    def __init__(self) -> None:
        self._gates: dict[str, threading.Event] = {}
        self.began: list[str] = []
        self.ended: list[str] = []

    def call(self, name: str) -> Callable[[], str]:
        gate = self._gates[name] = threading.Event()

        def held() -> str:
            self.began.append(name)
            gate.wait()
            return name

        return held

    def open(self, *names: str) -> None:
        for name in names or self._gates:
            self._gates[name].set()

    @asynccontextmanager
    async def callers(self) -> AsyncIterator[trio.Nursery]:
        """A nursery for callers; at its end all gates open."""
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            finally:
                self.open()


@pytest.fixture
async def gates() -> AsyncIterator[Gates]:
    made = Gates()
    yield made
    made.open()


@pytest.fixture
async def pool(gates: Gates) -> AsyncIterator[WorkerPool]:
    made = WorkerPool(4, "test-flows", each=4)
    yield made
    gates.open()
    await made.aclose()


async def settled(condition: Callable[[], bool]) -> None:
    """Let threads run until they have brought something about."""
    while not condition():
        await trio.testing.wait_all_tasks_blocked()


async def test_a_call_that_has_not_begun_never_begins_once_its_caller_is_cancelled(
    pool: WorkerPool, gates: Gates
) -> None:
    async with gates.callers() as nursery:
        for name in ("a", "b", "c"):
            nursery.start_soon(pool.run_for, 1, gates.call(name))
        scope = trio.CancelScope()

        async def caller() -> None:
            with scope:
                await pool.run_for(1, gates.call("late"))

        await settled(lambda: len(gates.began) == 3)
        nursery.start_soon(caller)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert scope.cancelled_caught, "it waited for a worker that somebody else holds"
    assert "late" not in gates.began
    assert pool.pending == 0


async def test_so_does_an_engines_call(gates: Gates) -> None:
    pool = WorkerPool(1)
    async with gates.callers() as nursery:
        nursery.start_soon(pool.run, gates.call("first"))
        await settled(lambda: gates.began == ["first"])
        with trio.move_on_after(0) as scope:
            await pool.run(gates.call("late"))
        assert scope.cancelled_caught
    await pool.aclose()
    assert gates.began == ["first"]


async def test_what_has_begun_gives_its_result_to_a_cancelled_caller(
    pool: WorkerPool, gates: Gates
) -> None:
    results = []

    async def caller() -> None:
        with scope:
            results.append(await pool.run_for(1, gates.call("rename")))

    scope = trio.CancelScope()
    async with gates.callers() as nursery:
        nursery.start_soon(caller)
        await settled(lambda: gates.began == ["rename"])
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert not results
    assert results == ["rename"], "it was done, and CANCELLED would be a lie"


async def test_a_caller_cancelled_before_gets_no_worker(pool: WorkerPool, gates: Gates) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await pool.run_for(1, gates.call("never"))
    assert scope.cancelled_caught
    assert not gates.began


async def test_long_work_ends_when_nobody_waits_for_it_any_more(pool: WorkerPool) -> None:
    began = threading.Event()

    def lists_for_ever() -> None:
        while True:
            began.set()
            give_way()

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.run_long, 1, lists_for_ever)
            await settled(began.is_set)
            scope.cancel()
    assert scope.cancelled_caught
    assert pool.pending == 0


async def test_giving_way_outside_of_a_worker_ends_nothing(pool: WorkerPool) -> None:
    give_way()
    await pool.run(give_way)  # of an engine: its transfers do not end half-way
    await pool.run_for(1, give_way)


async def test_thirty_two_flushes_leave_half_of_the_workers(gates: Gates) -> None:
    pool = WorkerPool(4)
    async with gates.callers() as nursery:
        for number in range(32):
            nursery.start_soon(pool.run_long, number, gates.call(f"flush {number}"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(pool.transfer, 5, gates.call("miss"))
        nursery.start_soon(pool.transfer, 6, gates.call("other miss"))
        await settled(lambda: len(gates.began) == 4)
        assert set(gates.began[2:]) == {"miss", "other miss"}
    assert len(gates.began) == 34
    await pool.aclose()


async def test_a_client_with_many_calls_delays_another_by_one_of_them(gates: Gates) -> None:
    pool = WorkerPool(1)
    async with gates.callers() as nursery:
        for number in range(50):
            nursery.start_soon(pool.run_for, "greedy", gates.call(f"{number}"))
        await settled(lambda: len(gates.began) == 1)
        nursery.start_soon(pool.run_for, "modest", gates.call("mine"))
        await trio.testing.wait_all_tasks_blocked()
        gates.open(gates.began[0])
        await settled(lambda: len(gates.began) == 2)
        gates.open(gates.began[1])
        await settled(lambda: len(gates.began) == 3)
        assert "mine" in gates.began
    await pool.aclose()


async def test_one_client_never_has_all_workers(pool: WorkerPool, gates: Gates) -> None:
    async with gates.callers() as nursery:
        for number in range(50):
            nursery.start_soon(pool.run_for, "greedy", gates.call(f"{number}"))
        await settled(lambda: len(gates.began) == 3)
        nursery.start_soon(pool.run_for, "modest", gates.call("mine"))
        await settled(lambda: gates.began[3:] == ["mine"])


async def test_idle_threads_end_but_one(gates: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio.pool, "_IDLE_SECONDS", 0.001)
    pool = WorkerPool(4)
    async with gates.callers() as nursery:
        for number in range(4):
            nursery.start_soon(pool.run, gates.call(f"{number}"))
        await settled(lambda: len(gates.began) == 4)
    await settled(lambda: pool.threads == 1)
    assert await pool.run(int) == 0
    pool.release()
    await settled(lambda: pool.threads == 0)
    assert await pool.run(int) == 0, "whoever still uses it gets a thread"
    await pool.aclose()


async def test_a_reserved_thread_is_there_when_no_other_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = WorkerPool(4)
    pool.reserve()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    results = []

    async def caller(number: int) -> None:
        results.append(await pool.run_long(number, int, number))

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(caller, number)
    assert sorted(results) == list(range(10))
    await pool.aclose()


async def test_when_threads_can_be_started_again_they_are(
    gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    pool = WorkerPool(3)
    pool.reserve()
    async with gates.callers() as nursery:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        for name in ("a", "b", "c"):
            nursery.start_soon(pool.run, gates.call(name))
        await settled(lambda: len(gates.began) == 1)
        settle()
        monkeypatch.setattr(threading.Thread, "start", start)
        gates.open(gates.began[0])
        await settled(lambda: len(gates.began) == 2)
        nursery.start_soon(pool.run, gates.call("d"))
        nursery.start_soon(pool.run, gates.call("e"))
        await settled(lambda: len(gates.began) == 4)
        assert pool.threads == 3
    await pool.aclose()


def refuse(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


async def test_a_question_that_gets_no_answer_in_time_is_left_behind(
    gates: Gates, mock_clock: trio.testing.MockClock
) -> None:
    pool = WorkerPool(2)
    assert await pool.ask(5, int) == 0

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await pool.ask(5, gates.call("dead disk"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await settled(lambda: bool(gates.began))
        mock_clock.jump(5)
    assert pool.pending == 0
    assert await pool.ask(5, int, 1) == 1
    gates.open()
    assert await pool.ask(5, int, 2) == 2
    await pool.aclose()


async def test_aclose_leaves_behind_what_hangs(
    gates: Gates, autojump_clock: trio.testing.MockClock
) -> None:
    pool = WorkerPool(2)
    async with gates.callers() as nursery:
        nursery.start_soon(pool.run_for, 1, gates.call("dead disk"))
        await settled(lambda: bool(gates.began))
        assert await pool.aclose(patience=2) == 1
        assert trio.current_time() >= 2
    await settled(lambda: pool.threads == 0)
