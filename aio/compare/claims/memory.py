"""What is not ext4 but has its data as near: served hits on tmpfs and overlayfs."""

from collections.abc import Sequence
from typing import NamedTuple

from aio.compare.claims.probing import NOWAIT
from aio.compare.claims.readings import Reading, why_not
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
from aio.compare.claims.words import percent, us
from aio.compare.document import Place
from aio.compare.workloads import KIB, Workload

_SHARE = 0.8  # of ext4's operations a second, at least
_MORE_US = 4.0  # of CPU for each, at most
_KINDS = ("tmpfs", "overlayfs")


def hits_as_on_ext4(places: Sequence[Place]) -> dict[str, Finding]:
    """Served hits of the probe, each with ext4's from the same study."""
    others = [place for place in places if place.file_system == "ext4"]
    # Hits do not depend on the disk, but one that was not made slow is what a user has.
    ext4 = min(others, key=lambda place: place.reads_per_second is not None, default=None)
    return {place.name: _finding(place, ext4) for place in places if place.file_system in _KINDS}


def _finding(place: Place, ext4: Place | None) -> Finding:
    if ext4 is None:
        return conclude((), "there is no ext4 in this study to compare with")
    here, there = Reading(place, "served"), Reading(ext4, "served")
    found = [
        _compare(here, there, workload)
        for workload in here.workloads("hits", NOWAIT)
        # Of larger ones copying is most of the cost, and rounds differ by more than what is asked.
        if workload.load.size == 4 * KIB and there.rounds(workload, NOWAIT)
    ]
    passed = [each for each in found if each.outcome == "yes"]
    checks = [each.check() for each in found if each.outcome != "yes"]
    if passed:
        checks.append(_together(passed) if len(passed) > 1 else passed[0].check())
    return conclude(checks, f"no served hits with {NOWAIT}: {why_not(place, 'hits')}")


class _Compared(NamedTuple):
    """One workload, here and on ext4."""

    outcome: Outcome
    name: str
    part: float  # of ext4's operations a second
    more: float  # us of CPU for each
    evidence: Evidence

    def check(self) -> Check:
        """On its own."""
        sentence = f"{self.name} reached {percent(self.part)} of ext4's operations a second"
        more = f"at {us(abs(self.more))} {'more' if self.more > 0 else 'less'} CPU each"
        return Check(self.outcome, f"{sentence}, {more}", self.evidence)


def _compare(here: Reading, there: Reading, workload: Workload) -> _Compared:
    rate = here.get(workload, NOWAIT, "ops_per_s")
    ext4_rate = there.get(workload, NOWAIT, "ops_per_s").median
    cost = here.get(workload, NOWAIT, "cpu_us")
    ext4_cost = there.get(workload, NOWAIT, "cpu_us").median
    return _Compared(
        all_of(at_least(rate, _SHARE * ext4_rate), at_most(cost, ext4_cost + _MORE_US)),
        workload.name,
        rate.median / ext4_rate,
        cost.median - ext4_cost,
        here.evidence(workload, "ops_per_s", NOWAIT) + here.evidence(workload, "cpu_us", NOWAIT),
    )


def _together(passed: Sequence[_Compared]) -> Check:
    slowest = min(passed, key=lambda each: each.part)
    dearest = max(passed, key=lambda each: each.more)
    return Check(
        "yes",
        f"{len(passed)} workloads of hits reached {percent(slowest.part)} of ext4's operations a "
        f"second or more (the least: {slowest.name}), at {dearest.more:+.1f} us of CPU each or "
        f"less (the most: {dearest.name})",
        tuple(line for each in passed for line in each.evidence),
    )
