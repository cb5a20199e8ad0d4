"""A share as it is served: its configuration, its folder, its I/O engine and its workers."""

import threading
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, TypeVarTuple

from aio import Engine
from smbd.config import ShareConfig
from smbd.vfs import Root, know_share

R = TypeVar("R")
Args = TypeVarTuple("Args")


class Workers(Protocol):
    """Threads for calls that may block (aio.WorkerPool)."""

    def run_for(
        self, flow: object, function: Callable[[*Args], R], /, *args: *Args
    ) -> Awaitable[R]:
        """Await `function(*args)`; calls of different `flow`s take turns.

        Cancelled means that the call never began; one that began gives its result, also to a
        cancelled caller.
        """

    def run_long(
        self, flow: object, function: Callable[[*Args], R], /, *args: *Args
    ) -> Awaitable[R]:
        """The same for a call that may take long by its nature: these get half of the workers."""

    def ask(self, patience: float, function: Callable[[*Args], R], /, *args: *Args) -> Awaitable[R]:
        """Await a call that changes nothing, for `patience` seconds at most; then TimeoutError."""

    async def aclose(self, patience: float) -> int:
        """Wait for the calls in flight, then end the threads; how many calls hang even then."""

    def release(self) -> None:
        """Keep no idle thread for long any more; calls still get one."""


@dataclass(slots=True, eq=False)
class Share:
    """A directory that clients connect to by name.

    Tree connects keep the directory open, and nothing else does: an idle share does not keep its
    disk from being unmounted, and the next tree connect gets the directory that its path names
    then.
    """

    config: ShareConfig
    engine: Engine
    workers: Workers  # for all but READ, WRITE and FLUSH: a share whose disk hangs holds no other
    trees: int = 0  # tree connects to it
    opens: int = 0  # in the table of opens
    refusals_told: set[int] = field(default_factory=set)  # errno of refused writes, in the log
    _root: "weakref.ref[Root] | None" = None
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The name as configured; clients may spell it in any case."""
        return self.config.name

    def open_root(self) -> Root:
        """The folder that the share's path names now; it closes with the last use of it.

        Blocks; OSError if there is none.
        """
        with self._opening:
            root = self.root
            if root is None or not root.is_at_path():
                config = self.config
                root = Root(config.path, config.read_only, config.name, streams=config.streams)
                know_share(root.absolute_path)
                # Not by hand: a worker may still look for a name in it, for a client that has left
                # meanwhile, and would begin in the next file that gets the descriptor's number.
                weakref.finalize(root, root.lookup.close)
                self._root = weakref.ref(root)
            return root

    @property
    def root(self) -> Root | None:
        """The folder that was opened last, if anybody still uses it."""
        return self._root() if self._root is not None else None
