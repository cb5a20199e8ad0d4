"""Where experiments are made, and how a call is timed in them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from resource import RUSAGE_THREAD, getrusage
from time import perf_counter
from typing import Generic, NamedTuple, ParamSpec, TypeVar

from aio.compare.figures import Latencies
from aio.compare.files import Files
from aio.compare.study import DirtyLimit
from aio.compare.workloads import MIB, Load, Workload

T = TypeVar("T")
P = ParamSpec("P")

# JSON; names that end with _us are of microseconds.
Value = float | str | bool
Found = dict[str, Value]

COLD = Workload("an experiment", "misses", Load(data="evicted"))
WARM = Workload("an experiment", "hits", Load(data="cached"))
DIRTY = Workload("an experiment", "flood", Load("write", MIB, 1, "dirty", "sequential"))


@dataclass(frozen=True, slots=True)
class Ground:
    """A volume as experiments need it.  They run in `throttled`, but for those that enter it."""

    files: Files
    quick: bool = False
    loop: str | None = None  # the device that it is on ("/dev/loop0"), if the study made it
    throttled: Callable[[], AbstractContextManager[object]] = nullcontext
    dirty_limit: DirtyLimit | None = None

    @property
    def seconds(self) -> float:
        """How long one series of calls may take."""
        return 0.1 if self.quick else 0.5

    def cold(self, size: int) -> list[int]:
        """Evict the cold file; the offsets at which no read finds a page.  CannotRun."""
        self.files.prepare(COLD)
        return self.files.blocks(Load(size=size, data="evicted"))


class Timed(NamedTuple, Generic[T]):
    """One call."""

    result: T | None  # None: BlockingIOError
    seconds: float
    slept: bool  # it gave up the CPU to wait: no noise of other processes looks like that


def timed(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Timed[T]:
    """Call a function that may refuse with BlockingIOError."""
    result = None
    waits = getrusage(RUSAGE_THREAD).ru_nvcsw
    started = perf_counter()
    try:  # noqa: SIM105 - `suppress` costs half a microsecond, which would be timed
        result = call(*args, **kwargs)
    except BlockingIOError:
        pass
    seconds = perf_counter() - started
    return Timed(result, seconds, getrusage(RUSAGE_THREAD).ru_nvcsw != waits)


@dataclass(slots=True)
class Calls:
    """All calls of one kind."""

    seconds: list[float] = field(default_factory=list)
    slept: int = 0

    def add(self, call: Timed[T]) -> T | None:
        """Count one in; its result."""
        self.seconds.append(call.seconds)
        self.slept += call.slept
        return call.result

    def found(self, name: str) -> Found:
        """As figures; no times where there was no call."""
        figures: Found = {f"{name}_count": len(self.seconds)}
        if self.seconds:
            times = Latencies.of(self.seconds)
            figures |= {
                f"{name}_slept": self.slept,
                f"{name}_median_us": times.at(0.5),
                f"{name}_p99_us": times.at(0.99),
                f"{name}_max_us": times.at(1.0),
            }
        return figures


def while_time(seconds: float, items: Iterable[T], fewest: int = 5) -> Iterator[T]:
    """As many of them as there is time for, and the fewest in any case."""
    until = perf_counter() + seconds
    for count, item in enumerate(items):
        if count >= fewest and perf_counter() > until:
            return
        yield item


def pairs(items: Sequence[T]) -> Iterator[tuple[T, T]]:
    """Two and two, for two calls that are compared."""
    return zip(items[::2], items[1::2], strict=False)
