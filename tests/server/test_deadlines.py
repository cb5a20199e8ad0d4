"""One task does what is due when it is due, however that changes while it sleeps."""

import logging
from contextlib import asynccontextmanager

import trio
from trio.testing import wait_all_tasks_blocked

from smbd.server.tending import meet
from smbd.state import Deadlines


@asynccontextmanager
async def met():
    """Deadlines that a task looks after, and the seconds at which they acted."""
    deadlines, times = Deadlines(), []
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meet, deadlines)
        await wait_all_tasks_blocked()
        yield (
            lambda after, act=lambda: None: deadlines.at(
                began + after, lambda: (times.append(trio.current_time() - began), act())
            ),
            times,
        )
        nursery.cancel_scope.cancel()


async def test_each_acts_when_it_is_due(autojump_clock):
    async with met() as (after, times):
        after(35.0)
        after(60.0)
        await trio.sleep(100)
    assert times == [35.0, 60.0]


async def test_one_that_is_due_before_the_first_is_not_late(autojump_clock):
    async with met() as (after, times):
        after(35.0)
        await trio.sleep(1)
        after(2.0)
        await trio.sleep(1.5)
        assert times == [2.0]


async def test_one_that_an_act_adds_comes_in_its_turn(autojump_clock):
    async with met() as (after, times):
        after(1.0, lambda: after(3.0, lambda: after(2.0)))
        await trio.sleep(10)
    assert times == [1.0, 3.0, 3.0]


async def test_the_first_one_is_cancelled_while_the_task_sleeps(autojump_clock):
    async with met() as (after, times):
        first = after(1.0)
        after(2.0)
        await wait_all_tasks_blocked()
        first.cancel()
        await trio.sleep(10)
    assert times == [2.0]


async def test_one_that_fails_is_logged_and_costs_no_other_its_time(autojump_clock, caplog):
    caplog.set_level(logging.ERROR)
    async with met() as (after, times):
        after(1.0, lambda: 1 // 0)
        after(1.0)
        after(1.5)
        await trio.sleep(10)
    assert times == [1.0, 1.0, 1.5]
    (record,) = caplog.records
    assert record.message == "a deadline failed"
