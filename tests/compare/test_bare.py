"""The layer "bare": counts and invariants of short runs, on real files.  No time decides."""

import errno
import gc
import os
import signal
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from aio.base import Begun, Done, Engine
from aio.blocking import SyncEngine
from aio.compare import bare
from aio.compare.bare import BareLayer
from aio.compare.figures import SLOTS, Figures
from aio.compare.files import Files
from aio.compare.forms import FORMS, Form, form_named
from aio.compare.study import CannotRun
from aio.compare.workloads import KIB, MIB, Load, Workload
from aio.completion import tell
from aio.opening import unavailable
from tests.compare.conftest import small_files

SECONDS = 0.02
HITS = Workload("hits", "hits", Load("read", 4 * KIB, 4))
MISSES = Workload("misses", "misses", Load("read", 4 * KIB, 4, "evicted"))
WRITES = Workload("writes", "writes", Load("write", 4 * KIB, 4))
PARTS = Workload("parts", "writes", Load("write", 512, 4, "evicted"))
STREAM = Workload("stream", "streams", Load("read", 64 * KIB, 2, "evicted", "sequential"))
FLOOD = Workload("flood", "flood", Load("write", MIB, 2, "dirty", "sequential"))
MIX = Workload("mix", "mix", Load("read", 4 * KIB, 1), Load("read", 4 * KIB, 4, "evicted"))


@pytest.fixture
def layer(files: Files) -> Iterator[BareLayer]:
    made = BareLayer(files)
    yield made
    made.close()


@pytest.fixture(params=FORMS, ids=lambda form: form.name)
def form(request: pytest.FixtureRequest) -> Form:
    made: Form = request.param
    reason = unavailable(made.spec.removeprefix("nowait+"))
    if reason:
        pytest.skip(reason)
    return made


def descriptors() -> set[Path]:
    """Those that are open; the one that looks is among them every time."""
    return set(Path("/proc/self/fd").iterdir())


def operations(figures: Figures) -> int:
    """As the engine has counted them, warming up apart."""
    return int(figures.stats["reads"] + figures.stats["writes"])


def check(figures: Figures, workload: Workload) -> None:
    """What is true of every run."""
    assert (figures.beside is None) == (workload.beside is None)
    for one, load in ((figures, workload.load), (figures.beside, workload.beside)):
        if one is None or load is None:
            continue
        assert one.operations >= load.depth
        assert one.latencies.count == one.operations
        assert one.transferred == one.operations * load.size
        assert one.seconds > 0
        assert 0 < one.latencies.at(0.5) <= one.latencies.at(1.0)
        assert one.latencies.at(1.0) <= one.seconds * 1e6 + 0.01  # which is kept in hundredths
    assert operations(figures) == figures.all_operations
    assert figures.inline <= figures.all_operations
    assert figures.hops == figures.stats["switches"]
    assert len(figures.iterations) == SLOTS
    assert max(figures.iterations) == pytest.approx(figures.stall * 1e6, abs=0.1)
    assert figures.cpu >= 0
    assert figures.switches >= 0


@pytest.mark.parametrize(
    "workload", [HITS, MISSES, WRITES, PARTS, STREAM, FLOOD, MIX], ids=lambda each: each.name
)
def test_every_form_runs_every_kind_of_load(
    layer: BareLayer, files: Files, form: Form, workload: Workload
) -> None:
    check(layer.run(form, workload, SECONDS), workload)
    assert files.cached.stat().st_size == MIB
    assert files.evicted.stat().st_size == 4 * MIB
    assert files.dirty.stat().st_size <= 2 * MIB


@pytest.mark.parametrize("workload", [HITS, MISSES, WRITES, MIX], ids=lambda each: each.name)
def test_sync_does_everything_in_the_loop(layer: BareLayer, workload: Workload) -> None:
    figures = layer.run(Form("sync"), workload, SECONDS)
    assert figures.summary()["inline"] == 1.0
    assert figures.summary()["hops"] == 0.0


@pytest.mark.parametrize("workload", [HITS, MISSES, WRITES, MIX], ids=lambda each: each.name)
def test_threads_do_nothing_in_the_loop(layer: BareLayer, workload: Workload) -> None:
    figures = layer.run(Form("threads"), workload, SECONDS)
    assert figures.summary()["inline"] == 0.0
    assert figures.summary()["hops"] == 1.0


def test_behind_the_probe_hits_are_inline(layer: BareLayer) -> None:
    figures = layer.run(Form("nowait+threads"), HITS, SECONDS)
    assert figures.summary()["inline"] == 1.0
    assert figures.stats["hits"] == figures.operations


def test_behind_the_probe_misses_hop(layer: BareLayer) -> None:
    figures = layer.run(Form("nowait+threads"), MISSES, SECONDS)
    # Not all: the probe submits the read, and some disks are done before it looks (measured).
    assert figures.stats["misses"] > 0
    assert figures.hops == figures.stats["misses"]
    assert figures.inline == figures.stats["hits"]


