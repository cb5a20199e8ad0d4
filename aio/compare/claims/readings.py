"""What a document has for a claim."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import NamedTuple

from aio.compare.claims.verdict import Evidence
from aio.compare.claims.words import amount, amounts
from aio.compare.document import Layer, Volume
from aio.compare.figures import Figures, Summary, heading, summarize
from aio.compare.workloads import Data, Group, Workload, workload_named

# One round alone: rounds of 0.2 s differ by this factor on a shared machine (measured).
_ROUGH = 1.25
_NOTHING = "nothing of the kind was measured"
SUBMITTING = "submit_share"  # of a run's time: what the loop spent in io_submit


class Run(NamedTuple):
    """A form under a workload."""

    form: str
    rounds: Sequence[Figures]

    def summary(self, figure: str) -> Summary:
        """A figure; KeyError: it was not measured."""
        if figure != SUBMITTING:
            return summarize(self.rounds)[figure]
        parts = [
            each.stats["submit_seconds"] / each.seconds
            for each in self.rounds
            if "submit_seconds" in each.stats
        ]
        if not parts:
            raise KeyError(figure)
        return Summary(statistics.median(parts), min(parts), max(parts))

    def value(self, figure: str) -> Summary:
        """A figure to decide by: a single round is rough."""
        found = self.summary(figure)
        if len(self.rounds) > 1 or figure == SUBMITTING:
            return found
        return Summary(found.median, found.median / _ROUGH, found.median * _ROUGH)

    def __format__(self, figure: str) -> str:
        """A figure's median; of "" the form's name."""
        return amount(figure, self.summary(figure).median) if figure else self.form


@dataclass(frozen=True, slots=True)
class Reading:
    """One layer on one volume."""

    volume: Volume
    layer: Layer
    ext4: Volume | None = None  # of the same study

    def run(self, workload: Workload, form: str) -> Run | None:
        """The run, if it was measured."""
        found = self.volume.find(self.layer, workload.name, form)
        return Run(form, found.rounds) if found else None

    def workloads(self, group: Group, data: Data, *forms: str) -> list[Workload]:
        """Workloads that were measured with all these forms."""
        names = dict.fromkeys(each.workload for each in self.volume.measurements)
        return [
            workload
            for workload in map(_known, names)
            if workload is not None
            and workload.group == group
            and (workload.beside or workload.load).data == data
            and all(self.run(workload, form) for form in forms)
        ]

    def nearest(
        self, group: Group, data: Data, point: tuple[int, int], *forms: str
    ) -> Workload | None:
        """The nearest workload by size, then by depth."""
        size, depth = point

        def distance(workload: Workload) -> tuple[float, float]:
            load = workload.load
            return abs(log2(load.size / size)), abs(log2(load.depth / depth))

        return min(self.workloads(group, data, *forms), key=distance, default=None)

    def evidence(self, workload: Workload, figure: str, *forms: str) -> Evidence:
        """A line for each measured form."""
        what = f"{self.layer}, {workload.name}, {heading(figure)}"
        runs = [run for form in forms if (run := self.run(workload, form))]
        return tuple((f"{what}: {run.form}", amounts(figure, run.summary(figure))) for run in runs)


def why_no_trial(volume: Volume, name: str) -> str:
    """The reason that an experiment gives."""
    found = volume.experiments.get(name, {})
    reasons = (str(value) for key, value in found.items() if key.endswith("reason"))
    return next(reasons, "this was not tried")


def why_no_workload(volume: Volume, group: Group) -> str:
    """The reason that a group was skipped for."""
    for skipped in volume.skipped:
        workload = _known(skipped.workload)
        if workload is not None and workload.group == group:
            return skipped.reason
    return _NOTHING


def _known(name: str) -> Workload | None:
    """The workload; None: of another version, or "" (all)."""
    try:
        return workload_named(name)
    except KeyError:
        return None
