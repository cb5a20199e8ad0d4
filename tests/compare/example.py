"""A made-up but plausible study: what reports are tried on.  The same at every call."""

import random
from collections.abc import Iterator

from aio.compare.document import Document, Layer, Measurement, Skipped, Volume
from aio.compare.figures import SHARES, SLOTS, Figures, Latencies
from aio.compare.forms import FORMS, Form, form_named
from aio.compare.workloads import MIB, WORKLOADS, Load, Workload

ROUNDS = 3
SECONDS = 2.0
_LAYERS: tuple[Layer, ...] = ("bare", "served")
# Microseconds of CPU that the way of a request costs: in the loop, or over and back.
_INLINE = 9.0
_OVER = {"sync": 0.0, "threads": 48.0, "libaio": 60.0}
_OVER_OTHERS = 31.0
_SERVED = 74.0  # what SMB adds
_DISK = 140.0  # us of one read on the disk, which has this many hands:
_HANDS = 24

_FORMS_HERE = {
    "sync": "pread and pwrite in the loop",
    "nowait+sync": "preadv2(RWF_NOWAIT) in the loop, what would block too",
    "libaio direct": "io_submit past the page cache, aligned to 512 bytes",
}


def example(*, quick: bool = False, complete: bool = True) -> Document:
    """Two volumes, all forms, both layers, and what could not be measured."""
    workloads = [each for each in WORKLOADS if each.quick or not quick]
    return Document(
        date="2026-02-03T04:05:06+01:00",
        command=("smbd", "compare", "--file-systems", "ext4,tmpfs"),
        machine={
            "kernel": "Linux 6.18.2 x86_64",
            "CPU": "2 x Example CPU at 3.0 GHz",
            "memory": "7.7 GiB, no swap",
            "Python": "3.11.7, trio 0.33.0",
            "seccomp": "off",
            "dirty limits": "background 10 %, 20 % of what is free",
        },
        signing="required",
        quick=quick,
        complete=complete,
        seconds=427.0,
        volumes=[_ext4(workloads), _tmpfs(workloads)],
    )


def _ext4(workloads: list[Workload]) -> Volume:
    volume = Volume("ext4", "/tmp/smbd-compare/ext4", "ext4", "/dev/loop0 (in /var/tmp)", made=True)
    volume.forms = {form.name: _FORMS_HERE.get(form.name, form.name) for form in FORMS}
    volume.measurements = list(_measured(volume.name, workloads))
    volume.experiments = {
        "o_nonblock": {"eagain": 0, **_calls("with", 141.2), **_calls("without", 140.8)},
        "rwf_nowait": {"hits": 3, **_calls("cold", 1.9), "overwrites": "20 of 20 taken"},
        "io_submit": {**_calls("buffered_cold", 2240.0), "buffered_cold_done_at_return": 1.0},
        "rwf_nowait, full queue": {"reason": "this volume has no device of its own"},
    }
    return volume


def _calls(name: str, median: float) -> dict[str, float]:
    return {
        f"{name}_count": 2048,
        f"{name}_slept": 2000,
        f"{name}_median_us": median,
        f"{name}_p99_us": median * 3,
        f"{name}_max_us": median * 40,
    }


def _tmpfs(workloads: list[Workload]) -> Volume:
    volume = Volume("tmpfs", "/dev/shm/compare", "tmpfs", "memory", made=False)
    volume.forms = {form.name: _FORMS_HERE.get(form.name, form.name) for form in FORMS}
    here = [each for each in workloads if not _evicted(each) and each.group != "flood"]
    volume.measurements = [
        each for each in _measured(volume.name, here) if not form_named(each.form).options
    ]
    for layer in _LAYERS:
        volume.skipped += [
            Skipped(layer, each.name, "", _why_not(each)) for each in workloads if each not in here
        ]
        volume.skipped += [
            Skipped(layer, "", form, "O_DIRECT: this file system is its own page cache")
            for form in ("libaio direct", "uring direct")
        ]
    return volume


