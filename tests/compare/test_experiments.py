"""Experiments run for real: what is counted must be right; how long it took, nobody can know."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from aio.compare import experiments
from aio.compare.experiments import EXPERIMENTS, Ground, confined, devices, run
from aio.compare.experiments.ground import Calls, timed, while_time
from aio.compare.files import Files
from aio.compare.study import CannotRun
from aio.compare.volumes import VolumeError
from aio.opening import unavailable
from tests.aio.page_cache import takes_nowait
from tests.compare.conftest import small_files

ROOT = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
SLOW_QUEUE = "rwf_nowait, full queue of a slow device"
BY_ENGINE = "engines, full queue of a slow device"


@pytest.fixture
def ground(files: Files) -> Ground:
    return Ground(files, quick=True)


@pytest.fixture
def in_memory(tmpfs: Path) -> Iterator[Ground]:
    with small_files(tmpfs) as made:
        yield Ground(made, quick=True)


def need_nowait(ground: Ground) -> None:
    if not takes_nowait(ground.files.folder):
        pytest.skip("this file system has no RWF_NOWAIT")


def without(what: str) -> None:
    reason = unavailable(what)
    if reason:
        pytest.skip(reason)


# --- how calls are counted ------------------------------------------------------------------------


def test_a_call_that_waits_is_told_from_one_that_does_not() -> None:
    assert timed(sleep, 0.001).slept
    assert not timed(abs, -1).slept
    assert timed(abs, -1).result == 1


def test_a_refusal_is_no_result_and_another_error_is_one() -> None:
    def refuse() -> int:
        raise BlockingIOError

    assert timed(refuse).result is None
    with pytest.raises(ZeroDivisionError):
        timed(divmod, 1, 0)


def test_calls_come_to_figures_and_none_to_a_count_alone() -> None:
    calls = Calls()
    assert calls.found("cold") == {"cold_count": 0}
    calls.add(timed(sleep, 0.001))
    calls.add(timed(abs, -1))
    found = calls.found("cold")
    assert (found["cold_count"], found["cold_slept"]) == (2, 1)
    assert found["cold_max_us"] >= 1000


def test_the_fewest_are_done_when_there_is_no_time() -> None:
    assert list(while_time(0, range(100))) == [0, 1, 2, 3, 4]
    assert list(while_time(0, range(100), fewest=2)) == [0, 1]
    assert list(while_time(60, range(100))) == list(range(100))


# --- what does not go -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [CannotRun("not here"), VolumeError("not here"), OSError(errno.EIO, "not here")],
    ids=["CannotRun", "VolumeError", "OSError"],
)
def test_what_a_volume_lacks_is_a_reason(error: Exception, ground: Ground) -> None:
    def experiment(_: Ground) -> dict[str, float | str]:
        raise error

    assert run(experiment, ground) == {"reason": "not here"}


def test_all_run_and_those_that_fill_a_queue_are_not_held_back(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = False

    @contextmanager
    def throttled() -> Iterator[None]:
        nonlocal slow
        slow = True
        yield
        slow = False

    class Experiment:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, _: Ground) -> dict[str, float | str | bool]:
            return {"slow": slow}

    made = {name: Experiment(name) for name in EXPERIMENTS}
    monkeypatch.setattr(experiments, "_AT_ANOTHER_PACE", {made[SLOW_QUEUE]})
    ground = Ground(files, throttled=throttled)
    found = {name: run(experiment, ground) for name, experiment in made.items()}
    assert [name for name, each in found.items() if not each["slow"]] == [SLOW_QUEUE]


# --- on a disk ------------------------------------------------------------------------------------


def test_o_nonblock_refuses_nothing(ground: Ground) -> None:
    found = run(EXPERIMENTS["o_nonblock"], ground)
    assert found["eagain"] == 0
    assert found["with_count"] == found["without_count"] != 0


def test_cold_probes_are_refused_and_cached_ones_are_not(ground: Ground) -> None:
    need_nowait(ground)
    found = run(EXPERIMENTS["rwf_nowait"], ground)
    assert found["cold_count"] == found["cached_count"] != 0
    assert found["cached_refused"] == 0
    assert isinstance(found["overwrites"], str)
    assert isinstance(found["extending"], str)


def test_writes_that_are_told_not_to_wait_are_tried_where_reads_can_be(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_nowait(ground)
    answers = {os.EX_OK: 4096}

    def write(_fd: int, _data: object, _offset: int, _flags: int) -> int:
        if not answers:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return answers[os.EX_OK]

    monkeypatch.setattr(os, "pwritev", write)
    assert run(EXPERIMENTS["rwf_nowait"], ground)["overwrites"] == "20 of 20 taken"
    answers.clear()
    assert run(EXPERIMENTS["rwf_nowait"], ground)["overwrites"] == "not supported (EOPNOTSUPP)"


def test_the_queue_is_filled_by_others_while_probes_are_made(ground: Ground) -> None:
    need_nowait(ground)
    found = run(EXPERIMENTS["rwf_nowait, full queue"], ground)
    assert found["others"] == 64
    assert found["probe_count"] > 0
    assert found["read_count"] >= found["probe_count"]
    assert found["on_its_way_count"] <= found["probe_count"]


def test_what_io_uring_takes_to_submit_is_measured_beside_them(files: Files) -> None:
    without("uring")
    ground = Ground(files)
    need_nowait(ground)
    found = run(EXPERIMENTS["rwf_nowait, full queue"], ground)
    assert found["others"] == 256
    assert found["uring_submit_count"] == found["uring_direct_submit_count"] == found["read_count"]


def reading(path: Path) -> int:
    """Processes that have been told to read this file."""
    found = 0
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += os.fsencode(path) in each.read_bytes()
        except OSError:  # it has ended
            continue
    return found


def test_those_who_fill_a_queue_are_gone_afterwards(files: Files) -> None:
    with devices.filled(files.cached, 3, 19):
        assert reading(files.cached) == 4  # they, and who started them
    assert reading(files.cached) == 0


def test_those_who_fill_a_queue_are_gone_after_an_error(files: Files) -> None:
    with pytest.raises(KeyboardInterrupt), devices.filled(files.cached, 3, 19):
        raise KeyboardInterrupt
    assert reading(files.cached) == 0


def test_those_who_cannot_fill_a_queue_say_so(files: Files, capfd: pytest.CaptureFixture) -> None:
    with (
        pytest.raises(CannotRun, match="have failed"),
        devices.filled(files.folder / "missing", 3, 19),
    ):
        raise AssertionError
    assert "No such file" in capfd.readouterr().err


def test_a_queue_that_stays_empty_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_PATIENCE", 0.0)
    queue = tmp_path / "queue"
    queue.mkdir()
    (queue / "nr_requests").write_text("4\n")
    (tmp_path / "inflight").write_text("       3        9\n")
    with pytest.raises(CannotRun, match="was not to be filled"):
        devices.await_full(queue)


def test_io_submit_of_buffered_reads_returns_when_they_are_done(ground: Ground) -> None:
    without("libaio")
    found = run(EXPERIMENTS["io_submit"], ground)
    for kind in ("buffered_cold", "buffered_cached"):
        assert found[f"{kind}_count"] > 0
        assert found[f"{kind}_done_at_return"] == 1.0
    if "direct_reason" not in found:
        assert 0 <= found["direct_cold_done_at_return"] <= 1
        assert found["direct_cold_count"] > 0


def test_a_part_of_a_page_that_is_not_there_is_read_and_nothing_else_is(ground: Ground) -> None:
    found = run(EXPERIMENTS["partial_page"], ground)
    assert found["cold_part_bytes_read"] >= 4096
    assert found["cached_part_bytes_read"] == 0
    assert found["cold_whole_bytes_read"] == 0


def test_below_the_limit_so_much_is_written_and_no_more(ground: Ground) -> None:
    found = run(EXPERIMENTS["dirty_limit"], ground)
    assert found["below_count"] <= 32
    assert not [name for name in found if name.startswith("beyond")]


def test_what_needs_a_device_of_ours_is_not_tried_on_the_users(ground: Ground) -> None:
    need_nowait(ground)
    for name in (SLOW_QUEUE, BY_ENGINE, "rwf_nowait, cold metadata"):
        assert "the study's own" in str(run(EXPERIMENTS[name], ground)["reason"])


# --- in memory ------------------------------------------------------------------------------------


def test_in_memory_nothing_waits_for_a_disk_and_that_is_said(in_memory: Ground) -> None:
    for name in ("o_nonblock", "partial_page"):
        assert "nothing but memory" in str(run(EXPERIMENTS[name], in_memory)["reason"])
    for name in ("rwf_nowait", "rwf_nowait, full queue", SLOW_QUEUE):
        assert "RWF_NOWAIT" in str(run(EXPERIMENTS[name], in_memory)["reason"])


def test_in_memory_io_submit_is_tried_with_what_is_cached(in_memory: Ground) -> None:
    without("libaio")
    found = run(EXPERIMENTS["io_submit"], in_memory)
    assert found["buffered_cached_done_at_return"] == 1.0
    assert "nothing but memory" in found["cold_reason"]
    assert "nothing but memory" in found["direct_reason"]


# --- under Docker's seccomp profile ---------------------------------------------------------------


def test_without_io_uring_the_next_engine_reads_right(ground: Ground) -> None:
    found = run(EXPERIMENTS["seccomp"], ground)
    assert found["uring"] is False
    assert found["pieces_right"] == found["pieces"] == 16
    assert found["hits"] + found["hops"] >= 16
    assert found["engine"] == "nowait+threads"
    assert found["libaio"] == (unavailable("libaio") is None)
    if found["uring_outside"]:
        assert "seccomp" in str(found["uring_reason"])
        assert found["note"] == f"uring is not available: {found['uring_reason']}"


def test_a_process_that_fails_there_says_how(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Files, "evict", lambda self: self.evicted.unlink())
    reason = str(run(EXPERIMENTS["seccomp"], ground)["reason"])
    assert reason.startswith("the process that was to be confined has failed: FileNotFoundError")


def test_the_three_calls_of_io_uring_are_refused_and_no_other() -> None:
    code = (
        "import ctypes, json\n"
        "from aio.compare.experiments.confined import confine\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def error(number):\n"
        "    libc.syscall(number, -1, None, 0, 0)\n"
        "    return ctypes.get_errno()\n"
        "before = [error(number) for number in range(423, 430)]\n"
        "confine()\n"
        "print(json.dumps([before, [error(number) for number in range(423, 430)]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, after = json.loads(done.stdout)
    refused = dict(zip(range(423, 430), after, strict=True))
    for number in (425, 426, 427):
        assert refused.pop(number) == errno.EPERM
    assert list(refused.values()) == before[:2] + before[5:]
    assert confined.SPEC.startswith("nowait+uring")


# --- on file systems of our own -------------------------------------------------------------------


def tried(kind: str, folder: Path, *names: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.compare.trier", kind, str(folder), *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    if "reason" in found:
        pytest.skip(found["reason"])
    return found


def queue_lengths() -> dict[str, str]:
    return {
        str(each): each.read_text() for each in Path("/sys/block").glob("loop*/queue/nr_requests")
    }


@needs_root
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_probe_waits_for_a_full_queue_which_is_as_it_was_afterwards(
    kind: str, disk: Path
) -> None:
    before = queue_lengths()
    found = tried(kind, disk, SLOW_QUEUE)[SLOW_QUEUE]
    if "reason" in found:
        pytest.skip(found["reason"])
    assert found["queue_depth"] == 4
    assert found["most_in_queue"] == 4
    assert found["probe_slept"] > 0
    after = queue_lengths()
    assert {name: after[name] for name in before if name in after} == before


@needs_root
def test_the_engines_are_compared_while_the_queue_is_full(disk: Path) -> None:
    found = tried("ext4", disk, BY_ENGINE)[BY_ENGINE]
    if "reason" in found:
        pytest.skip(found["reason"])
    for name in ("threads", "nowait+threads"):  # the others are not everywhere
        assert found[f"{name}, stall_us"] > 0
        assert found[f"{name}, hits_median_us"] > 0
    assert found["threads, probes_slept"] == 0


@needs_root
def test_on_a_device_of_our_own_everything_is_tried(disk: Path) -> None:
    found = tried("ext4", disk, "rwf_nowait, cold metadata", "dirty_limit")
    metadata, limit = found.values()
    if "reason" in metadata:
        pytest.skip(metadata["reason"])
    assert metadata["probe_count"] > 0
    if "beyond_mib" in limit:
        assert limit["beyond_pauses"] > 0
        assert limit["first_pause_after_mib"] < limit["beyond_mib"]
