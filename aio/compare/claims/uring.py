"""Claim 6a ranks many figures, of which any may decide: that is no limit."""

from collections.abc import Iterator
from typing import NamedTuple

from aio.compare.claims.readings import Reading
from aio.compare.claims.rows import NOWAIT
from aio.compare.claims.verdict import Check, Evidence
from aio.compare.claims.words import amount
from aio.compare.figures import Summary, heading
from aio.compare.workloads import KIB, MIB, Data, Group

# A difference: this factor, and rounds that do not overlap.
_MARKED = 1.1
_TOLD = 3  # in a sentence


class _Point(NamedTuple):
    group: Group
    data: Data
    size: int
    depth: int
    figure: str


_POINTS = (
    _Point("hits", "cached", 4 * KIB, 1, "cpu_us"),
    _Point("hits", "cached", 4 * KIB, 1, "ops_per_s"),
    _Point("hits", "cached", 4 * KIB, 16, "cpu_us"),
    _Point("hits", "cached", 4 * KIB, 16, "ops_per_s"),
    _Point("hits", "cached", 64 * KIB, 16, "ops_per_s"),
    _Point("misses", "evicted", 4 * KIB, 1, "p50_us"),
    _Point("misses", "evicted", 4 * KIB, 1, "ops_per_s"),
    _Point("misses", "evicted", 4 * KIB, 16, "cpu_us"),
    _Point("misses", "evicted", 4 * KIB, 16, "ops_per_s"),
    _Point("misses", "evicted", 4 * KIB, 64, "ops_per_s"),
    _Point("streams", "evicted", MIB, 1, "ops_per_s"),
)


def uring_is_better(reading: Reading) -> Iterator[Check]:
    """io_uring alone, and behind the probe."""
    for rival in ("uring", "nowait+uring"):
        yield from _compare(reading, rival)


def _compare(reading: Reading, rival: str) -> Iterator[Check]:
    better: list[tuple[float, str]] = []
    worse: list[tuple[float, str]] = []
    evidence: Evidence = ()
    # Each workload and figure once, however many points it is the nearest to.
    wanted = {
        (reading.nearest(*point[:2], point[2:4], rival, NOWAIT), point.figure): None
        for point in _POINTS
    }
    for workload, figure in wanted:
        ours = reading.run(workload, NOWAIT) if workload else None
        theirs = reading.run(workload, rival) if workload else None
        if not (workload and ours and theirs):
            continue
        new, old = theirs.value(figure), ours.value(figure)
        low, high = sorted((new.median, old.median))
        text = f"{amount(figure, new.median)} against {amount(figure, old.median)}"
        told = high / low if low else 0.0, f"{workload.name} {heading(figure)} ({text})"
        more, less = (new, old) if figure.endswith("_per_s") else (old, new)
        better += [told] if _exceeds(more, less) else []
        worse += [told] if _exceeds(less, more) else []
        evidence += reading.evidence(workload, figure, rival, NOWAIT)
    beside = f"beside {NOWAIT}, {rival} is"
    if better:
        yield Check("yes", f"{beside} better in {_largest(better)}", evidence)
    if worse:
        yield Check("no", f"{beside} worse in {_largest(worse)}", evidence)
    if evidence and not better and not worse:
        yield Check("no", f"{beside} no different in any figure", evidence)


def _exceeds(more: Summary, less: Summary) -> bool:
    return more.median >= _MARKED * less.median and more.low > less.high


def _largest(differences: list[tuple[float, str]]) -> str:
    texts = [text for _, text in sorted(differences, reverse=True)]
    rest = [f"and {len(texts) - _TOLD} more"] if len(texts) > _TOLD else []
    return ", ".join([*texts[:_TOLD], *rest])
