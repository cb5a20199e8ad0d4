"""The whole study: volume after volume, both layers, then the experiments; into one document."""

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
from aio.compare.document import Document, Layer, Skipped, Volume
from aio.compare.experiments import EXPERIMENTS, Ground
from aio.compare.experiments import run as run_experiment
from aio.compare.files import Files
from aio.compare.forms import Form
from aio.compare.progress import ProgressLine
from aio.compare.study import LayerRunner, Plan, run_volume
from aio.compare.volumes import (
    OpenVolume,
    VolumeError,
    machine_dirty_limit,
    made_volume,
    own_mount_namespace,
    user_volume,
)
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
class WantedVolume:
    """A folder to measure in; or with `kind` a file system to make, with its image there."""

    folder: Path
    kind: str | None = None
    reads_per_second: int | None = None

    @property
    def name(self) -> str:
        """For people."""
        return self.kind or str(self.folder)

    def unmade(self) -> Volume:
        """For the document, if it is not to be had."""
        made = self.kind is not None
        return Volume(
            self.name, str(self.folder), self.name, "nothing", made, self.reads_per_second
        )

    def open(self) -> AbstractContextManager[OpenVolume]:
        """VolumeError: it is not to be had."""
        if self.kind is None:
            return user_volume(self.folder)
        return made_volume(self.kind, self.folder, reads_per_second=self.reads_per_second)


@dataclass(frozen=True, slots=True)
class Study:
    """The volumes, layers, workloads and forms that a study is asked for."""

    volumes: Sequence[WantedVolume]
    layers: Sequence[Layer]
    workloads: Sequence[Workload]
    forms: Sequence[Form]
    quick: bool
    rounds: int
    signing: Signing

    def plan(self, wanted: WantedVolume) -> Plan:
        """The runs there in one round."""
        if wanted.reads_per_second:
            # Such a volume is there for rationed reads: of the rest it says nothing new.
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

    All volumes stand side by side, and each round goes through all of them: a volume that is slower
    must be so by itself, not by the minute in which it was measured.

    A volume that cannot be had is in it with the reason; VolumeError or OSError if it is the only
    one.  KeyboardInterrupt leaves the finished runs.
    """
    if any(wanted.kind for wanted in study.volumes):
        own_mount_namespace()  # while there is one thread: others would not see the mounts
    began = monotonic()
    try:
        with ExitStack() as stack:
            studies = list(_volume_studies(study, document, progress, stack))
            for _ in range(study.rounds):
                for each in studies:
                    each.run_round(progress)
            for each in studies:
                each.experiment(progress)
        document.complete = True
    finally:
        document.seconds = round(monotonic() - began, 1)


def _volume_studies(
    study: Study, document: Document, progress: ProgressLine, stack: ExitStack
) -> Iterator["_VolumeStudy"]:
    for wanted in study.volumes:
        progress.note(f"{wanted.name}: making files ...")
        try:
            each = _VolumeStudy(study, wanted, stack)
        except (VolumeError, OSError) as error:
            if len(study.volumes) == 1:
                raise
            volume = wanted.unmade()
            volume.skipped += [Skipped(layer, "", "", str(error)) for layer in study.layers]
            document.volumes.append(volume)
        else:
            document.volumes.append(each.volume)
            yield each


class _VolumeStudy:
    """A volume with its files and its layers, for as long as the stack lasts."""

    def __init__(self, study: Study, wanted: WantedVolume, stack: ExitStack) -> None:
        self._quick = study.quick
        self._plan = study.plan(wanted)
        self._opened = stack.enter_context(wanted.open())
        evicted_size = _EVICTED_QUICK if study.quick else _EVICTED
        files = Files(self._opened.folder, evicted_size=evicted_size)
        self._files = stack.enter_context(files)
        self._layers = stack.enter_context(_layers(study, self._files))
        limit = self._opened.dirty_limit(_DIRTY_LIMIT)
        self._limit = None if limit is None else partial(_held, self._opened)
        self.volume = self._opened.describe()
        self.volume.forms = {form.name: _way(files.folder, form) for form in self._plan.forms}

    def run_round(self, progress: ProgressLine) -> None:
        """Everything once."""
        with self._opened.throttled():
            run_volume(
                self.volume,
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
            progress.note(f"{self.volume.name}: the experiment {name!r} ...")
            self.volume.experiments[name] = run_experiment(experiment, ground)


def _held(opened: OpenVolume) -> AbstractContextManager[None]:
    """The volume's dirty limit, once more."""
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
