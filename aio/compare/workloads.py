"""The requests that are made: their size, how many at once, and whether their data is cached.

Every load is a closed loop: `depth` requests are in flight always, and the next is there as soon
as one is answered.
"""

from dataclasses import dataclass
from typing import Literal

Operation = Literal["read", "write"]
# Where the data is: in the page cache; evicted from it (posix_fadvise) and not asked for twice;
# or (writes) everything that is written stays dirty until the kernel's limit makes writers wait.
Data = Literal["cached", "evicted", "dirty"]
Order = Literal["random", "sequential"]
# The headings of tables and report, in their order.
Group = Literal["hits", "misses", "mix", "streams", "writes", "flood"]

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request, `depth` of them in flight."""

    operation: Operation = "read"
    size: int = 4 * KIB  # bytes of one request
    depth: int = 1
    data: Data = "cached"
    order: Order = "random"


@dataclass(frozen=True, slots=True)
class Workload:
    """The load that is measured, and the load of other clients beside it."""

    name: str  # unique
    group: Group
    load: Load
    beside: Load | None = None
    # Forms of engines that are measured here beside the usual ones, to see an option at work.
    variants: tuple[str, ...] = ()
    quick: bool = False  # in the short study too

    @property
    def on_slow_disks(self) -> bool:
        """Whether it is run where reads are rationed: small reads, and writes that read."""
        beside = self.beside or self.load
        small = max(self.load.size, beside.size) <= 4 * KIB
        return small and (self.load.operation == "read" or self.load.data == "evicted")


def in_bytes(size: int) -> str:
    """A size as it stands in the names of workloads: 512 B, 4 KiB, 1 MiB."""
    if size >= MIB:
        return f"{size // MIB} MiB"
    return f"{size // KIB} KiB" if size >= KIB else f"{size} B"


def _hits(size: int, depth: int, *, quick: bool = False) -> Workload:
    return Workload(
        f"hits {in_bytes(size)} x{depth}", "hits", Load("read", size, depth), quick=quick
    )


def _misses(size: int, depth: int, *, quick: bool = False) -> Workload:
    load = Load("read", size, depth, "evicted")
    return Workload(f"misses {in_bytes(size)} x{depth}", "misses", load, quick=quick)


def _mix(missing: int, *, quick: bool = False) -> Workload:
    name = f"hits 4 KiB x1 beside {missing} {'miss' if missing == 1 else 'misses'}"
    beside = Load("read", 4 * KIB, missing, "evicted")
    return Workload(name, "mix", Load("read", 4 * KIB, 1), beside, quick=quick)


def _stream(
    size: int, depth: int, *, quick: bool = False, variants: tuple[str, ...] = ()
) -> Workload:
    load = Load("read", size, depth, "evicted", "sequential")
    name = f"stream {in_bytes(size)} x{depth}"
    return Workload(name, "streams", load, variants=variants, quick=quick)


def _writes(size: int, depth: int, *, quick: bool = False) -> Workload:
    name = f"writes {in_bytes(size)} x{depth}"
    return Workload(name, "writes", Load("write", size, depth), quick=quick)


_LIMITS = ("nowait+threads inline_limit=65536",)
_UNCACHED = ("nowait+threads dontcache=1048576",)

WORKLOADS = (
    _hits(4 * KIB, 1, quick=True),
    _hits(4 * KIB, 4),
    _hits(4 * KIB, 16, quick=True),
    _hits(4 * KIB, 64),
    _hits(64 * KIB, 1),
    _hits(64 * KIB, 16, quick=True),
    _hits(MIB, 1),
    _hits(MIB, 4),
    _misses(4 * KIB, 1, quick=True),
    _misses(4 * KIB, 4),
    _misses(4 * KIB, 16, quick=True),
    _misses(4 * KIB, 64),
    _misses(64 * KIB, 1),
    _misses(64 * KIB, 16),
    _misses(MIB, 4),
    Workload("hits 4 KiB x1 alone", "mix", Load("read", 4 * KIB, 1), quick=True),
    _mix(1),
    _mix(4),
    _mix(16, quick=True),
    Workload(
        "hits 4 KiB x1 beside 4 hits of 1 MiB",
        "mix",
        Load("read", 4 * KIB, 1),
        Load("read", MIB, 4),
        variants=_LIMITS,
    ),
    _stream(64 * KIB, 1),
    _stream(MIB, 1, quick=True, variants=_UNCACHED),
    _stream(MIB, 4, variants=_UNCACHED),
    _writes(4 * KIB, 1),
    _writes(4 * KIB, 16, quick=True),
    _writes(64 * KIB, 16),
    _writes(MIB, 4),
    # A part of a page that is not there: the page must be read first.
    Workload(
        "writes 512 B x16 into evicted pages",
        "writes",
        Load("write", 512, 16, "evicted"),
        quick=True,
    ),
    Workload(
        "writes 1 MiB x4 beyond the dirty limit",
        "flood",
        Load("write", MIB, 4, "dirty", "sequential"),
        quick=True,
    ),
    Workload(
        "hits 4 KiB x1 beside 4 writes beyond the dirty limit",
        "flood",
        Load("read", 4 * KIB, 1),
        Load("write", MIB, 4, "dirty", "sequential"),
    ),
)


def workload_named(name: str) -> Workload:
    """The workload of this name; KeyError if there is none."""
    return _BY_NAME[name]


_BY_NAME = {workload.name: workload for workload in WORKLOADS}
