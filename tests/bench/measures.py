"""How each row of the benchmark is measured: one server, one round."""

import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from smbd.load import Group, LoadClient, LoadError, Session, Signing, Work, at_random

from .bars import Figures
from .files import kept, spread, written
from .measure import memory, percentile, usage
from .smbclient import started
from .stands import FILE, Stand
from .tasks import Load, Task

# A server, and the seconds that a round takes, if it takes what it is given.
Measure = Callable[[Stand, float], Figures]
_KIB, _MIB = 1 << 10, 1 << 20
_FIRST = 10  # connections that bring what all have together


def load(task: Task, signing: Signing = "off", connections: int = 1) -> Measure:
    """Of the load client's operations."""

    def measure(stand: Stand, seconds: float) -> Figures:
        one = Load(stand.target, FILE, connections, signing, stand.pid, stand.folder)
        return one.run(task, seconds).as_dict()

    return measure


@contextmanager
def counted(
    stand: Stand, client: Callable[[], float] = time.process_time
) -> Iterator[dict[str, float]]:
    """Fill in what the block cost, by its `operations` and `seconds`."""
    figures: dict[str, float] = {}
    before, own = usage(stand.pid).cpu, client()
    yield figures
    cpu, own = usage(stand.pid).cpu - before, client() - own
    count = figures["operations"]
    figures["ops_per_s"] = round(count / figures["seconds"], 2)
    figures["server_us_per_op"] = round(1e6 * cpu / count, 2)
    figures["client_us_per_op"] = round(1e6 * own / count, 2)


def listing(entries: int) -> Measure:
    """Of whole listings with all information, one after the other."""

    def measure(stand: Stand, seconds: float) -> Figures:
        kept(stand.folder / "many", entries, 100)
        session = Session(stand.target)
        try:
            session.listing("many")
            with counted(stand) as figures:
                figures.update(listed(session, "many", seconds))
        finally:
            session.close()
        return figures

    return measure


def listed(session: Session, folder: str, seconds: float) -> Figures:
    """Listings for so long, one at least: how many, and the seconds that they took."""
    began, took, done = time.perf_counter(), 0.0, 0
    while not done or took < seconds:
        session.listing(folder)
        took, done = time.perf_counter() - began, done + 1
    return {"operations": done, "seconds": took}


def logins(at_once: int) -> Measure:
    """Of logins with a tree connect, each by a connection of its own, which then leaves."""

    def measure(stand: Stand, seconds: float) -> Figures:
        done: list[int] = []
        failed: list[BaseException] = []

        def log_in() -> None:
            count, end = 0, time.perf_counter() + seconds
            try:
                while not count or time.perf_counter() < end:
                    Session(stand.target).close()
                    count += 1
            except (LoadError, OSError) as error:
                failed.append(error)
            done.append(count)

        threads = [threading.Thread(target=log_in) for _ in range(at_once)]
        with counted(stand) as figures:
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if failed:
                raise LoadError(str(failed[0]))
            figures |= {"operations": sum(done), "seconds": time.perf_counter() - began}
        return figures

    return measure


def transfer(direction: str, protection: str, size: int) -> Measure:
    """Of one large file by smbclient; an operation is a MiB."""

    def measure(stand: Stand, _seconds: float) -> Figures:
        if direction == "get":
            written(stand.folder / "large.bin", size)
            command = "get large.bin /dev/null"
        else:
            command = f"put {written(stand.folder.parent / 'large.bin', size)} put.bin"
        figures = _by_smbclient(stand, protection, [], command, size // _MIB)
        if direction == "put" and (stand.folder / "put.bin").stat().st_size != size:
            raise LoadError("smbclient did not put the file")
        return figures

    return measure


def small_files(command: str, count: int) -> Measure:
    """Of many files of 4 KiB by smbclient: mput, mget or del, unsigned; an operation is a file."""

    def measure(stand: Stand, _seconds: float) -> Figures:
        share = stand.folder / "small"
        with tempfile.TemporaryDirectory(prefix="smbd-bench-") as name:
            here = Path(name, "files")
            if command == "mput":
                share.mkdir()
                spread(here, count)
            else:
                here.mkdir()
                spread(share, count)
            try:
                prepare = ["prompt", f"lcd {here}", "cd small"]
                figures = _by_smbclient(stand, "plain", prepare, f"{command} *", count)
                left = len(list(share.iterdir())), len(list(here.iterdir()))
            finally:
                shutil.rmtree(share)
        if left != {"mput": (count, count), "mget": (count, count), "del": (0, 0)}[command]:
            raise LoadError(f"smbclient's {command} left {left[0]} files there, {left[1]} here")
        return figures

    return measure


def _by_smbclient(
    stand: Stand, protection: str, prepare: Sequence[str], command: str, operations: int
) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="smbd-bench-") as folder,
        started(stand.target, protection, prepare, command, Path(folder)) as client,
        counted(stand, lambda: usage(client.pid).cpu) as figures,
    ):
        began = time.perf_counter()
        client.go()
        figures |= {"operations": operations, "seconds": time.perf_counter() - began}
    return figures


def beside_misses(depth: int) -> Measure:
    """Of another connection's hits while READs wait for a slow disk: p99 against p99 when idle."""

    def measure(stand: Stand, seconds: float) -> Figures:
        written(stand.folder / "hits.bin", _MIB)
        hits = Group(Work("read", 4 * _KIB, 1, at_random(4 * _KIB, _MIB)), "hits.bin")
        misses = Group(Task(depth=depth, cached=False).work(stand.folder / FILE), FILE)
        p99 = []
        for groups in ([hits], [hits, misses]):
            with LoadClient(stand.target, groups) as client:
                client.run(0.2 * seconds)
                outcomes = client.run(seconds)
            p99.append(1e6 * percentile(sorted(outcomes[0].latencies), 0.99))
        idle, beside = p99
        misses_per_s = outcomes[1].operations / outcomes[1].seconds
        return {
            "p99 by idle": round(beside / idle, 2),
            "idle p99 us": round(idle, 1),
            "p99 us": round(beside, 1),
            "misses_per_s": round(misses_per_s),
        }

    return measure


def idle_connections(count: int) -> Measure:
    """Of connections that have logged in, with a tree, and do nothing: KiB each."""

    def measure(stand: Stand, _seconds: float) -> Figures:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 500)), hard))
        try:
            with ExitStack() as stack:
                for number in range(_FIRST + count):
                    if number == _FIRST:
                        before = memory(stand.pid)
                    stack.callback(Session(stand.target).close)
                each = (memory(stand.pid) - before) / count
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return {"KiB": round(each / 1024, 2)}

    return measure
