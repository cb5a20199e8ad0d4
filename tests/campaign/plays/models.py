"""The state beside its models (tests/state/models): 100,000 random steps of each."""

import traceback

import trio
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

from tests.state.models import MACHINES

from ..campaign import Campaign, Play

_STORY = 50  # steps


async def play(play: Play) -> None:
    """In a thread, since there is no server."""
    stories = play.size(2200, 2)  # of which some are shorter
    for name, machine in MACHINES.items():
        steps, difference = await trio.to_thread.run_sync(_run, machine, stories, play.seed)
        play.note(f"{name}: steps", steps)
        play.note(f"{name}: differences", bool(difference), bar=0, detail=difference)


def _run(machine: type[RuleBasedStateMachine], stories: int, number: int) -> tuple[int, str]:
    """How many steps were taken, and the first difference: the end of its traceback."""
    steps = 0

    @seed(number)
    class Machine(machine):  # type: ignore[misc,valid-type]
        @invariant()
        def count(self) -> None:
            nonlocal steps
            steps += 1

    options = settings(
        max_examples=stories,
        stateful_step_count=_STORY,
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


CAMPAIGN = Campaign("models", "the state of the server beside models of it, step by step", play)
