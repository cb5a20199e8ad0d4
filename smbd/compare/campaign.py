"""The whole study: place after place, both layers, then the experiments; into one document."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic

import aio
from aio.compare import machine
from aio.compare.bare import BareLayer
from aio.compare.document import Document, Layer, Place, Skipped
from aio.compare.experiments import EXPERIMENTS, Ground
from aio.compare.experiments import run as run_experiment
from aio.compare.files import Files
from aio.compare.forms import Form
from aio.compare.places import (
    OpenPlace,
    PlaceError,
    machine_dirty_limit,
    made_place,
    own_mount_namespace,
    user_place,
)
from aio.compare.progress import ProgressLine
from aio.compare.study import LayerRunner, Plan, run_place
from aio.compare.workloads import MIB, Workload
from smbd.compare.served import ServedLayer
from smbd.load import Signing

# Of each run.  A slow disk deals its reads out every 100 ms; some such turns must be in a run.
_SECONDS: Mapping[Layer, float] = {"bare": 0.15, "served": 0.25}
_QUICK_SECONDS: Mapping[Layer, float] = {"bare": 0.08, "served": 0.12}
_SLOW_SECONDS: Mapping[Layer, float] = {"bare": 0.6, "served": 0.6}
_QUICK_SLOW_SECONDS: Mapping[Layer, float] = {"bare": 0.25, "served": 0.25}
_EVICTED = 256 * MIB
_EVICTED_QUICK = 64 * MIB
# Beyond it writers wait, on a device of the study's own.  Large enough for writes below it.
_DIRTY_LIMIT = 16 * MIB


@dataclass(frozen=True, slots=True)
class Where:
    """A folder to measure in; or with `kind` a file system to make, with its image there."""

    folder: Path
    kind: str | None = None
    reads_per_second: int | None = None

    @property
    def name(self) -> str:
        """For people."""
        return self.kind or str(self.folder)

    def unmade(self) -> Place:
        """For the document, if it is not to be had."""
        made = self.kind is not None
        return Place(self.name, str(self.folder), self.name, "nothing", made, self.reads_per_second)

    def open(self) -> AbstractContextManager[OpenPlace]:
        """PlaceError: it is not to be had."""
        if self.kind is None:
            return user_place(self.folder)
        return made_place(self.kind, self.folder, reads_per_second=self.reads_per_second)


@dataclass(frozen=True, slots=True)
class Study:
    """The places, layers, workloads and forms that a study is asked for."""

    places: Sequence[Where]
    layers: Sequence[Layer]
    workloads: Sequence[Workload]
    forms: Sequence[Form]
    quick: bool
    rounds: int
    signing: Signing

    def plan(self, where: Where) -> Plan:
        """The runs there in one round."""
        if where.reads_per_second:
            # Such a place is there for rationed reads: of the rest it says nothing new.
            workloads = [each for each in self.workloads if each.on_slow_disks]
            seconds = _QUICK_SLOW_SECONDS if self.quick else _SLOW_SECONDS
            return Plan(1, seconds, workloads, self.forms)
        seconds = _QUICK_SECONDS if self.quick else _SECONDS
        return Plan(1, seconds, self.workloads, self.forms)


def new_document(study: Study, command: Sequence[str]) -> Document:
    """A document with nothing measured yet."""
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    return Document(date, tuple(command), machine.describe(), study.signing, study.quick)


def run_study(study: Study, document: Document, progress: ProgressLine) -> None:
    """Put everything that is asked for into the document.

    All places stand side by side, and each round goes through all of them: one that is slower shall
    be so by itself, not by the minute in which it was measured.

    A place that is not to be had is in it with the reason; PlaceError or OSError if it is the only
    one.  KeyboardInterrupt leaves what was finished.
    """
    if any(where.kind for where in study.places):
        own_mount_namespace()  # while there is one thread: others would not see the mounts
    began = monotonic()
    try:
        with ExitStack() as stack:
            sites = list(_sites(study, document, progress, stack))
            for _ in range(study.rounds):
                for site in sites:
                    site.run_round(progress)
            for site in sites:
                site.experiment(progress)
        document.complete = True
    finally:
        document.seconds = round(monotonic() - began, 1)


def _sites(
    study: Study, document: Document, progress: ProgressLine, stack: ExitStack
) -> Iterator["_Site"]:
    for where in study.places:
        progress.note(f"{where.name}: making files ...")
        try:
            site = _Site(study, where, stack)
        except (PlaceError, OSError) as error:
            if len(study.places) == 1:
                raise
            place = where.unmade()
            place.skipped += [Skipped(layer, "", "", str(error)) for layer in study.layers]
            document.places.append(place)
        else:
            document.places.append(site.place)
            yield site


class _Site:
    """A place with its files and its layers, for as long as the stack lasts."""

    def __init__(self, study: Study, where: Where, stack: ExitStack) -> None:
        self._quick = study.quick
        self._plan = study.plan(where)
        self._opened = stack.enter_context(where.open())
        evicted_size = _EVICTED_QUICK if study.quick else _EVICTED
        files = Files(self._opened.folder, evicted_size=evicted_size)
        self._files = stack.enter_context(files)
        self._layers = stack.enter_context(_layers(study, self._files))
        limit = self._opened.dirty_limit(_DIRTY_LIMIT)
        self._limit = None if limit is None else partial(_held, self._opened)
        self.place = self._opened.describe()
        self.place.forms = {form.name: _way(files.folder, form) for form in self._plan.forms}

    def run_round(self, progress: ProgressLine) -> None:
        """Everything once."""
        with self._opened.throttled():
            run_place(
                self.place,
                self._layers,
                self._plan,
                progress,
                dirty_limit=self._limit,
                why_no_dirty_limit=_why_no_dirty_limit(),
            )

    def experiment(self, progress: ProgressLine) -> None:
        """All experiments."""
        opened = self._opened
        ground = Ground(self._files, self._quick, opened.loop, opened.throttled, self._limit)
        for name, experiment in EXPERIMENTS.items():
            progress.note(f"{self.place.name}: the experiment {name!r} ...")
            self.place.experiments[name] = run_experiment(experiment, ground)


def _held(opened: OpenPlace) -> AbstractContextManager[None]:
    """The place's dirty limit, once more."""
    limit = opened.dirty_limit(_DIRTY_LIMIT)
    assert limit is not None
    return limit


@contextmanager
def _layers(study: Study, files: Files) -> Iterator[list[LayerRunner]]:
    with ExitStack() as stack:
        layers: list[LayerRunner] = []
        for name in study.layers:
            layer = (
                BareLayer(files)
                if name == "bare"
                else ServedLayer(files.folder, files, study.forms, study.signing)
            )
            stack.callback(layer.close)
            layers.append(layer)
        yield layers


def _way(folder: Path, form: Form) -> str:
    """Which way its requests will go there."""
    try:
        return str(aio.describe(folder, form.spec, **form.options))
    except OSError as error:
        return f"not available: {error.strerror}"


def _why_no_dirty_limit() -> str:
    limit = machine_dirty_limit()
    known = f" ({limit >> 20} MiB here)" if limit else ""
    return (
        f"the dirty limit{known} is the whole machine's: only a file system that the study has "
        "made gets one of its own (--file-systems)"
    )
