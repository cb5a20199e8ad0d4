"""The evaluator: rows of the table become findings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aio.compare.claims.readings import Reading, Run, why_no_trial, why_no_workload
from aio.compare.claims.rows import ALONE, BEST, EXT4, Claim, Limit, Loads, Row, Trial
from aio.compare.claims.verdict import (
    Check,
    Evidence,
    Finding,
    Outcome,
    all_of,
    at_least,
    at_most,
    conclude,
)
from aio.compare.claims.words import amount
from aio.compare.document import Volume
from aio.compare.figures import Summary
from aio.compare.workloads import KIB, Workload

_SMALL = 4 * KIB


class _Case(Protocol):
    """A row's figures; KeyError: one was not measured."""

    def value(self, figure: str) -> Summary: ...

    def limit(self, limit: Limit) -> float: ...

    def facts(self) -> Mapping[str, object]: ...

    def evidence(self) -> Evidence: ...


class _Tried(NamedTuple):
    """An experiment."""

    source: Trial
    found: Mapping[str, Any]

    def value(self, figure: str) -> Summary:
        return Summary(*[self.found[figure]] * 3)

    def limit(self, limit: Limit) -> float:
        return limit.plus + (limit.times * float(self.found[limit.of]) if limit.of else 0.0)

    def facts(self) -> Mapping[str, object]:
        return {name: amount(name, value) for name, value in self.found.items()}

    def evidence(self) -> Evidence:
        facts = self.facts()
        lines = ((label, _told(template, facts)) for label, template in self.source.shown)
        return tuple((label, text) for label, text in lines if text)


class _Compared(NamedTuple):
    """A form under one workload, beside its rival."""

    source: Loads
    reading: Reading
    workload: Workload
    own: Run
    rival: Run | None

    def value(self, figure: str) -> Summary:
        return self.own.value(figure)

    def limit(self, limit: Limit) -> float:
        rival = self.rival.summary(limit.figure).median if self.rival else 0.0
        more = limit.plus + limit.each * self.workload.load.depth
        return max(limit.times * rival + more, limit.floor)

    def facts(self) -> Mapping[str, object]:
        runs = {form: self.reading.run(self.workload, form) for form in self.source.beside}
        return {
            **{form: run for form, run in runs.items() if run},
            "own": self.own,
            "rival": self.rival,
            "workload": self.workload.name,
            "depth": (self.workload.beside or self.workload.load).depth,
        }

    def evidence(self) -> Evidence:
        forms = dict.fromkeys((self.source.form, *self.source.beside))
        return tuple(
            line
            for figure in self.source.shown
            for line in self.reading.evidence(self.workload, figure, *forms)
        )


def evaluate(claim: Claim, volume: Volume, ext4: Volume | None) -> Finding:
    """The finding of experiments and the first measured layer; a second is told if it differs."""
    missing = _missing(claim, volume, ext4)
    if claim.slow_disk and volume.reads_per_second is None:
        return conclude((), missing)
    trials: list[Check] = []
    for row in claim.rows:
        if isinstance(row.source, Trial):
            trials += _checks(row, _tried(row.source, volume), trials)
    readings = [Reading(volume, layer, ext4) for layer in claim.layers]
    found = {reading.layer: _of_layer(claim, reading, trials) for reading in readings}
    layers = [layer for layer in claim.layers if found[layer]]
    if not layers:
        return conclude(trials, missing)
    decides, *others = layers
    finding = conclude([*trials, *found[decides]], missing)
    sentence, evidence = finding.sentence, dict(finding.evidence)
    for layer in others:
        other = conclude(found[layer], missing)
        evidence |= dict(other.evidence)
        if other.holds != conclude(found[decides], missing).holds:
            sentence += f" But {layer}: {other.holds}. {other.sentence}"
    return Finding(finding.holds, sentence, tuple(evidence.items()))


def _missing(claim: Claim, volume: Volume, ext4: Volume | None) -> str:
    source = claim.rows[0].source
    if claim.slow_disk and volume.reads_per_second is None:
        return "this disk was not made slow (--slow-disk)"
    if isinstance(source, Trial):
        return why_no_trial(volume, source.name)
    if not isinstance(source, Loads):
        return "the forms were not both measured"
    if source.rival == EXT4 and ext4 is None:
        return "there is no ext4 in this study to compare with"
    return why_no_workload(volume, source.group)


def _of_layer(claim: Claim, reading: Reading, trials: Sequence[Check]) -> list[Check]:
    checks: list[Check] = []
    for row in claim.rows:
        if isinstance(row.source, Loads):
            checks += _checks(row, _compared(row.source, reading), [*trials, *checks])
        elif not isinstance(row.source, Trial):
            checks += row.source(reading)
    return checks


def _checks(row: Row, cases: Iterator[_Case], before: Sequence[Check]) -> Iterator[Check]:
    if row.follows and not before:
        return
    for case in cases:
        try:
            outcomes = [_outcome(case, limit) for limit in row.limits]
            limits = [amount(limit.figure, case.limit(limit)) for limit in row.limits]
            facts = {**case.facts(), "limits": limits}
            sentence = row.sentence.format_map(facts) + _told(row.also, facts)
        except KeyError:
            continue
        yield Check(all_of(outcomes) if outcomes else None, sentence, case.evidence())


def _outcome(case: _Case, limit: Limit) -> Outcome:
    decide = at_most if limit.sense == "<=" else at_least
    return decide(case.value(limit.figure), case.limit(limit))


def _told(template: str, facts: Mapping[str, object]) -> str:
    """Empty if a figure was not measured."""
    try:
        return template.format_map(facts)
    except KeyError:
        return ""


def _tried(source: Trial, volume: Volume) -> Iterator[_Tried]:
    found = volume.experiments.get(source.name, {})
    try:
        case = _Tried(source, {**found, **(source.computed(found) if source.computed else {})})
        if all(_outcome(case, limit) == "yes" for limit in source.given):
            yield case
    except KeyError:
        return


def _compared(source: Loads, reading: Reading) -> Iterator[_Compared]:
    forms = {source.form, source.rival} - {"", ALONE, EXT4, BEST}
    nearest = (reading.nearest(source.group, source.data, point, *forms) for point in source.points)
    small = (
        each
        for each in reading.workloads(source.group, source.data, *forms)
        if each.load.size == _SMALL and not source.points
    )
    for workload in dict.fromkeys((*nearest, *small)):
        own = reading.run(workload, source.form) if workload else None
        rival = _rival(source, reading, workload) if workload and source.rival else None
        if workload and own and (rival or not source.rival):
            yield _Compared(source, reading, workload, own, rival)


def _rival(source: Loads, reading: Reading, workload: Workload) -> Run | None:
    if source.rival == ALONE:
        return _alone(source, reading)
    if source.rival == EXT4:
        there = Reading(reading.ext4, reading.layer) if reading.ext4 else None
        return there.run(workload, source.form) if there else None
    if source.rival == BEST:
        runs = [run for form in source.beside if (run := reading.run(workload, form))]
        return max(runs, key=lambda run: run.summary("ops_per_s").median, default=None)
    return reading.run(workload, source.rival)


def _alone(source: Loads, reading: Reading) -> Run | None:
    """The run made for it, or other hits at depth 1."""
    alone = [
        each for each in reading.workloads(source.group, "cached", source.form) if not each.beside
    ]
    nearest = reading.nearest("hits", "cached", (_SMALL, 1), source.form)
    workload = alone[0] if alone else nearest
    return reading.run(workload, source.form) if workload else None
