"""Claim 5: what asynchronous writing is good for."""

from collections.abc import Iterator

from aio.compare.claims.readings import (
    Reading,
    by_layers,
    experiment,
    why_not,
)
from aio.compare.claims.verdict import Check, Finding, at_least
from aio.compare.claims.words import amount, digits, us
from aio.compare.document import Place
from aio.compare.workloads import KIB, MIB

# What the best of the others may gain, to within what rounds differ by.
_AS_GOOD = 0.9
_OTHERS = ("threads", "libaio", "uring")
# Of the writes of a MiB that stay below the limit: those that waited for something.  Not for how
# long, since whatever else runs here takes its time too.
_HARDLY_ANY = 0.1
_WRITES = ((4 * KIB, 16), (64 * KIB, 16), (MIB, 4))
_LIMIT = "dirty_limit"
_PART = "partial_page"


def pointless_below_the_limit(place: Place) -> Finding:
    """Below it a write is as asynchronous as can be; beyond it, and for a part of a page, not."""
    further = (*_below(place), *_beyond(place), *_partial(place))
    return by_layers(place, _no_gain, f"no writes: {why_not(place, 'writes')}", *further)


def _no_gain(reading: Reading) -> Iterator[Check]:
    """Nobody writes more than `sync` does."""
    writes = (reading.nearest("writes", *each, "sync") for each in _WRITES)
    for workload in dict.fromkeys(writes):
        if workload is None or workload.load.data != "cached":
            continue
        others = [form for form in _OTHERS if reading.rounds(workload, form)]
        if not others:
            continue
        sync = reading.get(workload, "sync", "ops_per_s")
        best = max(others, key=lambda form: reading.get(workload, form, "ops_per_s").median)
        most = reading.get(workload, best, "ops_per_s").median
        yield Check(
            at_least(sync, _AS_GOOD * most),
            f"{workload.name}: {amount('ops_per_s', sync.median)} with sync, at most "
            f"{amount('ops_per_s', most)} with an asynchronous engine ({best})",
            reading.evidence(workload, "ops_per_s", "sync", *others)
            + reading.evidence(workload, "stall_us", "sync", *others),
        )


def _below(place: Place) -> Iterator[Check]:
    found = experiment(place, _LIMIT, calls=("below",))
    if found is not None:
        yield Check(
            "yes" if found["below_slept"] <= _HARDLY_ANY * found["below_count"] else "no",
            f"below the limit {found['below_slept']} of {found['below_count']} writes of 1 MiB "
            f"waited; one took {us(found['below_median_us'])}",
        )


def _beyond(place: Place) -> Iterator[Check]:
    found = experiment(place, _LIMIT, "beyond_pauses", "beyond_mib", "beyond_max_us")
    if found is not None:
        first = found.get("first_pause_after_mib")
        since = f" from the {digits(first + 1)}. MiB on" if first is not None else ""
        yield Check(
            "yes" if found["beyond_pauses"] else "no",
            f"beyond the limit the kernel paused the writer {found['beyond_pauses']} times in "
            f"{found['beyond_mib']} MiB{since}, for up to {us(found['beyond_max_us'])}",
        )


def _partial(place: Place) -> Iterator[Check]:
    kinds = ("cold_part", "cached_part", "cold_whole")
    needed = [f"{kind}_bytes_read" for kind in kinds]
    found = experiment(place, _PART, *needed, calls=kinds)
    if found is not None:
        part, cached, whole = (found[name] for name in needed)
        yield Check(
            "yes" if part > 0 == cached == whole else "no",
            f"100 bytes into a cold page took {us(found['cold_part_median_us'])} and read "
            f"{digits(part)} bytes from the disk; into a cached one "
            f"{us(found['cached_part_median_us'])} and {digits(cached)}, a whole cold page "
            f"{us(found['cold_whole_median_us'])} and {digits(whole)}",
        )
