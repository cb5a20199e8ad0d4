"""Claim 6: io_uring beside the probe with threads; and where io_uring is refused."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from aio.compare.claims.probing import NOWAIT
from aio.compare.claims.readings import Reading, by_layers, experiment, why_no_experiment
from aio.compare.claims.verdict import Check, Evidence, Finding, conclude
from aio.compare.claims.words import amount, us
from aio.compare.document import Place
from aio.compare.figures import Summary, heading
from aio.compare.workloads import KIB, MIB, Group

_RIVALS = ("uring", "nowait+uring")
# What makes a difference: so much, and more than any of the rounds differ by.
_MARKED = 1.1
_TOLD = 3  # in a sentence
_QUEUE = "rwf_nowait, full queue of a slow device"
_SECCOMP = "seccomp"
_FOUND = ("uring", "uring_reason", "libaio", "rwf_nowait", "engine", "pieces", "pieces_right")

Better = Literal["better", "worse", "no different"]


class _Point(NamedTuple):
    """Where they are compared, and by what."""

    group: Group
    size: int
    depth: int
    figure: str


_POINTS = (
    _Point("hits", 4 * KIB, 1, "cpu_us"),
    _Point("hits", 4 * KIB, 1, "ops_per_s"),
    _Point("hits", 4 * KIB, 16, "cpu_us"),
    _Point("hits", 4 * KIB, 16, "ops_per_s"),
    _Point("hits", 64 * KIB, 16, "ops_per_s"),
    _Point("misses", 4 * KIB, 1, "p50_us"),
    _Point("misses", 4 * KIB, 1, "ops_per_s"),
    _Point("misses", 4 * KIB, 16, "cpu_us"),
    _Point("misses", 4 * KIB, 16, "ops_per_s"),
    _Point("misses", 4 * KIB, 64, "ops_per_s"),
    _Point("streams", MIB, 1, "ops_per_s"),
)


def uring_is_better(place: Place) -> Finding:
    """Than the probe with threads: alone, and behind the probe in their place."""
    finding = by_layers(place, _rivals, f"io_uring and {NOWAIT} were not both measured")
    found = experiment(place, _QUEUE, calls=("probe", "uring_submit"))
    if found is None:
        return finding
    sentence = (
        f"With a full device queue {found['uring_submit_slept']} of "
        f"{found['uring_submit_count']} submissions waited, up to "
        f"{us(found['uring_submit_max_us'])}; of refused probes {found['probe_slept']} of "
        f"{found['probe_count']}, up to {us(found['probe_max_us'])}."
    )
    return Finding(finding.holds, f"{finding.sentence} {sentence}", finding.evidence)


def docker_refuses_uring(place: Place) -> Finding:
    """And the engine that is named next serves the same data."""
    found = experiment(place, _SECCOMP, *_FOUND)
    if found is None:
        return conclude((), why_no_experiment(place, _SECCOMP))
    right = found["pieces_right"] == found["pieces"]
    yes = not found["uring"] and right and "uring" not in found["engine"]
    others = ", ".join(
        f"{what} {'works' if found[name] else 'does not work'}"
        for name, what in (("libaio", "libaio"), ("rwf_nowait", "RWF_NOWAIT"))
    )
    sentence = (
        f"there io_uring {'works' if found['uring'] else 'is refused'} "
        f"({found['uring_reason'].removeprefix('refused by ')}); "
        f"nowait+uring,threads became {found['engine']} and read {found['pieces_right']} of "
        f"{found['pieces']} pieces right; {others}"
    )
    return conclude([Check("yes" if yes else "no", sentence)], "")


def _rivals(reading: Reading) -> Iterator[Check]:
    for rival in _RIVALS:
        yield from _compare(reading, rival)


def _compare(reading: Reading, rival: str) -> Iterator[Check]:
    found: dict[Better, list[tuple[float, str]]] = {"better": [], "worse": [], "no different": []}
    evidence: Evidence = ()
    for workload_name, figure, ours, theirs, lines in _measured(reading, rival):
        what = f"{workload_name} {heading(figure)}"
        both = f"{amount(figure, theirs.median)} against {amount(figure, ours.median)}"
        low, high = sorted((theirs.median, ours.median))
        times = high / low if low else 0.0
        found[_difference(figure, theirs, ours)].append((times, f"{what} ({both})"))
        evidence += lines
    if not evidence:
        return
    beside = f"beside {NOWAIT}, {rival} is"
    same = len(found["no different"])
    if found["better"]:
        yield Check("yes", f"{beside} better in {_largest(found['better'])}", evidence)
    if found["worse"]:
        yield Check("no", f"{beside} worse in {_largest(found['worse'])}", evidence)
    if not found["better"] and not found["worse"]:
        yield Check("no", f"{beside} no different in any of {same} figures", evidence)


def _largest(differences: Sequence[tuple[float, str]]) -> str:
    """Those that make the most of a difference; the evidence has all."""
    told = [text for _, text in sorted(differences, reverse=True)[:_TOLD]]
    more = len(differences) - len(told)
    return f"{', '.join(told)}, and {more} more" if more else ", ".join(told)


def _measured(
    reading: Reading, rival: str
) -> Iterator[tuple[str, str, Summary, Summary, Evidence]]:
    """Each workload and figure once, however many points it is the nearest to."""
    told = set()
    for point in _POINTS:
        workload = reading.nearest(point.group, point.size, point.depth, rival, NOWAIT)
        if workload is None or (workload.name, point.figure) in told:
            continue
        told.add((workload.name, point.figure))
        yield (
            workload.name,
            point.figure,
            reading.get(workload, NOWAIT, point.figure),
            reading.get(workload, rival, point.figure),
            reading.evidence(workload, point.figure, rival, NOWAIT),
        )


def _difference(figure: str, theirs: Summary, ours: Summary) -> Better:
    """What they are, compared with ours."""
    more, less = (theirs, ours) if figure.endswith("_per_s") else (ours, theirs)
    if more.median >= _MARKED * less.median and more.low > less.high:
        return "better"
    if less.median >= _MARKED * more.median and less.low > more.high:
        return "worse"
    return "no different"
