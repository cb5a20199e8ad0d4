"""What every test relies on."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from unittest.mock import patch
from weakref import WeakValueDictionary

import pytest
import trio.testing
from hypothesis import HealthCheck, settings

from tests.process_state import State, bindings, changes, process_state, rebound

# How long an example takes tells of the machine's load, and of nothing that is tested.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


# Files that take long, most of it waiting: begun last, one would be all that is left of a run.
LONG = {
    f"tests/{name}.py"
    for name in (
        "campaign/test_short",
        "cli/test_compare",
        "server/test_concurrency",
        "server/test_large_files",
        "server/test_watch_races",
        "aio/test_engines",
        "aio/test_endurance",
        "compare/test_experiments",
        "compare/test_volumes",
        "compare/test_throttle",
        "compare/test_report",
        "examples/test_examples",
        "testing/test_plugin",
        "release/test_package",
        "server/test_running_limits",
        "server/test_back_pressure",
        "server/test_directories",
        "server/test_leftovers",
        "conformance/test_kernel",
        "conformance/test_torture",
        "suite/test_again",
    )
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, where workers take files in order: --no-loadscope-reorder."""
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in LONG)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """A shell's jobs in the background begin with SIGINT ignored, and so do their children."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def c_is_at_hand() -> None:
    """What is in C, and used once it is there, is there from the first test on: not by chance."""
    from aio._entries import ENTRIES
    from aio._readers import READERS
    from smbd.native import BURST
    from smbd.native.entries import PLAIN_ENTRIES

    for extension in (BURST, ENTRIES, PLAIN_ENTRIES, READERS):
        with suppress(OSError):  # there is no compiler
            extension.load()


@pytest.fixture(autouse=True)
def disks_are_as_if_new() -> Iterator[None]:
    """How long the last writes and changes of names waited, a process remembers for each device.

    On a busy machine a test would find that what it does is away from the loop for seconds.
    """
    with (
        patch("aio.gate._gates", WeakValueDictionary()),
        patch("smbd.vfs.at_once._all", WeakValueDictionary()),
    ):
        yield


@pytest.fixture(autouse=True)
def nothing_left_to_the_next_test() -> Iterator[None]:
    """A test that leaves the process changed fails: what it changes it restores (monkeypatch)."""
    before = process_state()
    yield
    left = changes(before, process_state())
    assert not left, "\n".join(["left to the next test:", *left])


@pytest.fixture(scope="session")
def last_file_left() -> list[State]:
    """The names' meanings as the last file left them: so the next file finds them."""
    return []


@pytest.fixture(scope="module", autouse=True)
def nothing_left_to_the_next_file(last_file_left: list[State]) -> Iterator[None]:
    """The same of a file, with its fixtures: of what takes longer to look at, too."""
    state, names = process_state(), last_file_left.pop() if last_file_left else bindings()
    yield
    last_file_left.append(bindings())
    left = changes(state, process_state()) + rebound(names, last_file_left[0])
    assert not left, "\n".join(["left to the next file:", *left])


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """pytest-trio's, but that all are idle is believed after a moment.

    What was sent over the loopback interface may not be there yet, where the kernel is busy.
    """
    return trio.testing.MockClock(autojump_threshold=0.005)
