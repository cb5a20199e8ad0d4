"""The iterations of a loop, on a clock that only the test moves."""

import pytest
import trio

from aio.compare import stalls
from aio.compare.stalls import LoopIterations


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stalls, "perf_counter", made)
    return made


def iteration(
    iterations: LoopIterations, clock: Clock, seconds: float, waited: float = 0.0
) -> None:
    """Go on by a wait and the iteration after it."""
    clock.now += waited
    iterations.after_io_wait(0.0)
    clock.now += seconds
    iterations.before_io_wait(0.0)


def test_each_part_of_a_run_has_its_longest_turn(clock: Clock) -> None:
    iterations = LoopIterations(4.0, 4)
    iterations.resume()
    iteration(iterations, clock, 0.25, waited=0.25)
    iteration(iterations, clock, 0.125)
    iteration(iterations, clock, 0.5, waited=0.5)  # until 1.625
    iteration(iterations, clock, 0.25, waited=1.25)  # until 3.125
    assert iterations.slots == (0.25, 0.5, 0.25, 0.25)


def test_waiting_is_no_turn(clock: Clock) -> None:
    iterations = LoopIterations(4.0, 4)
    iterations.resume()
    iteration(iterations, clock, 0.25, waited=2.0)
    assert iterations.slots == (0.0, 0.0, 0.25, 0.0)


def test_a_turn_counts_in_every_part_that_it_reaches_into(clock: Clock) -> None:
    iterations = LoopIterations(4.0, 4)
    iterations.resume()
    iteration(iterations, clock, 2.0, waited=0.5)
    assert iterations.slots == (2.0, 2.0, 2.0, 0.0)


def test_what_a_run_takes_longer_belongs_to_its_last_part(clock: Clock) -> None:
    iterations = LoopIterations(2.0, 2)
    iterations.resume()
    iteration(iterations, clock, 0.25, waited=5.0)
    iteration(iterations, clock, 0.5, waited=5.0)
    iterations.pause()
    assert iterations.slots == (0.0, 0.5)


def test_a_pause_is_not_of_the_run(clock: Clock) -> None:
    iterations = LoopIterations(4.0, 4)
    iteration(iterations, clock, 0.75)
    iterations.resume()
    clock.now += 0.5
    iterations.pause()
    iteration(iterations, clock, 7.0, waited=3.0)
    clock.now += 2.0
    iterations.resume()
    clock.now += 0.25  # at 0.75 of the run
    iterations.before_io_wait(0.0)
    iteration(iterations, clock, 0.125, waited=1.0)
    iterations.pause()
    assert iterations.slots == (0.5, 0.125, 0.0, 0.0)


def test_a_loop_that_stands_still_in_a_task_has_a_long_turn(clock: Clock) -> None:
    iterations = LoopIterations(4.0, 4)

    async def main() -> None:
        iterations.resume()
        await trio.lowlevel.checkpoint()
        clock.now += 1.5
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        iterations.pause()

    trio.run(main, instruments=[iterations])
    assert iterations.slots == (1.5, 1.5, 0.0, 0.0)
