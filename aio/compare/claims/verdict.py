"""What becomes of a claim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from aio.compare.figures import Summary

Holds = Literal["yes", "no", "partly", "not measured"]
Outcome = Literal["yes", "no", "close"]
Evidence = tuple[tuple[str, str], ...]  # label, amount


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim on one volume."""

    holds: Holds
    sentence: str
    evidence: Evidence = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim on all volumes."""

    number: str
    text: str
    volumes: Mapping[str, Finding]  # by their names, in the document's order


class Check(NamedTuple):
    """A row of the table, measured."""

    outcome: Outcome | None  # close: rounds differ by more than what decides; None: a remark
    sentence: str  # without its full stop
    evidence: Evidence = ()


def at_most(value: Summary, limit: float) -> Outcome:
    """The median decides, unless the next study may say otherwise (close).

    Then rounds lie on both sides, and the median is nearer to the limit than half their range.
    """
    unsure = value.low <= limit < value.high
    if unsure and abs(value.median - limit) < (value.high - value.low) / 2:
        return "close"
    return "yes" if value.median <= limit else "no"


def at_least(value: Summary, limit: float) -> Outcome:
    """As `at_most`."""
    return at_most(Summary(-value.median, -value.high, -value.low), -limit)


def all_of(outcomes: Sequence[Outcome]) -> Outcome:
    """The worst of them."""
    if "no" in outcomes:
        return "no"
    return "close" if "close" in outcomes else "yes"


def conclude(checks: Sequence[Check], missing: str) -> Finding:
    """The finding of all checks; `missing` is the reason for none."""
    outcomes = {check.outcome for check in checks} - {None}
    holds: Holds = "partly"
    if not outcomes:
        holds = "not measured"
    elif outcomes == {"yes"}:
        holds = "yes"
    elif outcomes == {"no"}:
        holds = "no"
    sentences = [] if outcomes else [f"{missing.removesuffix('.')}."]
    sentences += map(_sentence, checks)
    evidence = dict(line for check in checks for line in check.evidence)
    return Finding(holds, " ".join(sentences), tuple(evidence.items()))


def _sentence(check: Check) -> str:
    text = check.sentence.removesuffix(".")
    close = " (too close to tell)" if check.outcome == "close" else ""
    return f"{text[:1].upper()}{text[1:]}{close}."
