"""Claim 2, and what the probe makes of it: hits of one client while others miss."""

from collections.abc import Iterator

from aio.compare.claims.probing import NOWAIT
from aio.compare.claims.readings import Reading, by_layers, why_not
from aio.compare.claims.verdict import Check, Evidence, Finding, at_least, at_most
from aio.compare.claims.words import digits, us
from aio.compare.document import Place
from aio.compare.figures import Summary
from aio.compare.workloads import KIB, Workload

# From which on a hit counts as delayed, and what it may take beside misses, whichever is more.
_DELAYED = 2.0
_LITTLE_US = 1000.0


def blocking_delays_others(place: Place) -> Finding:
    """What one client's misses, read in the loop, do to another one's hits."""
    return by_layers(place, _delays, f"no hits beside misses: {why_not(place, 'mix')}")


def probe_keeps_hits_fast(place: Place) -> Finding:
    """On a slow disk: hits beside misses take what hits alone take, or no time that matters."""
    if place.reads_per_second is None:
        missing = "this disk was not made slow (--slow-disk)"
        return by_layers(place, lambda _: (), missing)
    return by_layers(place, _fast, f"no hits beside misses: {why_not(place, 'mix')}")


def _delays(reading: Reading) -> Iterator[Check]:
    for workload in _mixes(reading, "sync"):
        idle = _idle(reading, "sync")
        if idle is None:
            continue
        beside = reading.get(workload, "sync", "p99_us")
        stall = reading.get(workload, "sync", "stall_us")
        misses = reading.get(workload, "sync", "others_per_s")
        yield Check(
            at_least(beside, _DELAYED * idle.median),
            f"with {digits(misses.median)} misses a second ({_in_flight(workload)}) done by sync, "
            f"a hit's p99 went from {us(idle.median)} to {us(beside.median)} and the loop stood "
            f"still for up to {us(stall.median)}{_by_nowait(reading, workload)}",
            _figures(reading, workload),
        )


def _by_nowait(reading: Reading, workload: Workload) -> str:
    if not reading.rounds(workload, NOWAIT):
        return ""
    beside = reading.get(workload, NOWAIT, "p99_us")
    misses = reading.get(workload, NOWAIT, "others_per_s")
    return f"; with {NOWAIT} to {us(beside.median)}, at {digits(misses.median)} misses a second"


def _fast(reading: Reading) -> Iterator[Check]:
    for workload in _mixes(reading, NOWAIT):
        idle = _idle(reading, NOWAIT)
        if idle is None:
            continue
        beside = reading.get(workload, NOWAIT, "p99_us")
        limit = max(_DELAYED * idle.median, _LITTLE_US)
        sentence = (
            f"beside misses ({_in_flight(workload)}) a hit's p99 was {us(beside.median)} with "
            f"{NOWAIT}; {us(idle.median)} alone, so that {us(limit)} is allowed"
        )
        if reading.rounds(workload, "sync"):
            sync = reading.get(workload, "sync", "p99_us")
            sentence += f"; sync makes {us(sync.median)} of it"
        yield Check(at_most(beside, limit), sentence, _figures(reading, workload))


def _figures(reading: Reading, workload: Workload) -> Evidence:
    forms = ("sync", NOWAIT, "threads", "nowait+uring", "uring")
    return tuple(
        line
        for figure in ("p99_us", "stall_us", "others_per_s")
        for line in reading.evidence(workload, figure, *forms)
    )


def _mixes(reading: Reading, form: str) -> list[Workload]:
    """Hits beside misses, the fewest first."""
    mixes = [
        (workload.beside.depth, workload)
        for workload in reading.workloads("mix", form)
        if workload.beside is not None and workload.beside.data == "evicted"
    ]
    return [workload for _, workload in sorted(mixes, key=lambda each: each[0])]


def _in_flight(workload: Workload) -> str:
    assert workload.beside is not None
    return f"{workload.beside.depth} in flight"


def _idle(reading: Reading, form: str) -> Summary | None:
    """A hit's p99 while nobody else does anything; of the same run if it was measured there."""
    alone = [each for each in reading.workloads("mix", form) if each.beside is None]
    workload = alone[0] if alone else reading.nearest("hits", 4 * KIB, 1, form)
    return reading.get(workload, form, "p99_us") if workload else None
