"""Leases and oplocks: 100,000 random steps of clients on one file, against what they believe."""

import traceback

import trio
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.state.caching_machine import CachingMachine

from ..campaign import Campaign, Play

_STEPS = 50  # of one story


async def play(play: Play) -> None:
    """In a thread, since there is no server."""
    stories = play.size(2200, 4)
    steps, contradiction = await trio.to_thread.run_sync(_run, stories, play.seed)
    play.note("steps", steps)
    play.note("contradictions", bool(contradiction), bar=0, detail=contradiction)


def _run(stories: int, number: int) -> tuple[int, str]:
    """How many steps were taken, and the first contradiction: the end of its traceback."""
    steps = 0

    @seed(number)
    class Machine(CachingMachine):
        @invariant()
        def count(self) -> None:
            nonlocal steps
            steps += 1

    options = settings(
        max_examples=stories,
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Machine, settings=options)
    except AssertionError:
        return steps, traceback.format_exc()[-400:]
    return steps, ""


CAMPAIGN = Campaign("caching", "leases and oplocks of one file, by clients that do anything", play)
