"""How long a READ of 4 KiB waits beside what another connection keeps the server busy with.

  python -m tests.bench.beside                                   all streams, smbd and Samba (root)
  python -m tests.bench.beside --only 'WRITE*' --ahead --servers smbd smbd@../before samba

One READ is in flight, by a client of its own; another process is the stream's.  Shown are the
latencies in us, alone and beside the stream, the READs and the stream's operations a second, and
the server's share of one processor: medians of the rounds.  Samba has a process for
each connection, so that its READs get the other processor.
"""

import argparse
import fnmatch
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from smbd.load import Group, LoadClient, LoadError, Session, Signing, Target, Work, at_random

from .bars import Figures
from .files import kept, needed_by, written
from .measure import medians, percentile, usage
from .run import server_of, terminated_in_order
from .stands import FILE, NAMES, Stand, standing
from .table import aligned, number
from .tasks import Task

_KIB, _MIB = 1 << 10, 1 << 20
_ENTRIES = 10_000
_PARTS = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
_SHOWN = ("idle p50", "idle p99", "p50", "p90", "p99", "max", "READs/s", "stream/s", "server")


@dataclass(frozen=True, slots=True)
class Stream:
    """What the other connection does; without a task it lists a folder."""

    task: Task | None
    signing: Signing = "off"


def streams() -> dict[str, Stream]:
    """All of them, by their names."""
    found = {}
    protections: dict[Signing, str] = {"off": "", "gmac": ", signed", "sealed": ", sealed"}
    for signing, words in protections.items():
        found[f"WRITE 1 MiB x4{words}"] = Stream(Task("write", _MIB, 4, at_random=False), signing)
        found[f"READ 1 MiB x4{words}"] = Stream(Task("read", _MIB, 4, at_random=False), signing)
    return found | {
        "WRITE 64 KiB x16": Stream(Task("write", 64 * _KIB)),
        "READ 64 KiB x16": Stream(Task("read", 64 * _KIB)),
        "READ 4 KiB x16": Stream(Task("read")),
        "READ 4 KiB x1": Stream(Task("read", depth=1)),
        f"listing of {_ENTRIES:,}": Stream(None),
        "CREATE new+WRITE 4 KiB+CLOSE x8": Stream(Task("new", depth=8)),
        "CREATE+CLOSE x8": Stream(Task("open", depth=8)),
    }


def _work(pipe: Connection, target: Target, stream: Stream, folder: Path) -> None:
    """The other client: it says that it has begun, and how many a second it did once it is told."""
    if os.sched_getscheduler(0) == os.SCHED_RR:
        _go_ahead(1)
    if stream.task is None:
        session, listed, began = Session(target, stream.signing), 0, time.perf_counter()
        pipe.send(None)
        while not pipe.poll():
            session.listing("many")
            listed += 1
        pipe.send(listed / (time.perf_counter() - began))
        return
    task, count, seconds = stream.task, 0, 0.0
    group = Group(task.work(folder / FILE), FILE)
    with (
        needed_by(task.operation, task.files, folder),
        LoadClient(target, [group], stream.signing) as client,
    ):
        client.run(0.1)
        pipe.send(None)
        while not pipe.poll():
            (outcome,) = client.run(0.25)
            count, seconds = count + outcome.operations, seconds + outcome.seconds
    pipe.send(count / seconds)


@contextmanager
def _kept_busy(stand: Stand, stream: Stream) -> Iterator[Callable[[], float]]:
    """Another process keeps the server busy, until what this gives is called: for its rate."""
    context = multiprocessing.get_context("spawn")  # what a fork would inherit is ours
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, stand.target, stream, stand.folder))
    process.start()
    theirs.close()

    def end() -> float:
        ours.send(None)
        return float(ours.recv())

    try:
        ours.recv()
        yield end
    except (EOFError, BrokenPipeError):
        raise LoadError("the stream's client has ended") from None
    finally:
        ours.close()
        process.join(10)
        process.kill()


def measure(stand: Stand, stream: Stream, seconds: float) -> Figures:
    """One round."""
    written(stand.folder / "hits.bin", _MIB)
    if stream.task is None:
        kept(stand.folder / "many", _ENTRIES, 100)
    hits = Group(Work("read", 4 * _KIB, 1, at_random(4 * _KIB, _MIB)), "hits.bin")
    with LoadClient(stand.target, [hits]) as client:
        client.run(0.1 * seconds)
        (idle,) = client.run(0.3 * seconds)
        with _kept_busy(stand, stream) as end:
            before, began = usage(stand.pid).cpu, time.perf_counter()
            (beside,) = client.run(seconds)
            share = (usage(stand.pid).cpu - before) / (time.perf_counter() - began)
            rate = end()
    return {
        **_latencies("idle ", idle.latencies),
        **_latencies("", beside.latencies),
        "READs/s": beside.operations / beside.seconds,
        "stream/s": rate,
        "server": share,
    }


def _latencies(name: str, latencies: Sequence[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    return {f"{name}{part}": 1e6 * percentile(ordered, share) for part, share in _PARTS}


def _go_ahead(priority: int) -> None:
    """Of other programs, and of those here with less: what waits then waits for the server."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.beside",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", nargs="+", default=["*"], metavar="PATTERN", help="of the streams' names")
    add("--servers", nargs="+", type=server_of, default=["smbd", "samba"], metavar="SERVER",
        help=f"of {NAMES}, smbd@CHECKOUT (default: smbd samba)")  # fmt: skip
    add("--rounds", type=int, default=3, help="(default: 3)")
    add("--seconds", type=float, default=2, help="of one round (default: 2)")
    add("--ahead", action="store_true", help="by SCHED_RR ahead of other programs (root)")
    a = parser.parse_args()
    terminated_in_order()
    chosen = {
        name: stream
        for name, stream in streams().items()
        if any(fnmatch.fnmatch(name, pattern) for pattern in a.only)
    }
    found: dict[tuple[str, str], list[Figures]] = {}
    if a.ahead:
        _go_ahead(1)
    with standing("folder", a.servers, lambda name, why: sys.exit(f"{name}: {why}")) as stands:
        if a.ahead:
            _go_ahead(2)
        for turn in range(a.rounds):
            for name, stream in chosen.items():
                for stand in stands if turn % 2 == 0 else stands[::-1]:
                    figures = measure(stand, stream, a.seconds)
                    found.setdefault((name, stand.name), []).append(figures)
    lines: list[Sequence[str]] = [("beside", "server", *_SHOWN)]
    for both, rounds in found.items():
        middle = medians(rounds)
        lines.append((*both, *(number(middle[shown]) for shown in _SHOWN)))
    print(aligned(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
