"""The order of a study, and what becomes of runs that fail, are refused or are interrupted."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from aio.compare.document import Layer, Skipped, Volume
from aio.compare.figures import Figures, Latencies
from aio.compare.forms import FORMS, Form
from aio.compare.progress import Step
from aio.compare.study import CannotRun, Plan, run_volume
from aio.compare.workloads import Load, Workload

SYNC, THREADS, URING = Form("sync"), Form("threads"), Form("uring")
HITS = Workload("hits", "hits", Load())
MISSES = Workload("misses", "misses", Load(data="evicted"))
FLOOD = Workload("flood", "flood", Load("write", data="dirty"))
FIGURES = Figures(1.0, 10, 40960, Latencies.of([0.001] * 10), 0.1, 3, 0, 10, 0.002, (2000.0,))

Run = tuple[str, str, str]


class FakeLayer:
    """Writes down what it is asked to run, and does what the test wants instead."""

    def __init__(self, name: Layer, log: list[Run]) -> None:
        self.name = name
        self.log = log
        self.instead: dict[tuple[str, str], Callable[[], Figures]] = {}

    def run(self, form: Form, workload: Workload, seconds: float) -> Figures:
        self.log.append((self.name, workload.name, form.name))
        instead = self.instead.get((workload.name, form.name))
        return instead() if instead else replace(FIGURES, seconds=seconds)

    def close(self) -> None:
        raise AssertionError("whoever made it closes it")


class Told:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.volumes = 0

    def begins(self, step: Step) -> None:
        self.steps.append(step)

    def volume_done(self) -> None:
        self.volumes += 1

    @property
    def counts(self) -> list[tuple[int, int]]:
        return [(step.done, step.total) for step in self.steps]


def refuse(
    reason: str, *, any_form: bool = False, any_workload: bool = False
) -> Callable[[], Figures]:
    def run() -> Figures:
        raise CannotRun(reason, any_form=any_form, any_workload=any_workload)

    return run


def interrupt() -> Figures:
    raise KeyboardInterrupt


def fail() -> Figures:
    raise OSError(5, "Input/output error")


@pytest.fixture
def volume() -> Volume:
    return Volume("here", "/here", "ext4", "/dev/vda", made=False)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def log() -> list[Run]:
    return []


@pytest.fixture
def bare(log: list[Run]) -> FakeLayer:
    return FakeLayer("bare", log)


@pytest.fixture
def served(log: list[Run]) -> FakeLayer:
    return FakeLayer("served", log)


def plan(*workloads: Workload, rounds: int = 2, forms: tuple[Form, ...] = (SYNC, THREADS)) -> Plan:
    return Plan(rounds, {"bare": 1.0, "served": 2.0}, workloads, forms)


def test_rounds_lie_apart_with_every_layer_workload_and_form_between_them(
    volume: Volume, told: Told, log: list[Run], bare: FakeLayer, served: FakeLayer
) -> None:
    run_volume(volume, [bare, served], plan(HITS, MISSES), told)
    assert log == [*one_round("sync", "threads"), *one_round("threads", "sync")]
    kept = [(each.layer, each.workload, each.form) for each in volume.measurements]
    assert kept == one_round("sync", "threads")
    assert all(len(each.rounds) == 2 for each in volume.measurements)
    assert not volume.skipped


def one_round(*forms: str) -> list[Run]:
    return [
        (layer, workload, form)
        for layer in ("bare", "served")
        for workload in ("hits", "misses")
        for form in forms
    ]


def test_each_round_begins_with_another_form_also_in_calls_of_their_own(
    volume: Volume, told: Told, log: list[Run], bare: FakeLayer
) -> None:
    for _ in range(3):
        run_volume(volume, [bare], plan(HITS, rounds=1, forms=FORMS), told)
    names = [form.name for form in FORMS]
    firsts = [log[index * len(names)][2] for index in range(3)]
    assert firsts == [names[0], names[len(names) // 3], names[2 * (len(names) // 3)]]
    assert all(len(each.rounds) == 3 for each in volume.measurements)


def test_each_layer_gets_its_own_seconds(
    volume: Volume, told: Told, bare: FakeLayer, served: FakeLayer
) -> None:
    run_volume(volume, [bare, served], plan(HITS, rounds=1, forms=(SYNC,)), told)
    assert [each.rounds[0].seconds for each in volume.measurements] == [1.0, 2.0]


def test_variants_are_forms_of_one_workload(
    volume: Volume, told: Told, log: list[Run], bare: FakeLayer
) -> None:
    varied = replace(HITS, variants=("nowait inline_limit=4096",))
    run_volume(volume, [bare], plan(varied, MISSES, rounds=1, forms=(SYNC,)), told)
    assert [run[1:] for run in log] == [
        ("hits", "sync"),
        ("hits", "nowait inline_limit=4096"),
        ("misses", "sync"),
    ]


def test_progress_is_told_what_begins_and_how_much_there_is(
    volume: Volume, told: Told, bare: FakeLayer, served: FakeLayer
) -> None:
    run_volume(volume, [bare, served], plan(HITS, rounds=1), told)
    assert told.steps[0] == Step("here", "bare", "hits, sync, 1 of 1", 0, 4, 0.0, 6.0)
    assert told.steps[3] == Step("here", "served", "hits, threads, 1 of 1", 3, 4, 4.0, 2.0)
    assert told.volumes == 1


def test_what_cannot_run_is_skipped_with_its_reason_and_not_tried_again(
    volume: Volume, told: Told, log: list[Run], bare: FakeLayer
) -> None:
    bare.instead["hits", "threads"] = refuse("not these two")
    run_volume(volume, [bare], plan(HITS, MISSES), told)
    assert volume.skipped == [Skipped("bare", "hits", "threads", "not these two")]
    assert log.count(("bare", "hits", "threads")) == 1
    assert log.count(("bare", "misses", "threads")) == 2
    assert told.counts == [(0, 8), (1, 8), (1, 6), (2, 6), (3, 6), (4, 6), (5, 6)]


def test_a_form_that_is_not_available_is_skipped_once_for_all_workloads_of_its_layer(
    volume: Volume, told: Told, log: list[Run], bare: FakeLayer, served: FakeLayer
) -> None:
    bare.instead["hits", "uring"] = refuse("no io_uring", any_workload=True)
    run_volume(volume, [bare, served], plan(HITS, MISSES, forms=(SYNC, URING)), told)
    assert volume.skipped == [Skipped("bare", "", "uring", "no io_uring")]
    assert [run for run in log if run[0] == "bare" and run[2] == "uring"] == [
        ("bare", "hits", "uring")
    ]
    assert log.count(("served", "misses", "uring")) == 2


def test_a_workload_that_is_not_to_be_had_is_skipped_once_for_all_forms(
    volume: Volume, told: Told, log: list[Run], bare: FakeLayer
) -> None:
    bare.instead["misses", "sync"] = refuse("all is in memory", any_form=True)
    run_volume(volume, [bare], plan(HITS, MISSES), told)
    assert volume.skipped == [Skipped("bare", "misses", "", "all is in memory")]
    assert log.count(("bare", "misses", "sync")) == 1
    assert ("bare", "misses", "threads") not in log
    assert told.steps[-1].total == 4


def test_an_error_in_the_middle_of_a_run_is_a_reason_too(
    volume: Volume, told: Told, bare: FakeLayer
) -> None:
    bare.instead["hits", "sync"] = fail
    run_volume(volume, [bare], plan(HITS), told)
    assert volume.skipped == [Skipped("bare", "hits", "sync", "[Errno 5] Input/output error")]
    assert volume.find("bare", "hits", "threads") is not None


def test_a_run_in_which_nothing_was_done_gives_no_figures(
    volume: Volume, told: Told, bare: FakeLayer
) -> None:
    bare.instead["hits", "sync"] = lambda: replace(
        FIGURES, seconds=1.25, operations=0, latencies=Latencies.of([])
    )
    run_volume(volume, [bare], plan(HITS), told)
    assert volume.skipped == [
        Skipped("bare", "hits", "sync", "within 1.2 s not one operation was done")
    ]


def test_ctrl_c_comes_through_and_what_was_finished_is_kept(
    volume: Volume, told: Told, bare: FakeLayer
) -> None:
    bare.instead["misses", "sync"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        run_volume(volume, [bare], plan(HITS, MISSES), told)
    assert [(each.workload, each.form) for each in volume.measurements] == [
        ("hits", "sync"),
        ("hits", "threads"),
    ]
    assert not volume.skipped


def test_without_a_dirty_limit_a_flood_is_skipped_with_the_reason_that_was_given(
    volume: Volume, told: Told, log: list[Run], bare: FakeLayer, served: FakeLayer
) -> None:
    run_volume(
        volume, [bare, served], plan(FLOOD, HITS), told, why_no_dirty_limit="it is all of 4.6 GiB"
    )
    assert volume.skipped == [
        Skipped("bare", "flood", "", "it is all of 4.6 GiB"),
        Skipped("served", "flood", "", "it is all of 4.6 GiB"),
    ]
    assert not [run for run in log if run[1] == "flood"]


def test_a_flood_runs_within_the_dirty_limit_and_nothing_else_does(
    volume: Volume, told: Told, bare: FakeLayer
) -> None:
    limited = False
    seen: list[tuple[str, bool]] = []

    @contextmanager
    def limit() -> Iterator[None]:
        nonlocal limited
        limited = True
        try:
            yield
        finally:
            limited = False

    def look(workload: Workload) -> Callable[[], Figures]:
        def run() -> Figures:
            seen.append((workload.name, limited))
            return FIGURES

        return run

    for workload in (HITS, FLOOD):
        bare.instead[workload.name, "sync"] = look(workload)
    run_volume(volume, [bare], plan(HITS, FLOOD, forms=(SYNC,)), told, dirty_limit=limit)
    assert seen == [("hits", False), ("flood", True)] * 2


def test_a_dirty_limit_that_cannot_be_set_is_a_reason(
    volume: Volume, told: Told, bare: FakeLayer
) -> None:
    def limit() -> AbstractContextManager[None]:
        raise OSError(13, "Permission denied")

    run_volume(volume, [bare], plan(FLOOD, forms=(SYNC,)), told, dirty_limit=limit)
    assert volume.skipped == [Skipped("bare", "flood", "sync", "[Errno 13] Permission denied")]
