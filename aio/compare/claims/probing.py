"""Claim 1: what the probe costs where it hits, and where it misses."""

from collections.abc import Iterator

from aio.compare.claims.readings import Reading, by_layers, why_not
from aio.compare.claims.verdict import Check, Finding, all_of, at_most
from aio.compare.claims.words import digits, us
from aio.compare.document import Place
from aio.compare.workloads import KIB, Workload

NOWAIT = "nowait+threads"

# "What it costs" to within what rounds on a shared machine differ by, ...
_AS_MUCH = 1.15
# ... and the probe itself: a lookup and a flag where it hits, 1 to 2 us (measured); where it is
# refused it submits the read, 7 to 20 us that the worker need not spend again.
_PROBE_US = 2.0
_REFUSED_US = 20.0
# Calls to a worker for each hit: none, but for a page that was taken away meanwhile.
_NONE = 0.02

_HITS = ((4 * KIB, 1), (4 * KIB, 16), (64 * KIB, 16))
_MISSES = ((4 * KIB, 1), (4 * KIB, 16))


def pays_for_misses_alone(place: Place) -> Finding:
    """Hits as `sync` does them, misses as `threads` does them."""
    missing = f"neither hits nor misses were measured with {NOWAIT}: {why_not(place, 'hits')}"
    return by_layers(place, _checks, missing)


def _checks(reading: Reading) -> Iterator[Check]:
    hits = (reading.nearest("hits", *each, NOWAIT, "sync") for each in _HITS)
    misses = (reading.nearest("misses", *each, NOWAIT, "threads") for each in _MISSES)
    for workload in dict.fromkeys(hits):
        if workload is not None:
            yield _hits(reading, workload)
    for workload in dict.fromkeys(misses):
        if workload is not None:
            yield _misses(reading, workload)


def _hits(reading: Reading, workload: Workload) -> Check:
    cost = reading.get(workload, NOWAIT, "cpu_us")
    sync = reading.get(workload, "sync", "cpu_us")
    hops = reading.get(workload, NOWAIT, "hops")
    return Check(
        all_of(at_most(cost, sync.median * _AS_MUCH + _PROBE_US), at_most(hops, _NONE)),
        f"{workload.name}: {us(cost.median)} of CPU each and {digits(hops.median)} calls to a "
        f"worker (sync: {us(sync.median)})",
        reading.evidence(workload, "cpu_us", NOWAIT, "sync", "threads")
        + reading.evidence(workload, "hops", NOWAIT, "threads"),
    )


def _misses(reading: Reading, workload: Workload) -> Check:
    cost = reading.get(workload, NOWAIT, "cpu_us")
    threads_cost = reading.get(workload, "threads", "cpu_us")
    wait = reading.get(workload, NOWAIT, "p50_us")
    threads_wait = reading.get(workload, "threads", "p50_us")
    # All of a batch are probed before the first is waited for.
    probes = _REFUSED_US * workload.load.depth
    return Check(
        all_of(
            at_most(cost, threads_cost.median * _AS_MUCH + _REFUSED_US),
            at_most(wait, threads_wait.median * _AS_MUCH + probes),
        ),
        f"{workload.name}: p50 {us(wait.median)}, {us(cost.median)} of CPU each (threads: "
        f"{us(threads_wait.median)}, {us(threads_cost.median)})",
        reading.evidence(workload, "p50_us", NOWAIT, "threads")
        + reading.evidence(workload, "cpu_us", NOWAIT, "threads"),
    )
