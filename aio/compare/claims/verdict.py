"""What is said of a claim: for each place whether it holds, and the figures that say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from aio.compare.figures import Summary

Holds = Literal["yes", "no", "partly", "not measured"]
Outcome = Literal["yes", "no", "close"]
Evidence = tuple[tuple[str, str], ...]  # what it is, and how much


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim at one place."""

    holds: Holds
    sentence: str
    evidence: Evidence = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim."""

    number: str
    text: str  # the claim in one sentence
    places: Mapping[str, Finding]  # by their names, in the document's order


class Check(NamedTuple):
    """One of the things that a claim says, as it was measured."""

    outcome: Outcome  # close: rounds differ by more than what decides it
    sentence: str  # without its full stop
    evidence: Evidence = ()


def at_most(value: Summary, limit: float) -> Outcome:
    """Whether a figure is no more than `limit`.

    The median says so.  But where rounds lie on both sides of the limit, and the median is nearer
    to it than half of what they differ by, the next study may say otherwise.
    """
    unsure = value.low <= limit < value.high
    if unsure and abs(value.median - limit) < (value.high - value.low) / 2:
        return "close"
    return "yes" if value.median <= limit else "no"


def at_least(value: Summary, limit: float) -> Outcome:
    """Whether a figure is no less than `limit`; as `at_most`."""
    return at_most(Summary(-value.median, -value.high, -value.low), -limit)


def all_of(*outcomes: Outcome) -> Outcome:
    """Whether all of them say yes."""
    if "no" in outcomes:
        return "no"
    return "close" if "close" in outcomes else "yes"


def conclude(checks: Sequence[Check], missing: str) -> Finding:
    """All that a claim says; `missing` is what is said where nothing was measured."""
    if not checks:
        return Finding("not measured", f"{missing.removesuffix('.')}.")
    outcomes = {check.outcome for check in checks}
    holds: Holds = "partly"
    if outcomes == {"yes"}:
        holds = "yes"
    elif outcomes == {"no"}:
        holds = "no"
    sentences = (
        f"{check.sentence} (too close to tell)" if check.outcome == "close" else check.sentence
        for check in checks
    )
    evidence = dict(line for check in checks for line in check.evidence)
    return Finding(holds, " ".join(map(_sentence, sentences)), tuple(evidence.items()))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."
