"""What goes wrong in a test, on purpose: `server.fault(...)`."""

import threading
from collections.abc import Callable, Collection, Iterable
from typing import Protocol, Self, TypedDict, TypeVar, TypeVarTuple, Unpack

import trio

from smbd.faults import Fault, Faults, Rule, parse_rule
from smbd.server import Server

R = TypeVar("R")
Args = TypeVarTuple("Args")


class FaultKeys(TypedDict, total=False):
    """What `server.fault` takes: smbd.faults.Rule says what each means."""

    command: str | Collection[str]
    path: str
    share: str
    user: str
    after: int
    times: int
    probability: float
    seed: int
    status: int | str
    drop: bool | str
    hang: bool
    delay: float
    pending: bool
    forget: bool
    expire: bool
    closed: bool
    done: bool
    short: int
    garble: bool
    credits: int
    breaks: bool | str
    guid: bool
    max_read: int
    max_write: int
    max_transact: int
    rate: int
    latency: float


class Place(Protocol):
    """The server of a test, as far as faults know it."""

    def in_loop(self, function: Callable[[*Args], R], *args: *Args) -> R:
        """Call a function in the server's loop."""

    def at_each_start(self, hook: Callable[[Server], None]) -> None:
        """Call `hook` at each start of the server."""


class TestFault:
    """A fault of a test's server, until `remove`, or for as long as its `with` block lasts."""

    __test__ = False

    def __init__(self, place: Place, fault: Fault) -> None:
        self._place = place
        self._fault = fault
        self._changed = threading.Condition()
        fault.struck = self._struck

    def __repr__(self) -> str:
        return repr(self._fault)

    @property
    def hits(self) -> int:
        """How many requests went wrong by it."""
        return self._fault.hits

    @property
    def seen(self) -> int:
        """How many requests it meant, gone wrong or not."""
        return self._fault.seen

    @property
    def held(self) -> int:
        """How many requests it holds back at this moment (`hang`, `delay`)."""
        return self._fault.held

    def remove(self) -> None:
        """End it: what it holds back goes on.  A second call does nothing."""
        self._place.in_loop(self._fault.remove)

    def wait(self, hits: int = 1, timeout: float = 10.0) -> None:
        """Wait until so many requests have gone wrong by it; TimeoutError (seconds).

        From a test's thread: a task of trio or asyncio awaits `await_hits`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._fault.hits >= hits, timeout):
                raise TimeoutError(f"{self!r}: no {hits} within {timeout} s")

    async def await_hits(self, hits: int = 1, timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """`wait` for a task of trio; in asyncio, `await asyncio.to_thread(fault.wait)`."""
        await trio.to_thread.run_sync(self.wait, hits, timeout)

    def _struck(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class HasFaults:
    """A test's server whose requests go wrong on demand, also after it has come back."""

    def __init__(self, place: Place, lines: Iterable[str] = ()) -> None:
        """`lines` are the rules that it has from the beginning."""
        self._place = place
        self._faults = Faults()
        for line in lines:
            self._faults.add(parse_rule(line))
        place.at_each_start(self._use)

    def _use(self, server: Server) -> None:
        server.use_faults(self._faults)

    def fault(self, **keys: Unpack[FaultKeys]) -> TestFault:
        """Have something go wrong from now on: `server.fault(command="READ", status="DISK_FULL")`.

        It stays until it is removed, or as a context manager for its block.  The keys are those of
        smbd.faults.Rule; ValueError says which one is wrong, and what would be right.
        """
        rule = Rule(**keys)  # type: ignore[arg-type]  # it checks each
        return TestFault(self._place, self._place.in_loop(self._faults.add, rule))

    def clear_faults(self) -> None:
        """Remove all faults, those of a preset too."""
        self._place.in_loop(self._faults.clear)
