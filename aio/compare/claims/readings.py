"""What a document has for a claim: workloads of a kind, and experiments; often not all of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

from aio.compare.claims.verdict import Check, Evidence, Finding, conclude
from aio.compare.claims.words import amounts
from aio.compare.document import Layer, Place
from aio.compare.figures import Figures, Summary, heading
from aio.compare.workloads import Group, Workload, workload_named

# What users get is served.  Bare tells the engines from what is around them.
_LAYERS: tuple[Layer, ...] = ("served", "bare")
_OF_CALLS = ("count", "slept", "median_us", "p99_us", "max_us")
# What another round would differ by, where there was but one: rounds of 0.2 s do so on a machine
# that is shared (measured).
_ROUGH = 1.25


@dataclass(frozen=True, slots=True)
class Reading:
    """What one layer measured at one place."""

    place: Place
    layer: Layer

    def workloads(self, group: Group, *forms: str) -> list[Workload]:
        """Those of a group that were measured with all these forms."""
        names = dict.fromkeys(each.workload for each in self.place.measurements)
        return [
            workload
            for workload in map(_known, names)
            if workload is not None
            and workload.group == group
            and all(self.rounds(workload, form) for form in forms)
        ]

    def nearest(self, group: Group, size: int, depth: int, *forms: str) -> Workload | None:
        """That of them which is nearest to a size and a depth, the size first."""

        def distance(workload: Workload) -> tuple[float, float]:
            load = workload.load
            return abs(log2(load.size / size)), abs(log2(load.depth / depth))

        return min(self.workloads(group, *forms), key=distance, default=None)

    def rounds(self, workload: Workload, form: str) -> Sequence[Figures]:
        """Every run of it; none if it was not measured."""
        found = self.place.find(self.layer, workload.name, form)
        return found.rounds if found else ()

    def get(self, workload: Workload, form: str, figure: str) -> Summary:
        """A figure of what was measured, to decide by: one round alone is taken for a rough one."""
        found = self._summary(workload, form, figure)
        if len(self.rounds(workload, form)) > 1:
            return found
        return Summary(found.median, found.median / _ROUGH, found.median * _ROUGH)

    def evidence(self, workload: Workload, figure: str, *forms: str) -> Evidence:
        """A figure of several forms, a line for each that was measured."""
        what = f"{self.layer}, {workload.name}, {heading(figure)}"
        return tuple(
            (f"{what}: {form}", amounts(figure, self._summary(workload, form, figure)))
            for form in forms
            if self.rounds(workload, form)
        )

    def _summary(self, workload: Workload, form: str, figure: str) -> Summary:
        found = self.place.find(self.layer, workload.name, form)
        assert found is not None, (workload.name, form)
        return found.summary[figure]


def by_layers(
    place: Place, checks: Callable[[Reading], Iterable[Check]], missing: str, *further: Check
) -> Finding:
    """What the served layer says, else the bare one; and what decides apart from both.

    Where both were measured and differ, both are told.
    """
    found = {layer: list(checks(Reading(place, layer))) for layer in _LAYERS}
    layers = [layer for layer in _LAYERS if found[layer]]
    if not layers:
        return conclude(further, missing)
    decides, *others = layers
    finding = conclude((*further, *found[decides]), missing)
    sentence, evidence = finding.sentence, dict(finding.evidence)
    for layer in others:
        other = conclude(found[layer], missing)
        evidence |= dict(other.evidence)
        if other.holds != conclude(found[decides], missing).holds:
            sentence += f" But {layer}: {other.holds}. {other.sentence}"
    return Finding(finding.holds, sentence, tuple(evidence.items()))


def experiment(
    place: Place, name: str, *needed: str, calls: Sequence[str] = ()
) -> dict[str, Any] | None:
    """What an experiment found, if it was made here and has these figures and kinds of calls."""
    found = place.experiments.get(name, {})
    figures = (f"{kind}_{key}" for kind in calls for key in _OF_CALLS)
    return found if all(each in found for each in (*needed, *figures)) else None


def why_no_experiment(place: Place, name: str) -> str:
    """Why there is nothing of it."""
    return str(place.experiments.get(name, {}).get("reason", "this was not tried"))


def why_not(place: Place, group: Group) -> str:
    """Why no workload of a group was measured, as far as is known."""
    for skipped in place.skipped:
        workload = _known(skipped.workload)
        if workload is not None and workload.group == group:
            return skipped.reason
    return "nothing of the kind was measured"


def _known(name: str) -> Workload | None:
    """None for one of another version, and for all of them."""
    try:
        return workload_named(name)
    except KeyError:
        return None