def test_in_a_mix_both_sides_are_counted(layer: BareLayer) -> None:
    figures = layer.run(Form("nowait+threads"), MIX, SECONDS)
    assert figures.beside is not None
    assert (figures.beside.cpu, figures.beside.switches, figures.beside.inline) == (0.0, 0, 0)
    assert figures.summary()["others_per_s"] == figures.beside.rate
    assert figures.inline == figures.stats["hits"]


def test_options_reach_the_engine(layer: BareLayer) -> None:
    form = form_named("nowait+threads inline_limit=65536")
    workload = Workload("w", "mix", Load("read", 4 * KIB), Load("read", 128 * KIB))
    figures = layer.run(form, workload, SECONDS)
    assert figures.beside is not None
    assert figures.stats["oversize"] == figures.beside.operations


def test_runs_leave_no_descriptor_and_no_frozen_objects(layer: BareLayer, form: Form) -> None:
    layer.run(form, MIX, SECONDS)
    before = descriptors()
    layer.run(form, MIX, SECONDS)
    assert descriptors() == before
    assert not gc.get_freeze_count()


def test_misses_are_not_to_be_had_in_memory(tmpfs: Path) -> None:
    with small_files(tmpfs) as files, pytest.raises(CannotRun, match="nothing but memory"):
        BareLayer(files).run(Form("sync"), MISSES, SECONDS)


def test_an_engine_that_this_machine_lacks_cannot_run_anything(
    layer: BareLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(spec: str) -> Engine:
        raise OSError(errno.EPERM, f"{spec} is not on this paper")

    monkeypatch.setattr(bare, "open_engine", refuse)
    with pytest.raises(CannotRun, match=r"^uring is not on this paper$") as caught:
        layer.run(Form("uring"), HITS, SECONDS)
    assert caught.value.any_workload


class Scripted(SyncEngine):
    """Answers in a task, one after the other, and remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[int] = []
        self.most = 0
        self._now = 0

    def try_read(self, _fd: int, _into: memoryview, offset: int) -> None:  # type: ignore[override]
        self.tried.append(offset)

    async def read(self, fd: int, into: memoryview, offset: int) -> int:
        self._now += 1
        self.most = max(self.most, self._now)
        await trio.lowlevel.checkpoint()
        self._now -= 1
        return os.preadv(fd, (into,), offset)

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        self._now += 1
        self.most = max(self.most, self._now)

        def end() -> None:
            self._now -= 1
            done(os.preadv(fd, (into,), offset), None)
            assert tell(deque(), 0.0)  # what is due after the burst

        trio.lowlevel.current_trio_token().run_sync_soon(end)
        return Unwithdrawn()


class Unwithdrawn:
    def withdraw(self) -> None:
        raise AssertionError("the study cancels nothing")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted()
    monkeypatch.setattr(bare, "open_engine", lambda _: made)
    return made


def test_all_clients_have_a_request_in_flight_and_no_more(
    layer: BareLayer, engine: Scripted
) -> None:
    layer.run(Form("scripted"), Workload("w", "hits", Load("read", 4 * KIB, 7)), SECONDS)
    assert engine.most == 7


def test_what_is_evicted_is_read_once_until_it_is_evicted_again(
    layer: BareLayer, engine: Scripted, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    laps: list[int] = []
    evict = files.evict

    def counted() -> bool:
        laps.append(len(engine.tried))
        return evict()

    monkeypatch.setattr(files, "evict", counted)
    load = Load("read", MIB, 1, "evicted")  # three blocks
    layer.run(Form("scripted"), Workload("w", "misses", load), 10 * SECONDS)
    measured = laps[1:]  # on a busy machine the lap before, to warm up, may end in the middle
    assert len(measured) > 1
    for begin, end in pairwise(measured):
        assert sorted(engine.tried[begin:end]) == sorted(files.blocks(load))


def test_a_request_that_comes_back_short_is_an_error_and_no_group(
    layer: BareLayer, engine: Scripted, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "warm", lambda: os.truncate(files.cached, 6 * KIB))
    with pytest.raises(OSError, match="bytes of 4096"):
        layer.run(Form("scripted"), HITS, SECONDS)


def test_an_error_of_the_engine_comes_out_as_it_is(
    layer: BareLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr("aio.blocking.read_full", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        layer.run(Form("sync"), HITS, SECONDS)


def test_ctrl_c_comes_out_as_it_is_and_leaves_nothing_open(
    layer: BareLayer, engine: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()

    def interrupt(fd: int, into: memoryview, offset: int) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(engine, "try_read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        layer.run(Form("scripted"), HITS, 60.0)
    assert descriptors() == before
    assert not gc.get_freeze_count()


def test_writes_stay_within_the_files_and_the_parts_within_their_pages(
    layer: BareLayer, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []

    def note(fd: int, data: memoryview, offset: int) -> int:
        written.append((offset, len(data)))
        return len(data)

    monkeypatch.setattr("aio.blocking.write_full", note)
    layer.run(Form("sync"), WRITES, SECONDS)
    assert all(offset % (4 * KIB) == 0 and offset + size <= MIB for offset, size in written)
    written.clear()
    layer.run(Form("sync"), PARTS, SECONDS)
    assert {(offset % (16 * KIB), size) for offset, size in written} == {(512, 512)}
    assert max(offset for offset, _ in written) < 4 * MIB
