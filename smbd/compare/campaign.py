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
    """A folder to measure in; or with `kind` a file system to make, whose image is to be there."""

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
    """What is asked for."""

    places: Sequence[Where]
    layers: Sequence[Layer]
    workloads: Sequence[Workload]
    forms: Sequence[Form]
    quick: bool
    rounds: int
    signing: Signing

    def plan(self, where: Where) -> Plan:
        """What is run there."""
        if where.reads_per_second:
            # Rationed reads are what such a place is for: of the rest it says nothing new.
            workloads = [each for each in self.workloads if each.on_slow_disks]
            seconds = _QUICK_SLOW_SECONDS if self.quick else _SLOW_SECONDS
            return Plan(self.rounds, seconds, workloads, self.forms)
        seconds = _QUICK_SECONDS if self.quick else _SECONDS
        return Plan(self.rounds, seconds, self.workloads, self.forms)


def new_document(study: Study, command: Sequence[str]) -> Document:
    """A document with nothing measured yet."""
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    return Document(date, tuple(command), machine.describe(), study.signing, study.quick)


def run_study(study: Study, document: Document, progress: ProgressLine) -> None:
    """Put everything that is asked for into the document.

    A place that is not to be had is in it with the reason; PlaceError or OSError if it is the only
    one.  KeyboardInterrupt leaves what was finished.
    """
    if any(where.kind for where in study.places):
        own_mount_namespace()  # while there is one thread: others would not see the mounts
    began = monotonic()
    try:
        for number, where in enumerate(study.places):
            progress.note(f"{where.name}: making files ...")
            try:
                with where.open() as opened:
                    document.places.append(opened.describe())
                    _measure(study, opened, document.places[-1], study.plan(where), progress)
            except (PlaceError, OSError) as error:
                if len(study.places) == 1:
                    raise
                if len(document.places) == number:
                    document.places.append(where.unmade())
                reason = str(error)
                document.places[-1].skipped += [
                    Skipped(each, "", "", reason) for each in study.layers
                ]
        document.complete = True
    finally:
        document.seconds = round(monotonic() - began, 1)


def _measure(
    study: Study, opened: OpenPlace, place: Place, plan: Plan, progress: ProgressLine
) -> None:
    evicted_size = _EVICTED_QUICK if study.quick else _EVICTED
    limit = None
    if opened.dirty_limit(_DIRTY_LIMIT) is not None:
        limit = partial(_held, opened)
    with Files(opened.folder, evicted_size=evicted_size) as files:
        place.forms = {form.name: _way(files.folder, form) for form in plan.forms}
        with opened.throttled(), _layers(study, files) as layers:
            run_place(
                place,
                layers,
                plan,
                progress,
                dirty_limit=limit,
                why_no_dirty_limit=_why_no_dirty_limit(),
            )
        ground = Ground(files, study.quick, opened.loop, opened.throttled, limit)
        for name, experiment in EXPERIMENTS.items():
            progress.note(f"{place.name}: the experiment {name!r} ...")
            place.experiments[name] = run_experiment(experiment, ground)


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
