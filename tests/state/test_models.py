"""Any steps in any order, in short; `python -m tests.campaign models` takes 100,000 of each."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from .models import MACHINES

_SHORT = settings(max_examples=4, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_state_says_what_its_model_says(machine):
    run_state_machine_as_test(machine, settings=_SHORT)
