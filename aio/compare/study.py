"""The study of one volume: the order of its runs, and their outcomes.

The rounds of one form lie apart, with all other forms in between: a machine has moods, and a mood
may spoil a round of all forms, but not all rounds of one form.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from aio.compare.document import Layer, Measurement, Skipped, Volume
from aio.compare.figures import Figures
from aio.compare.forms import FORMS, Form, form_named
from aio.compare.progress import Progress
from aio.compare.progress import Step as Running
from aio.compare.workloads import WORKLOADS, Workload

# Of a run's time, before it: all threads are started then, all files looked at.
WARM_UP = 0.1

DirtyLimit = Callable[[], AbstractContextManager[object]]


class CannotRun(Exception):  # noqa: N818 - an answer
    """A run that cannot be made here; the text says why.

    It is not tried again in the same layer: this workload with this form, or with any form, or
    this form under any workload.
    """

    def __init__(self, reason: str, *, any_form: bool = False, any_workload: bool = False) -> None:
        super().__init__(reason)
        self.any_form = any_form
        self.any_workload = any_workload


class LayerRunner(Protocol):
    """Loads engines in one way: bare, or through a server."""

    name: Layer

    def run(self, form: Form, workload: Workload, seconds: float) -> Figures:
        """One run; CannotRun, or OSError if something fails in the middle of it."""

    def close(self) -> None:
        """Give everything back."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of a study."""

    rounds: int
    seconds: Mapping[Layer, float]  # of each run
    workloads: Sequence[Workload] = WORKLOADS
    forms: Sequence[Form] = FORMS

    def forms_of(self, workload: Workload) -> list[Form]:
        """The forms that a workload is run on: all, and its variants."""
        return [*self.forms, *map(form_named, workload.variants)]


class _Step(NamedTuple):
    round: int  # from 1
    layer: LayerRunner
    workload: Workload
    form: Form


@dataclass(slots=True)
class _Flood:
    """How to make writes go beyond the dirty limit, or why that cannot be done."""

    limit: DirtyLimit | None
    why_not: str

    def around(self, workload: Workload) -> AbstractContextManager[object]:
        if workload.group != "flood":
            return nullcontext()
        if self.limit is None:
            raise CannotRun(self.why_not, any_form=True)
        return self.limit()


@dataclass(slots=True)
class _Steps:
    """The steps to come, and how many are done."""

    plan: Plan
    left: list[_Step]
    done: int = 0
    seconds_done: float = 0.0

    def current(self, volume: str) -> Running:
        step = self.left[0]
        return Running(
            volume,
            step.layer.name,
            f"{step.workload.name}, {step.form.name}, {step.round} of {self.plan.rounds}",
            self.done,
            self.done + len(self.left),
            self.seconds_done,
            sum(self.seconds(each) for each in self.left),
        )

    def seconds(self, step: _Step) -> float:
        return self.plan.seconds[step.layer.name]

    def succeeded(self) -> None:
        self.done += 1
        self.seconds_done += self.seconds(self.left.pop(0))

    def skip(self, what: Skipped) -> None:
        self.left = [step for step in self.left if not _is_of(step, what)]


def run_volume(
    volume: Volume,
    layers: Sequence[LayerRunner],
    plan: Plan,
    progress: Progress,
    *,
    dirty_limit: DirtyLimit | None = None,
    why_no_dirty_limit: str = "",
) -> None:
    """Run a plan on a volume; the figures are put into the volume, run by run.

    So after a KeyboardInterrupt the volume has every run that was finished.
    Workloads beyond the dirty limit run within `dirty_limit()`; without one they are skipped.
    """
    flood = _Flood(dirty_limit, why_no_dirty_limit)
    before = max((len(each.rounds) for each in volume.measurements), default=0)
    steps = _Steps(plan, list(_in_order(layers, plan, before)))
    for known in volume.skipped:  # by an earlier call
        steps.skip(known)
    while steps.left:
        step = steps.left[0]
        progress.begins(steps.current(volume.name))
        try:
            figures = _run(step, steps.seconds(step), flood)
        except (CannotRun, OSError) as error:
            skipped = _skipped(step, error)
            volume.skipped.append(skipped)
            steps.skip(skipped)
        else:
            _keep(volume, step, figures)
            steps.succeeded()
    progress.volume_done()


def _in_order(layers: Sequence[LayerRunner], plan: Plan, before: int) -> Iterator[_Step]:
    """Each round begins with another form: a form's position in the order must not be its merit.

    `before` is how many rounds there were in earlier calls.
    """
    for number in range(1, plan.rounds + 1):
        for layer in layers:
            for workload in plan.workloads:
                forms = plan.forms_of(workload)
                first = (before + number - 1) * max(len(forms) // 3, 1) % len(forms)
                for form in [*forms[first:], *forms[:first]]:
                    yield _Step(number, layer, workload, form)


def _run(step: _Step, seconds: float, flood: _Flood) -> Figures:
    with flood.around(step.workload):
        figures = step.layer.run(step.form, step.workload, seconds)
    if not figures.operations:
        raise CannotRun(f"within {figures.seconds:.1f} s not one operation was done")
    return figures


def _keep(volume: Volume, step: _Step, figures: Figures) -> None:
    key = step.layer.name, step.workload.name, step.form.name
    measurement = volume.find(*key)
    if measurement is None:
        measurement = Measurement(*key)
        volume.measurements.append(measurement)
    measurement.rounds.append(figures)


def _skipped(step: _Step, error: CannotRun | OSError) -> Skipped:
    wide = error if isinstance(error, CannotRun) else CannotRun("")
    workload = "" if wide.any_workload else step.workload.name
    form = "" if wide.any_form else step.form.name
    return Skipped(step.layer.name, workload, form, str(error))


def _is_of(step: _Step, what: Skipped) -> bool:
    return (
        step.layer.name == what.layer
        and what.workload in {"", step.workload.name}
        and what.form in {"", step.form.name}
    )
