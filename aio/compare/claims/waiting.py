"""Claim 0: what makes a read of a file not wait, and whether that is so always."""

from collections.abc import Iterator

from aio.compare.claims.readings import experiment, why_no_experiment
from aio.compare.claims.verdict import Check, Evidence, Finding, conclude
from aio.compare.claims.words import digits, us
from aio.compare.document import Place

# Of probes on an idle device: the machine may have better to do now and then.
_NOW_AND_THEN = 0.01
# us.  A tenth of the shortest wait for a slice of the throttle: this is no wait for the device.
_BEARABLE = 10_000


def o_nonblock_changes_nothing(place: Place) -> Finding:
    """Cold reads of a regular file wait, and are not refused."""
    name = "o_nonblock"
    found = experiment(place, name, "eagain", calls=("with", "without"))
    if found is None:
        return conclude((), why_no_experiment(place, name))
    refused, count = found["eagain"], found["with_count"]
    number = f"none of {digits(count)}" if not refused else f"{refused} of {digits(count)}"
    sentence = (
        f"{number} cold reads with O_NONBLOCK failed with EAGAIN; they took "
        f"{us(found['with_median_us'])} each, and {us(found['without_median_us'])} without it"
    )
    return conclude([Check("no" if refused else "yes", sentence)], "")


def nowait_never_waits(place: Place) -> Finding:
    """A refused probe gives up the CPU for nothing: not for the disk, nor for its queue."""
    if experiment(place, "rwf_nowait", calls=("cold",)) is None:
        return conclude((), why_no_experiment(place, "rwf_nowait"))
    return conclude([*_idle(place), *_queues(place), *_metadata(place)], "")


def probe_notices(place: Place) -> Finding:
    """After a probe that had to wait, the loop turns: what is not resident is not probed."""
    name, form = "engines, full queue of a slow device", "nowait+threads"
    found = experiment(place, name, f"{form}, stall_us")
    if found is None:
        return conclude((), why_no_experiment(place, name))
    stall = found[f"{form}, stall_us"]
    forms = [key.removesuffix(", stall_us") for key in found if key.endswith(", stall_us")]
    worst = max(forms, key=lambda each: found[f"{each}, stall_us"])
    sentence = (
        f"with {found['others']} others reading from a disk of {found['reads_per_second']} reads "
        "a second, the loop stood still for at most "
        f"{us(stall)} with {form}; with {worst} for "
        f"{us(found[f'{worst}, stall_us'])}"
    )
    evidence = tuple(
        (f"longest stall, full queue: {each}", us(found[f"{each}, stall_us"])) for each in forms
    )
    return conclude([Check("yes" if stall < _BEARABLE else "no", sentence, evidence)], "")


def _idle(place: Place) -> Iterator[Check]:
    found = place.experiments["rwf_nowait"]
    slept, count = found["cold_slept"], found["cold_count"]
    yield Check(
        "yes" if slept <= _NOW_AND_THEN * count else "no",
        f"on an idle device {digits(slept)} of {digits(count)} refused probes waited; one took "
        f"{us(found['cold_median_us'])} (at most {us(found['cold_max_us'])}) where nothing was "
        "cached",
        tuple(
            (f"refused probe, {words}, {heading}", us(found[f"{kind}_{key}_us"]))
            for kind, words in (("cold", "nothing cached"), ("on_its_way", "read on its way"))
            for key, heading in (("median", "median"), ("p99", "p99"), ("max", "max"))
            if f"{kind}_{key}_us" in found
        ),
    )


def _queues(place: Place) -> Iterator[Check]:
    for name, whose in (
        ("rwf_nowait, full queue", "the device's queue"),
        ("rwf_nowait, full queue of a slow device", "the queue of a slow device"),
    ):
        found = experiment(
            place, name, "places", "most_in_queue", "others", calls=("probe", "read")
        )
        if found is None or found["most_in_queue"] < found["places"]:
            continue  # it was not full, and says nothing
        slept, count = found["probe_slept"], found["probe_count"]
        rate = found.get("reads_per_second")
        which = f"{found['places']} places" + (f", {rate} reads a second" if rate else "")
        yield Check(
            "no" if slept else "yes",
            f"with {whose} full ({which}, {found['others']} others reading) {slept} of {count} "
            f"refused probes waited, up to {us(found['probe_max_us'])}; a plain read up to "
            f"{us(found['read_max_us'])}",
            _longest(place, name),
        )


def _longest(place: Place, name: str) -> Evidence:
    found = place.experiments[name]
    what = name.partition(", ")[2]
    kinds = {
        "probe": "refused probe",
        "read": "plain read",
        "uring_submit": "submission to io_uring",
        "uring_direct_submit": "submission to io_uring with O_DIRECT",
    }
    return tuple(
        (
            f"{what}, {words}",
            (
                f"{us(found[f'{kind}_median_us'])}, at most {us(found[f'{kind}_max_us'])}; "
                f"{found[f'{kind}_slept']} of {found[f'{kind}_count']} waited"
            ),
        )
        for kind, words in kinds.items()
        if experiment(place, name, calls=(kind,))
    )


def _metadata(place: Place) -> Iterator[Check]:
    found = experiment(place, "rwf_nowait, cold metadata", "extents", calls=("probe",))
    if found is not None:
        slept, count = found["probe_slept"], found["probe_count"]
        yield Check(
            "no" if slept else "yes",
            f"right after mounting, on a file of {digits(found['extents'])} pieces, {slept} of "
            f"{count} refused probes waited, up to {us(found['probe_max_us'])}, while the file "
            "system read where the data is",
        )
