"""A task that waits for a short round stands in line, which costs as much among any number."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trio
import trio.lowlevel

from smbd import turns
from smbd.turns import Turn, Turns

from .rounds import Clock, counted

LOOKING = 8  # as many look each round


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(turns, "perf_counter", clock)
    return clock


@pytest.fixture
def shared():
    """What turns share; nobody waits for one at the end."""
    shared = Turns()
    yield shared
    assert (shared.waiting, shared.looking, len(shared.line)) == (0, 0, 0)


@asynccontextmanager
async def long_rounds(shared, clock, seconds, tasks=3):
    """Each of so many tasks holds the loop for so long, in every round."""

    async def hold_the_loop():
        turn = Turn(shared)
        while True:
            turn.begin()
            clock.now += seconds
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(tasks):
            nursery.start_soon(hold_the_loop)
        await trio.lowlevel.checkpoint()
        yield
        nursery.cancel_scope.cancel()


async def until_some_stand_in_line(shared):
    for _ in range(100):  # rounds
        if len(shared.line) > 2 * LOOKING:
            return
        await trio.lowlevel.checkpoint()
    raise AssertionError("hardly anybody stands in line")


async def test_among_three_hundred_a_turn_costs_as_many_steps_as_among_thirty(shared, clock):
    async def take_turns(turn):
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            await turn.await_round()
            clock.now += 0.001

    steps = {}
    for count in (30, 300):
        with counted() as counts:
            async with trio.open_nursery() as nursery:
                for _ in range(count):
                    nursery.start_soon(take_turns, Turn(shared).another())
        steps[count] = counts.steps / count / 5
    assert max(steps.values()) < 6


async def test_who_came_first_goes_on_first(shared, clock):
    """But for those that look in the same round, for trio goes round in any order."""
    order, line = [], []

    async def take_turn(turn):
        await turn.await_round()
        clock.now += 0.001
        order.append(trio.lowlevel.current_task())

    async with trio.open_nursery() as nursery:
        for _ in range(60):
            nursery.start_soon(take_turn, Turn(shared).another())
        await until_some_stand_in_line(shared)
        line += [each.task for each in shared.line]
    for place, task in enumerate(line):
        gone = set(order[: order.index(task)])
        assert sum(each not in gone for each in line[:place]) < LOOKING


async def test_nobody_stands_in_line_for_ever_though_all_rounds_are_long(shared, clock):
    """Rounds of 18 ms: after twenty, or 0.3 s, all have gone on."""
    done = []

    async def take_turn(turn):
        await turn.await_round()
        done.append(clock.now)

    async with long_rounds(shared, clock, 0.006):
        with counted() as counts:
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(take_turn, Turn(shared).another())
    assert len(done) == 50
    assert counts.rounds <= 24  # one to start, one to look, one to wake, one to end


async def test_where_rounds_are_very_long_nobody_waits_for_twenty(shared, clock):
    async with long_rounds(shared, clock, 0.05):
        with counted() as counts:
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(Turn(shared).another().await_round)
    assert counts.rounds <= 7


async def test_who_stands_in_line_is_not_cancelled_and_all_go_on_at_the_end(shared, clock):
    """A compound that has begun is carried out to its end."""
    ended = []

    async def take_turn(turn):
        await turn.give_way()
        clock.now += 0.001
        ended.append(True)

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(take_turn, Turn(shared).another())
        await until_some_stand_in_line(shared)
        nursery.cancel_scope.cancel()
    assert len(ended) == 50


async def test_those_in_line_can_not_go_on_and_so_are_no_others_that_come_first(shared, clock):
    """Of the ones that wait, those that look can: so few more are others, which come first."""
    shared.standby = SimpleNamespace(runnable=0, others_wait=False, loop=-1)

    async def take_turn(turn):
        await turn.give_way()
        clock.now += 0.001

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(take_turn, Turn(shared).another())
        await until_some_stand_in_line(shared)
        shared.standby.runnable = shared.waiting - len(shared.line)
        assert not shared.others_come_first
        shared.standby.runnable += 1
        assert shared.others_come_first
        shared.standby.runnable = 0


async def test_who_has_waited_for_long_is_not_taken_for_one_that_asks_much(shared, clock):
    """Else it would wait the next time as well, and be long for that again."""
    turn = Turn(shared)
    turn.begin()
    clock.now += 0.001
    turn.end()
    assert turn.long
    async with long_rounds(shared, clock, 0.001, tasks=1):
        turn.begin()
        await turn.come_last()
        clock.now += 0.0001
        turn.end()
    assert not turn.long
