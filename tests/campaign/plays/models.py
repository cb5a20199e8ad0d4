"""The state beside its models (tests/state/models): 100,000 random steps of each."""

import traceback

import trio
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

from tests.state.models import MACHINES

from ..campaign import Campaign, Play

_STEPS = 50  # of a story, at most
_STORIES = 100  # of one run of hypothesis, which remembers all of them: 2,000 take it 400 MB


async def play(play: Play) -> None:
    """In a thread, since there is no server."""
    seeds = range(play.seed, play.seed + play.size(24, 1))
    stories = play.size(_STORIES, 2)
    for name, machine in MACHINES.items():
        took = [await trio.to_thread.run_sync(_run, machine, stories, seed) for seed in seeds]
        differences = [difference for _, difference in took if difference]
        play.note(f"{name}: steps", sum(steps for steps, _ in took))
        detail = differences[0] if differences else ""
        play.note(f"{name}: differences", len(differences), bar=0, detail=detail)


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
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Machine, settings=options)
    except Exception:  # noqa: BLE001 - whatever ends a story is a difference
        return steps, traceback.format_exc()[-400:]
    return steps, ""


CAMPAIGN = Campaign("models", "the state of the server beside models of it, step by step", play)
