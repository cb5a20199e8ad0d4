"""The layer "served": the study's forms and workloads on the real server."""

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aio.compare.figures import SLOTS, Figures
from aio.compare.files import Files
from aio.compare.forms import FORMS, Form, form_named
from aio.compare.study import CannotRun
from aio.compare.workloads import KIB, MIB, Load, Workload, workload_named
from smbd.compare.served import ServedLayer, _connections, _others

SECONDS = 0.05
NOWAIT = Form("nowait+threads")
HITS = workload_named("hits 4 KiB x16")
MISSES = workload_named("misses 4 KiB x4")
MIX = workload_named("hits 4 KiB x1 beside 4 misses")
# The server on a machine that has neither libaio nor io_uring.
WITHOUT_QUEUES = """\
#!{python}
import errno, runpy, sys
import aio.libaio, aio.uring
def refuse(_): raise OSError(errno.EPERM, "Operation not permitted")
aio.libaio.LibaioQueue = aio.uring.UringQueue = refuse
runpy.run_module("smbd.compare.server", run_name="__main__")
"""
# A study that is waiting, in the middle of everything.
PARENT = """\
import sys
from pathlib import Path
from aio.compare.files import Files
from smbd.compare.served import ServedLayer
folder = Path(sys.argv[1])
with Files(folder, cached_size=65536, evicted_size=65536) as files:
    layer = ServedLayer(folder, files, [])
    print(layer._child._process.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        with Files(Path(name), cached_size=4 * MIB, evicted_size=8 * MIB, dirty_size=MIB) as made:
            yield made


@pytest.fixture(scope="module")
def layer(files: Files) -> Iterator[ServedLayer]:
    """One for all tests: each run is on its own."""
    served = ServedLayer(files.folder.parent, files, FORMS)
    yield served
    served.close()


@pytest.fixture(params=FORMS, ids=lambda form: form.name)
def form(request: pytest.FixtureRequest) -> Form:
    found: Form = request.param
    return found


def run(layer: ServedLayer, form: Form, workload: Workload) -> Figures:
    try:
        figures = layer.run(form, workload, SECONDS)
    except CannotRun as error:
        pytest.skip(str(error))
    assert figures.operations > 0
    assert figures.transferred == workload.load.size * figures.operations
    assert figures.latencies.count == figures.operations
    assert figures.latencies.at(0.0) > 0
    assert figures.seconds > SECONDS / 2
    assert figures.cpu > 0
    assert len(figures.iterations) == SLOTS
    assert figures.stall == pytest.approx(max(figures.iterations) / 1e6, abs=1e-6)
    assert figures.hops == figures.stats["switches"]
    counted = figures.stats["reads"] + figures.stats["writes"]
    assert counted == figures.all_operations
    return figures


def test_hits_are_inline_where_there_is_a_probe_or_nothing_but_the_loop(
    layer: ServedLayer, form: Form
) -> None:
    figures = run(layer, form, HITS)

    assert figures.beside is None
    if form.probe:
        assert figures.inline == figures.stats["hits"]
        asked = figures.inline + figures.stats["misses"] + figures.stats["unknown"]
        assert asked == figures.operations
    else:
        assert figures.inline == (figures.operations if form.spec == "sync" else 0)


def test_misses_are_what_the_probe_does_not_find(layer: ServedLayer, form: Form) -> None:
    figures = run(layer, form, MISSES)

    if form.probe:
        assert figures.stats["misses"] + figures.stats["unknown"] > 0
        assert figures.inline == figures.stats["hits"]


def test_others_are_counted_beside(layer: ServedLayer, form: Form) -> None:
    figures = run(layer, form, MIX)

    assert figures.beside is not None
    assert figures.beside.operations > 0
    assert figures.beside.transferred == 4 * KIB * figures.beside.operations
    assert figures.inline <= figures.all_operations
    if form.spec == "sync":
        assert figures.inline == figures.all_operations


def test_writes_are_in_the_file(layer: ServedLayer, files: Files, form: Form) -> None:
    before = files.cached.read_bytes()

    figures = run(layer, form, workload_named("writes 64 KiB x16"))

    after = files.cached.read_bytes()
    assert len(after) == len(before)
    blocks = [slice(at, at + 64 * KIB) for at in range(0, len(after), 64 * KIB)]
    # One connection has one payload.
    assert len({after[block] for block in blocks if after[block] != before[block]}) == 1
    if form.probe:
        assert figures.inline == figures.stats["writes_inline"]


def test_a_part_of_an_evicted_page_is_all_that_is_written_of_it(
    layer: ServedLayer, files: Files
) -> None:
    before = files.evicted.read_bytes()

    run(layer, NOWAIT, workload_named("writes 512 B x16 into evicted pages"))

    after = files.evicted.read_bytes()
    differs = [at for at in range(0, len(after), 512) if after[at : at + 512] != before[at:][:512]]
    assert differs
    assert {at % (16 * KIB) for at in differs} == {512}


def test_a_flood_fills_the_dirty_file_and_starts_over(layer: ServedLayer, files: Files) -> None:
    run(layer, NOWAIT, workload_named("writes 1 MiB x4 beyond the dirty limit"))

    assert files.dirty.stat().st_size == MIB


def test_a_form_that_nobody_announced_is_served_all_the_same(layer: ServedLayer) -> None:
    figures = run(layer, form_named("nowait+threads inline_limit=65536"), HITS)

    assert figures.stats["oversize"] == 0


def test_requests_are_signed_as_asked(files: Files) -> None:
    served = ServedLayer(files.folder.parent, files, [NOWAIT], "gmac")
    try:
        run(served, NOWAIT, HITS)
    finally:
        served.close()


def test_a_form_that_cannot_be_opened_says_why_and_others_run(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(WITHOUT_QUEUES.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    served = ServedLayer(files.folder.parent, files, FORMS)
    try:
        with pytest.raises(CannotRun, match="Operation not permitted") as caught:
            served.run(Form("uring"), HITS, SECONDS)
        assert caught.value.any_workload
        run(served, NOWAIT, HITS)
    finally:
        served.close()


def test_a_request_that_the_server_fails_is_a_run_that_cannot_be(layer: ServedLayer) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        with Files(Path(name), cached_size=MIB, evicted_size=MIB) as files:
            served = ServedLayer(Path(name), files, [NOWAIT])
            os.truncate(files.cached, 0)
            with pytest.raises(CannotRun, match="a read was answered with 0xc0000011"):
                served.run(NOWAIT, HITS, SECONDS)

            os.truncate(files.cached, MIB)
            run(served, NOWAIT, HITS)
            served.close()


def test_nothing_is_left_of_a_layer_that_was_closed(files: Files) -> None:
    served = ServedLayer(files.folder.parent, files, [NOWAIT])
    process = served._child._process

    served.close()
    served.close()

    assert process.returncode == 0
    with pytest.raises(OSError, match="the study's server is closed"):
        served.run(NOWAIT, HITS, SECONDS)


def test_a_server_that_was_killed_is_an_error_of_the_run(files: Files) -> None:
    served = ServedLayer(files.folder.parent, files, [NOWAIT])
    try:
        served._child._process.kill()
        served._child._process.wait()
        with pytest.raises(OSError, match="the study's server has ended"):
            served.run(NOWAIT, HITS, SECONDS)
    finally:
        served.close()


def test_a_server_that_does_not_start_tells_its_last_words(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho nothing goes >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))

    with pytest.raises(OSError, match="the study's server has ended: nothing goes"):
        ServedLayer(files.folder.parent, files, [])


def test_the_server_does_not_outlive_a_study_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.send_signal(signal.SIGKILL)
            ended, _, _ = select.select([child], [], [], 30)
        finally:
            os.close(child)
    assert ended


@pytest.mark.parametrize(
    ("depth", "load", "beside"), [(1, 1, 1), (4, 1, 4), (16, 1, 8), (17, 17, 1), (64, 4, 8)]
)
def test_requests_in_flight_are_those_of_several_clients(
    depth: int, load: int, beside: int
) -> None:
    assert _connections(depth) == load
    assert _others(depth) == beside


def test_depths_that_divide_into_no_connections_are_kept_too(layer: ServedLayer) -> None:
    workload = Workload("12 at once", "hits", Load("read", 4 * KIB, 12), Load("read", 512, 3))

    figures = run(layer, NOWAIT, workload)

    assert figures.beside is not None
    assert figures.beside.transferred == 512 * figures.beside.operations
