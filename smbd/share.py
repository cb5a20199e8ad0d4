"""A share as it is served: its configuration, its folder, its I/O engine and its workers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, TypeVarTuple

from aio import Engine
from smbd.config import ShareConfig
from smbd.vfs import Root

R = TypeVar("R")
Args = TypeVarTuple("Args")


class Workers(Protocol):
    """Threads for calls that may block (aio.WorkerPool)."""

    def run_for(
        self, turn: object, function: Callable[[*Args], R], /, *args: *Args
    ) -> Awaitable[R]:
        """Await `function(*args)`; calls that wait with different `turn`s take turns.

        Cancelled says that it never began; what began gives its result, also to a cancelled caller.
        """

    def run_long(
        self, turn: object, function: Callable[[*Args], R], /, *args: *Args
    ) -> Awaitable[R]:
        """The same for what may take long by its nature: such calls get half of the workers."""

    async def aclose(self, patience: float) -> int:
        """Wait for the calls in flight, then end the threads; how many calls hang even then."""

    def release(self) -> None:
        """Keep no idle thread for long any more; calls still get one."""


@dataclass(slots=True, eq=False)
class Share:
    """A folder that clients connect to by name."""

    config: ShareConfig
    root: Root
    engine: Engine
    workers: Workers  # for all but READ, WRITE and FLUSH: a share whose disk hangs holds no other
    trees: int = 0  # tree connects to it
    opens: int = 0  # in the table of opens

    @property
    def name(self) -> str:
        """The name as configured; clients may spell it in any case."""
        return self.config.name
