"""The layer "served": READ and WRITE requests to the real server, from the load client.

The server is a process of its own, with one share for each form of an engine; this process is its
clients.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from aio.compare.document import Layer
from aio.compare.figures import Figures
from aio.compare.files import Files
from aio.compare.forms import Form
from aio.compare.study import WARM_UP, CannotRun
from aio.compare.usage import Usage
from aio.compare.workloads import Load, Workload
from smbd.compare.child import Child
from smbd.load import Group, LoadClient, LoadError, Offsets, Outcome, Signing, Work

# Requests that one connection has in flight at most; 64 at once are those of several clients.
_MOST_IN_FLIGHT = 16
_MOST_BESIDE = 8  # connections: the others are others to each other too


class ServedLayer:
    """A server over a folder that has the study's files in it.

    OSError: it does not start.
    """

    name: Layer = "served"

    def __init__(
        self, folder: Path, files: Files, forms: Sequence[Form], signing: Signing = "off"
    ) -> None:
        self._folder, self._files, self._signing = folder, files, signing
        self._problems: dict[str, str] = {}  # by share: why it is not served
        self._child = Child(folder)
        try:
            for form in forms:
                with contextlib.suppress(CannotRun):
                    self._open(form)
        except BaseException:
            self.close()
            raise

    def run(self, form: Form, workload: Workload, seconds: float) -> Figures:
        """One run, on connections of its own.

        CannotRun: no such engine on this machine, nothing can be evicted here, or the server
        fails a request.  OSError: the server has ended.
        """
        share = self._open(form)
        target = self._child.target(share)
        self._files.prepare(workload)
        groups = [self._group(workload.load, _connections(workload.load.depth))]
        if workload.beside is not None:
            groups.append(self._group(workload.beside, _others(workload.beside.depth)))
        try:
            with LoadClient(target, groups, self._signing) as client:
                client.run(WARM_UP * seconds)
                self._child.begin(share, seconds)
                try:
                    outcomes = client.run(seconds)
                finally:
                    took = self._child.end()
        except LoadError as error:
            raise CannotRun(str(error)) from error
        return _figures(form, outcomes, took)

    def close(self) -> None:
        """End the server."""
        self._child.close()

    def _open(self, form: Form) -> str:
        """The share of a form; CannotRun if there can be none."""
        share = re.sub("[^a-z0-9]", "", form.name.lower())
        if share not in self._problems:
            self._problems[share] = self._child.open(share, form.spec, dict(form.options))
        if self._problems[share]:
            raise CannotRun(self._problems[share], any_workload=True)
        return share

    def _group(self, load: Load, connections: int) -> Group:
        depth = load.depth // connections
        work = Work(load.operation, load.size, depth, _offsets(self._files, load))
        name = os.path.relpath(self._files.path(load), self._folder)
        return Group(work, name.replace("/", "\\"), connections)


def _connections(depth: int) -> int:
    """As few as do."""
    return next(n for n in range(1, depth + 1) if not depth % n and depth // n <= _MOST_IN_FLIGHT)


def _others(depth: int) -> int:
    """As many as may be."""
    return max(n for n in range(1, _MOST_BESIDE + 1) if not depth % n)


def _offsets(files: Files, load: Load) -> Offsets:
    """Each evicted byte is read once, until it has been evicted again."""
    if load.data != "evicted":
        return partial(cycle, files.blocks(load))

    def laps() -> Iterator[Iterator[int]]:
        yield iter(files.blocks(load))  # `prepare` has evicted them
        while True:
            files.evict()
            yield iter(files.blocks(load))

    return partial(next, laps())


def _figures(form: Form, outcomes: Sequence[Outcome], took: Mapping[str, Any]) -> Figures:
    stats = took["stats"]
    if form.probe:
        inline = stats["hits"] + stats["writes_inline"]
    else:
        blocks = form.row is not None and form.row.blocks
        inline = sum(one.operations for one in outcomes) if blocks else 0
    loads = [Figures.of_load(one.seconds, one.transferred, one.latencies) for one in outcomes]
    return Figures.of_run(
        loads, Usage(*took["usage"]), took["iterations"], inline=inline, stats=stats
    )
