"""The table of issue 12: what is measured, with the bar and the aim of each row."""

from dataclasses import dataclass, replace
from typing import Self

from smbd.load import Operation, Signing

from . import kernel
from .bars import SAMBA, Bar, cost, floor, rate
from .measures import (
    Measure,
    beside_misses,
    idle_connections,
    listing,
    load,
    logins,
    small_files,
    transfer,
)
from .stands import Place
from .tasks import Task

_KIB, _MIB = 1 << 10, 1 << 20
_SIGNINGS: dict[Signing, str] = {
    "off": "",
    "gmac": ", signed (GMAC)",
    "sealed": ", sealed (GCM)",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is to do in rows that do all of it."""

    entries: int = 10_000  # of a listing
    files: int = 500  # small ones
    transferred: int = 256  # MiB
    connections: int = 1000  # idle
    doomed: int = 2000  # files to be deleted in a round


FULL, TINY = Sizes(), Sizes(300, 20, 2, 20, 50)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    measure: Measure | None  # None: a guest measures all such rows together
    bars: tuple[Bar, ...] = ()
    unit: str = "operations"
    place: Place = "folder"
    once: bool = False  # whatever the number of rounds: it takes long, or says the same each time

    def against(self, server: str) -> Self:
        """The same by another server than Samba: then the bar is to be no worse than that one."""
        if server == SAMBA:
            return self
        bars = [
            replace(bar, against=server, bar=1, aim=1) if bar.against == SAMBA else bar
            for bar in self.bars
        ]
        return replace(self, bars=tuple(bars))

    @property
    def has_floor(self) -> bool:
        """Whether the floor is measured beside."""
        return any(bar.against == "floor" for bar in self.bars)


def _small() -> list[Row]:
    rows = []
    for signing, words in _SIGNINGS.items():
        for operation in ("read", "write"):
            bars = [rate(2, 3), cost(1 / 2, 1 / 4)]
            if signing == "off":
                bars.append(floor(2.5, 1.8))
            measure = load(Task(operation), signing)
            rows.append(Row(f"{operation.upper()} 4 KiB x16{words}", measure, tuple(bars)))
    one = load(Task("read", depth=1))
    return [*rows, Row("READ 4 KiB x1", one, (rate(1.2, 1.5), cost(0.9, 0.6)))]


def _large() -> list[Row]:
    rows = []
    for signing in ("off", "sealed"):
        measure = load(Task("read", 64 * _KIB, 8), signing)
        bars = (rate(1.5, 2), cost(0.7, 0.5))
        rows.append(Row(f"READ 64 KiB x8{_SIGNINGS[signing]}", measure, bars))
    operations: tuple[Operation, ...] = ("read", "write")
    for operation in operations:
        for signing, words in _SIGNINGS.items():
            measure = load(Task(operation, _MIB, 4, at_random=False), signing)
            bars = (rate(1, 1.2), cost(1, 0.8))
            rows.append(Row(f"{operation.upper()} 1 MiB x4{words}", measure, bars))
    return rows


def _many() -> list[Row]:
    measure = load(Task(depth=4, writes=0.3), connections=32)
    return [Row("32 connections x4, 70 % READ 4 KiB", measure, (rate(1.2, 2), cost(0.6, 0.4)))]


def _metadata(sizes: Sizes) -> list[Row]:
    opens, news = (rate(1.2, 2), cost(0.9, 0.5)), (rate(1, 1.5), cost(1, 0.7))
    return [
        Row("CREATE+CLOSE x8", load(Task("open", depth=8)), opens),
        Row("CREATE+CLOSE x1", load(Task("open", depth=1)), opens),
        Row("CREATE+QUERY_INFO+CLOSE x8", load(Task("stat", depth=8)), opens),
        Row("CREATE+QUERY_INFO+CLOSE x1", load(Task("stat", depth=1)), opens),
        Row("CREATE new+WRITE 4 KiB+CLOSE x8", load(Task("new", depth=8)), news),
        Row("delete on close x8", load(Task("delete", depth=8, files=sizes.doomed)), news),
        Row(
            f"listing of {sizes.entries:,} entries",
            listing(sizes.entries),
            (rate(1, 2), cost(1, 0.6)),
            "listings",
        ),
        Row("login and TREE_CONNECT x4", logins(4), (rate(1.5, 3),), "logins"),
    ]


def _by_smbclient(sizes: Sizes) -> list[Row]:
    bars, count, mib = (rate(1, 1.5), cost(1, 0.7)), sizes.files, sizes.transferred
    rows = [
        Row(f"smbclient {what}, {count} files of 4 KiB", small_files(what, count), bars, "files")
        for what in ("mput", "mget", "del")
    ]
    # The bars of READ and WRITE 1 MiB: it has as many in flight, of that size.
    bars = (rate(1, 1.2), cost(1, 0.8))
    for direction in ("get", "put"):
        for protection in ("plain", "signed", "sealed"):
            measure = transfer(direction, protection, mib * _MIB)
            name = f"smbclient {direction} {mib} MiB, {protection}"
            rows.append(Row(name, measure, bars, "MiB"))
    return rows


def _misses() -> list[Row]:
    measure = load(Task(depth=32, cached=False))
    bars = (rate(1, 1), cost(1, 0.7), floor(2, 2))
    beside = (Bar("p99 by idle", 2, 2, against=""),)
    return [
        Row("READ misses 4 KiB x32, disk of 25 us", measure, bars, place="disk"),
        Row("hits x1 beside 32 misses, slow disk", beside_misses(32), beside, place="slow"),
    ]


def _memory(sizes: Sizes) -> list[Row]:
    bars = (Bar("KiB", 24, 14, against=""),)
    measure = idle_connections(sizes.connections)
    return [Row("memory of an idle connection", measure, bars, "", "fresh", once=True)]


def _kernel() -> list[Row]:
    bars = (rate(1, 1.5),)
    return [Row(name, None, bars, unit, "kernel") for name, _, unit in kernel.STEPS.values()]


def rows(sizes: Sizes = FULL, *, guest: bool = False) -> list[Row]:
    """The whole table; with the rows of a Linux guest, which is slow, if they are asked for."""
    return [
        *_small(),
        *_large(),
        *_many(),
        *_metadata(sizes),
        *_by_smbclient(sizes),
        *_misses(),
        *_memory(sizes),
        *(_kernel() if guest else []),
    ]