def _why_not(workload: Workload) -> str:
    if workload.group == "flood":
        return "this machine's dirty limit is 4.6 GiB, and this folder has no device of its own"
    return "pages of tmpfs cannot be evicted"


def _evicted(workload: Workload) -> bool:
    loads = (workload.load, workload.beside)
    return any(load is not None and load.data == "evicted" for load in loads)


def _measured(volume: str, workloads: list[Workload]) -> Iterator[Measurement]:
    for layer in _LAYERS:
        for workload in workloads:
            for form in (*FORMS, *map(form_named, workload.variants)):
                chance = random.Random(f"{volume} {layer} {workload.name} {form.name}")
                rounds = [_run(chance, layer, workload, form) for _ in range(ROUNDS)]
                yield Measurement(layer, workload.name, form.name, rounds)


def _run(chance: random.Random, layer: Layer, workload: Workload, form: Form) -> Figures:
    beside = workload.beside
    others = _alone(chance, layer, beside, form) if beside else None
    waits = _blocking(beside, form) if beside else 0.0
    return _alone(chance, layer, workload.load, form, waits, others)


def _alone(
    chance: random.Random,
    layer: Layer,
    load: Load,
    form: Form,
    delay: float = 0.0,
    beside: Figures | None = None,
) -> Figures:
    """Figures of one load; `delay` is for how long others keep the loop busy, in us."""
    inline = _goes_inline(load, form)
    hops = _behind(form) == "threads" and not inline
    cpu = _INLINE + load.size / MIB * 60 + (_SERVED if layer == "served" else 0)
    cpu += 0 if inline else _OVER.get(_behind(form), _OVER_OTHERS)
    wait = _DISK if _goes_to_disk(load, form) else 0.0
    at_once = 1 if _behind(form) == "sync" else min(load.depth, _HANDS)
    each = max(cpu + delay, (cpu + wait) / at_once) * chance.uniform(0.95, 1.1)
    operations = int(SECONDS * 1e6 / each)
    stall = (delay + cpu + (wait if _behind(form) == "sync" else 0)) * chance.uniform(2, 4)
    return Figures(
        seconds=SECONDS,
        operations=operations,
        transferred=operations * load.size,
        latencies=_latencies(chance, operations, each * load.depth, stall + wait),
        cpu=operations * cpu / 1e6 + (beside.cpu if beside else 0),
        switches=(0 if inline else operations) + (beside.switches if beside else 0),
        hops=(operations if hops else 0) + (beside.hops if beside else 0),
        inline=(operations if inline else 0) + (beside.inline if beside else 0),
        stall=stall / 1e6,
        iterations=tuple(round(stall * chance.uniform(0.2, 1), 1) for _ in range(SLOTS)),
        stats={"hits": operations if inline else 0, "reads": operations},
        beside=beside,
    )


def _behind(form: Form) -> str:
    return form.spec.removeprefix("nowait+")


def _goes_to_disk(load: Load, form: Form) -> bool:
    return load.data == "evicted" or "direct" in form.options


def _goes_inline(load: Load, form: Form) -> bool:
    if form.spec == "sync":
        return True
    fits = load.size <= form.options.get("inline_limit", MIB)
    return form.probe and fits and load.data == "cached"


def _blocking(beside: Load, form: Form) -> float:
    """For how long the others keep the loop, in us."""
    if beside.data == "cached":
        return beside.depth * 25.0 if _goes_inline(beside, form) else 0.0
    return beside.depth * _DISK if _behind(form) == "sync" else 0.0


def _latencies(chance: random.Random, count: int, middle: float, longest: float) -> Latencies:
    """Narrow up to the 90th percentile, then a tail."""
    worst = max(longest, middle * 1.5) * chance.uniform(1, 1.5)
    body = (middle * (0.7 + 0.6 * share) for share in SHARES)
    tail = (max(0.0, (share - 0.9) / 0.1) ** 12 for share in SHARES)
    return Latencies(
        count, tuple(round(b + t * (worst - b), 2) for b, t in zip(body, tail, strict=True))
    )
