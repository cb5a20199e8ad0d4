"""What every test relies on."""

import signal
from collections.abc import Iterator

import pytest
import trio.testing
from hypothesis import HealthCheck, settings

# How long an example takes tells of the machine's load, and of nothing that is tested.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """A shell's jobs in the background begin with SIGINT ignored, and so do their children."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """pytest-trio's, but that all are idle is believed after a moment.

    What was sent over the loopback interface may not be there yet, where the kernel is busy.
    """
    return trio.testing.MockClock(autojump_threshold=0.005)
