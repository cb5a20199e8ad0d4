"""Documents made by hand, for what is said of them."""

from aio.compare.claims import Finding, judge
from aio.compare.document import Document, Layer, Measurement, Volume
from aio.compare.figures import SHARES, SLOTS, Figures, Latencies

NOWAIT = "nowait+threads"
HITS, MANY_HITS = "hits 4 KiB x1", "hits 4 KiB x16"
MISSES, MANY_MISSES = "misses 4 KiB x1", "misses 4 KiB x16"


def run(
    *,
    p50: float = 100.0,
    p99: float = 200.0,
    cpu: float = 50.0,
    rate: float = 10_000.0,
    hops: float = 0.0,
    stall: float = 300.0,
    others: float | None = None,
    **stats: float,
) -> Figures:
    """One second; times in microseconds, all but the first an operation."""
    operations = int(rate)
    beside = None if others is None else run(rate=others)
    total = operations + (beside.operations if beside else 0)
    quantiles = tuple(p99 if share >= 0.99 else p50 for share in SHARES)
    return Figures(
        seconds=1.0,
        operations=operations,
        transferred=operations * 4096,
        latencies=Latencies(operations, quantiles),
        cpu=cpu * total / 1e6,
        switches=0,
        hops=int(hops * total),
        inline=0,
        stall=stall / 1e6,
        iterations=(1.0,) * SLOTS,
        stats=stats,
        beside=beside,
    )


def volume(kind: str = "ext4", reads_per_second: int | None = None) -> Volume:
    return Volume(kind, f"/{kind}", kind, "a disk", made=True, reads_per_second=reads_per_second)


def put(where: Volume, workload: str, form: str, *rounds: Figures, layer: Layer = "served") -> None:
    """As measured; one run stands for three alike."""
    kept = list(rounds) if len(rounds) > 1 else [*rounds] * 3
    where.measurements = [
        each
        for each in where.measurements
        if (each.layer, each.workload, each.form) != (layer, workload, form)
    ]
    where.measurements.append(Measurement(layer, workload, form, kept))


def judged(number: str, *volumes: Volume) -> Finding:
    """What is found at the first of them."""
    document = Document("2026", ("smbd",), {}, "off", quick=False, volumes=list(volumes))
    [verdict] = [each for each in judge(document) if each.number == number]
    return verdict.volumes[volumes[0].name]


def calls(name: str, median: float, *, count: int = 100, slept: int = 0) -> dict[str, float]:
    return {
        f"{name}_count": count,
        f"{name}_slept": slept,
        f"{name}_median_us": median,
        f"{name}_p99_us": 2 * median,
        f"{name}_max_us": 3 * median,
    }
