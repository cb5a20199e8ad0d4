"""The figures of one run of a workload, and their summary over several rounds."""

import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from aio.compare.usage import Usage

# At which a distribution of latencies is kept: enough to draw it, tail and all.
SHARES = (
    0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97,
    0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0,
)  # fmt: skip
# The loop's iterations over a run's time are kept as the longest in each of so many equal parts.
SLOTS = 40


@dataclass(frozen=True, slots=True)
class Latencies:
    """A distribution, in microseconds: the values at SHARES."""

    count: int
    quantiles: tuple[float, ...]

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Of measured times, in any order; no quantiles if there are none."""
        ordered = sorted(seconds)
        if not ordered:
            return cls(0, ())
        last = len(ordered) - 1
        indices = (min(int(share * len(ordered)), last) for share in SHARES)
        return cls(len(ordered), tuple(round(ordered[at] * 1e6, 2) for at in indices))

    def at(self, share: float) -> float:
        """The value below which this share lies; one of SHARES.  Something has been measured."""
        index = bisect_left(SHARES, share)
        assert SHARES[index] == share, share
        return self.quantiles[index]


@dataclass(frozen=True, slots=True)
class Figures:
    """One run.  A latency is the time from a request being there to its answer, waiting included.

    CPU time and switches are those of the process that has the engine, and of all its threads.
    """

    seconds: float
    operations: int
    transferred: int  # bytes
    latencies: Latencies
    cpu: float  # seconds
    switches: int  # how often a thread gave up the CPU to wait
    hops: int  # calls that went to a worker thread and came back
    inline: int  # operations answered at once, without waiting for anything
    stall: float  # seconds: the longest time for which the loop stood still
    iterations: tuple[float, ...]  # us: the longest iteration in each of SLOTS parts of the run
    stats: Mapping[str, float] = field(default_factory=dict)  # aio.Stats, of this run
    beside: "Figures | None" = None  # the figures of the others; CPU and the loop are counted above

    @classmethod
    def of_load(cls, seconds: float, transferred: int, latencies: Sequence[float]) -> Self:
        """The figures of one load's clients; CPU and the loop are known of all loads together."""
        return cls(
            seconds=seconds,
            operations=len(latencies),
            transferred=transferred,
            latencies=Latencies.of(latencies),
            cpu=0.0,
            switches=0,
            hops=0,
            inline=0,
            stall=0.0,
            iterations=(),
        )

    @classmethod
    def of_run(
        cls,
        loads: Sequence[Self],
        spent: Usage,
        iterations: Sequence[float],
        *,
        inline: int,
        stats: Mapping[str, float],
    ) -> Self:
        """The first load's figures, with the cost of all loads in them; `iterations` in seconds."""
        own, *others = loads
        return replace(
            own,
            cpu=spent.cpu,
            switches=spent.switches,
            hops=int(stats["switches"]),
            inline=inline,
            stall=max(iterations),
            iterations=tuple(round(iteration * 1e6, 1) for iteration in iterations),
            stats=stats,
            beside=others[0] if others else None,
        )

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds

    @property
    def all_operations(self) -> int:
        """With those of the others beside: CPU time and switches were spent on all."""
        return self.operations + (self.beside.operations if self.beside else 0)

    def summary(self) -> dict[str, float]:
        """The figures that tables and claims speak of, by the names in UNITS.

        There is at least one operation; the others beside may have none.
        """
        total = self.all_operations
        return {
            "ops_per_s": self.rate,
            "mb_per_s": self.transferred / self.seconds / 1e6,
            "p50_us": self.latencies.at(0.5),
            "p99_us": self.latencies.at(0.99),
            "p999_us": self.latencies.at(0.999),
            "max_us": self.latencies.at(1.0),
            "cpu_us": self.cpu * 1e6 / total,
            "switches": self.switches / total,
            "hops": self.hops / total,
            "inline": self.inline / total,
            "stall_us": self.stall * 1e6,
            "others_per_s": self.beside.rate if self.beside else 0.0,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The figures from a document; KeyError or TypeError if they are something else."""
        latencies = values["latencies"]
        beside = values["beside"]
        return cls(
            **{
                **values,
                "latencies": Latencies(latencies["count"], tuple(latencies["quantiles"])),
                "iterations": tuple(values["iterations"]),
                "beside": None if beside is None else cls.from_json(beside),
            }
        )


# The figures of `summary`: heading, and meaning.
UNITS = {
    "ops_per_s": ("ops/s", "operations a second"),
    "mb_per_s": ("MB/s", "10^6 bytes a second"),
    "p50_us": ("p50 us", "median latency, microseconds"),
    "p99_us": ("p99 us", "latency that 1 of 100 exceeds, microseconds"),
    "p999_us": ("p99.9 us", "latency that 1 of 1000 exceeds, microseconds"),
    "max_us": ("max us", "longest latency, microseconds"),
    "cpu_us": ("CPU us", "CPU time of the process with the engine, microseconds an operation"),
    "switches": ("waits", "how often a thread gave up the CPU to wait, an operation"),
    "hops": ("hops", "calls to a worker thread, an operation"),
    "inline": ("inline", "share of the operations answered at once, in the loop"),
    "stall_us": ("stall us", "longest time for which the event loop stood still, microseconds"),
    "others_per_s": ("others/s", "operations a second of those beside"),
}


def heading(name: str) -> str:
    """The heading of a figure's column; its unit is with the amount."""
    return UNITS[name][0].removesuffix(" us")


@dataclass(frozen=True, slots=True)
class Summary:
    """One figure over all rounds."""

    median: float
    low: float
    high: float


def summarize(rounds: Sequence[Figures]) -> dict[str, Summary]:
    """Median and spread of each figure of `Figures.summary`."""
    found = [each.summary() for each in rounds]
    return {name: _spread([each[name] for each in found]) for name in found[0]}


def distribution(rounds: Sequence[Figures]) -> list[float]:
    """The median over all rounds of each quantile, in microseconds, at SHARES.

    Of rounds in which something was measured; empty if there is none.
    """
    measured = [each.latencies.quantiles for each in rounds if each.latencies.count]
    return [statistics.median(column) for column in zip(*measured, strict=True)]


def _spread(values: Sequence[float]) -> Summary:
    return Summary(statistics.median(values), min(values), max(values))
