"""What the benches have a server do, and what that costs it."""

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from smbd.load import (
    Group,
    LoadClient,
    Offsets,
    Operation,
    Outcome,
    Signing,
    Target,
    Work,
    at_random,
    in_turn,
)

from .files import FOLDER, needed_by
from .measure import Usage, percentile, usage

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Task:
    """Operations of one size, `depth` of them in flight on each connection."""

    operation: Operation = "read"
    size: int = 4096
    depth: int = 16
    at_random: bool = True
    file_size: int = 64 * _MIB
    cached: bool = True  # else each block is read once, and the file evicted before the next time
    writes: float = 0.0  # the share of WRITEs among READs
    files: int = 256  # of a compound: that are opened over and over, or deleted once

    @property
    def name(self) -> str:
        """How a table calls it."""
        if self.operation not in {"read", "write"}:
            return f"{self.operation}, depth {self.depth}"
        size = f"{self.size // _MIB} MiB" if self.size >= _MIB else f"{self.size // 1024} KiB"
        order = "random" if self.at_random else "sequential"
        what = self.operation if self.cached else f"{self.operation} that misses"
        return f"{size} {order} {what}, depth {self.depth}"

    def work(self, file: Path | None) -> Work:
        """The same for the load client; `file`: where to evict what is to miss."""
        folder = FOLDER.get(self.operation, "")
        return Work(self.operation, self.size, self.depth, self._order(file), self.writes, folder)

    def _order(self, file: Path | None) -> Offsets:
        if self.operation == "new":
            return itertools.count
        if self.operation == "delete":
            return lambda: iter(range(self.files))
        if self.operation in {"open", "stat"}:
            return at_random(1, self.files)
        if self.cached:
            return (at_random if self.at_random else in_turn)(self.size, self.file_size)
        assert file is not None, "nobody knows where the file is"
        return _evicted(file, self.size, self.file_size)


def _evicted(file: Path, size: int, file_size: int) -> Offsets:
    """All blocks of a file in random order, out of the page cache; then again."""
    blocks = range(0, file_size - size + 1, size)

    def order() -> Iterator[int]:
        fd = os.open(file, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
        return iter(Random(0).sample(blocks, len(blocks)))

    return order


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run gave, and what it took: CPU time of the server and of the client."""

    outcome: Outcome
    server: Usage | None
    client_cpu: float

    def as_dict(self) -> dict[str, float]:
        """Return the figures under the names that a report gives them."""
        outcome, server = self.outcome, self.server
        count, ordered, unknown = outcome.operations, sorted(outcome.latencies), float("nan")
        return {
            "operations": count,
            "ops_per_s": round(count / outcome.seconds),
            "mb_per_s": round(outcome.transferred / outcome.seconds / 1e6, 1),
            "server_us_per_op": round(server.cpu / count * 1e6, 2) if server else unknown,
            "server_waits_per_op": (
                round(sum(server.waits.values()) / count, 3) if server else unknown
            ),
            "client_us_per_op": round(self.client_cpu / count * 1e6, 2),
            "p50_us": _us(ordered, 0.5),
            "p99_us": _us(ordered, 0.99),
            "max_us": _us(ordered, 1),
            "interim": outcome.interim,
        }


@dataclass(frozen=True, slots=True)
class Load:
    """A server to load: where it is, and the process that it is."""

    target: Target
    file: str
    connections: int = 1
    signing: Signing = "off"
    pid: int | None = None  # it and its descendants are the server
    folder: Path | None = None  # what is shared, for tasks that miss and for compounds

    def fill(self, size: int) -> None:
        """Write the file, so that reads find data there, in the page cache."""
        with self._client(Task()) as client:
            client.fill(size)

    def run(self, task: Task, seconds: float) -> Cost:
        """Do it for so long, after a short time of warming up."""
        once = task.operation == "delete"
        with needed_by(task.operation, task.files, self.folder), self._client(task) as client:
            if not once:
                client.run(0.1 * seconds)
            return cost_of(client, self.pid, seconds, once=once)

    def _client(self, task: Task) -> LoadClient:
        file = None if self.folder is None else self.folder / self.file
        group = Group(task.work(file), self.file, self.connections)
        return LoadClient(self.target, [group], self.signing)


def cost_of(client: LoadClient, pid: int | None, seconds: float, *, once: bool = False) -> Cost:
    """What a client's one group does in so many seconds, and what that costs."""
    before, own = usage(pid) if pid else None, time.process_time()
    (outcome,) = client.run(seconds, once=once)
    own = time.process_time() - own
    after = usage(pid).since(before) if pid and before else None
    return Cost(outcome, after, own)


def _us(ordered: Sequence[float], share: float) -> float:
    return round(1e6 * percentile(ordered, share), 1)
