"""Claims 3 and 4: where libaio is asynchronous."""

import statistics
from collections.abc import Iterator

from aio.compare.claims.readings import Reading, by_layers, experiment, why_no_experiment
from aio.compare.claims.verdict import Check, Finding, at_least, at_most
from aio.compare.claims.words import percent, us
from aio.compare.document import Place
from aio.compare.figures import Summary
from aio.compare.workloads import KIB, Workload

_NAME = "io_submit"
# Requests that are done when io_submit returns: all of those that it did itself, and of others a
# few, which a fast device has done while the batch's last was submitted.
_ALL = 0.99
_FEW = 0.25
# The part of the time that a loop of misses spends in io_submit, if that is where it waits for
# the disk.
_MOST = 0.5
# What the disk costs a hit at least, compared with the cache.
_DEARER = 1.25


def buffered_blocks(place: Place) -> Finding:
    """For buffered files io_submit does the work itself."""
    tried = list(_buffered(place))
    return by_layers(place, _blocked, why_no_experiment(place, _NAME), *tried)


def direct_is_asynchronous(place: Place) -> Finding:
    """With O_DIRECT it does not; but then there are no hits."""
    tried = list(_direct(place))
    missing = place.experiments.get(_NAME, {}).get("direct_reason")
    return by_layers(
        place,
        lambda reading: _uncached(reading, tried=bool(tried)),
        str(missing or why_no_experiment(place, _NAME)),
        *tried,
    )


def _buffered(place: Place) -> Iterator[Check]:
    for data in ("cold", "cached"):
        kind = f"buffered_{data}"
        found = experiment(place, _NAME, f"{kind}_done_at_return", calls=(kind,))
        if found is None:
            continue
        done = found[f"{kind}_done_at_return"]
        plain = found.get(f"pread_{data}_median_us")
        beside = f"; 16 preads took {us(plain)}" if plain is not None else ""
        yield Check(
            "yes" if done >= _ALL else "no",
            f"{percent(done)} of the buffered reads of {data} pages were done when io_submit "
            f"returned, which took {us(found[f'{kind}_median_us'])} for 16{beside}",
            ((f"io_submit of 16 buffered, {data}, longest", us(found[f"{kind}_max_us"])),),
        )


def _direct(place: Place) -> Iterator[Check]:
    found = experiment(place, _NAME, "direct_cold_done_at_return", calls=("direct_cold",))
    if found is not None:
        done = found["direct_cold_done_at_return"]
        yield Check(
            "yes" if done <= _FEW else "no",
            f"with O_DIRECT {percent(done)} were done when io_submit returned, which took "
            f"{us(found['direct_cold_median_us'])} for 16",
            (("io_submit of 16 direct, longest", us(found["direct_cold_max_us"])),),
        )


def _blocked(reading: Reading) -> Iterator[Check]:
    workload = reading.nearest("misses", 4 * KIB, 16, "libaio")
    part = _part_in_submit(reading, workload, "libaio")
    if workload is None or part is None:
        return
    stall = reading.get(workload, "libaio", "stall_us")
    yield Check(
        at_least(part, _MOST),
        f"{workload.name} with libaio spent {percent(part.median)} of the time in io_submit, and "
        f"the loop stood still for up to {us(stall.median)}",
        reading.evidence(workload, "stall_us", "libaio", "sync", "threads")
        + reading.evidence(workload, "ops_per_s", "libaio", "sync", "threads"),
    )


def _uncached(reading: Reading, *, tried: bool) -> Iterator[Check]:
    """What it costs counts where it was seen to be asynchronous at all."""
    form = "libaio direct"
    workload = reading.nearest("misses", 4 * KIB, 16, form)
    part = _part_in_submit(reading, workload, form)
    if workload is not None and part is not None:
        yield Check(
            at_most(part, _MOST),
            f"{workload.name} with {form} spent {percent(part.median)} of the time in io_submit",
            reading.evidence(workload, "ops_per_s", form, "libaio", "threads")
            + reading.evidence(workload, "stall_us", form, "libaio", "threads"),
        )
    workload = reading.nearest("hits", 4 * KIB, 1, form, "sync")
    if workload is not None and (tried or part is not None):
        direct, cached = (reading.get(workload, each, "p50_us") for each in (form, "sync"))
        yield Check(
            at_least(direct, _DEARER * cached.median),
            f"its price: {workload.name} took {us(direct.median)} (p50) from the disk, "
            f"{us(cached.median)} from the cache",
            reading.evidence(workload, "p50_us", form, "sync"),
        )


def _part_in_submit(reading: Reading, workload: Workload | None, form: str) -> Summary | None:
    """Of a run's time: what the loop spent in io_submit."""
    rounds = reading.rounds(workload, form) if workload else ()
    parts = [
        each.stats["submit_seconds"] / each.seconds
        for each in rounds
        if "submit_seconds" in each.stats
    ]
    return Summary(statistics.median(parts), min(parts), max(parts)) if parts else None
