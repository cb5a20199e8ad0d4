"""The calls of an engine, and its counters.

fd and buffer belong to the engine until a call returns: a cancelled caller waits for the
completion, and Cancelled is raised after it.  OSError is the only error, and an offset is an int
from 0 to 2**63 - 1.  Everything here is called from one trio loop.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from time import perf_counter
from typing import ClassVar, Protocol

Data = bytes | bytearray | memoryview
# How a call ends that was begun without a task: with the count of bytes, or with an error.  It is
# called in the loop, and raises nothing.
Done = Callable[[int, BaseException | None], None]


@dataclass(slots=True)
class Stats:
    """Counters since the engine was opened; hits, misses and unknown count reads only."""

    LARGEST: ClassVar = frozenset(("max_seconds", "max_submit_seconds"))  # the others are sums

    hits: int = 0  # answered at once, in the calling task
    hits_waited: int = 0  # those of them that took longer than a millisecond all the same
    misses: int = 0  # not all in the page cache, or not tried, since the attempt would have waited
    unknown: int = 0  # nothing here can tell whether the data is in the page cache
    oversize: int = 0  # reads and writes too long to be tried (inline_limit, dontcache)
    slept: int = 0  # tried in the loop, and took long enough to have slept: guesses and probes
    writes_inline: int = 0
    writes_deferred: int = (
        0  # would have read a page first, or nobody could tell, or stalled lately
    )
    stalls: int = 0  # inline writes that took long enough to have waited
    reads: int = 0  # completed, wherever
    writes: int = 0
    fsyncs: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    switches: int = 0  # calls that went to a worker thread and came back
    submits: int = 0  # system calls that gave requests to a kernel's queue
    submit_seconds: float = 0.0  # in them, while the loop stood still
    max_submit_seconds: float = 0.0
    completions: int = 0  # taken out of a kernel's queue ...
    wakes: int = 0  # ... and how often the loop was woken for them
    bounced: int = 0  # requests with O_DIRECT that were copied to aligned memory or from it
    buffered: int = 0  # requests that went without O_DIRECT although it had been asked for
    seconds: float = 0.0  # in the engine, over all its calls; the probe's own time is not in it
    max_seconds: float = 0.0  # the longest of them

    def took(self, seconds: float) -> None:
        """Count one awaited call's time."""
        self.seconds += seconds
        self.max_seconds = max(self.max_seconds, seconds)

    def reading(self, done: Done) -> Done:
        """`done` of a read that begins now, which counts it first."""
        started = perf_counter()

        def counted(count: int, error: BaseException | None) -> None:
            self.took(perf_counter() - started)
            if error is None:
                self.reads += 1
                self.bytes_read += count
            done(count, error)

        return counted

    def flushing(self, done: Done) -> Done:
        """The same of an fsync."""
        started = perf_counter()

        def counted(count: int, error: BaseException | None) -> None:
            self.took(perf_counter() - started)
            if error is None:
                self.fsyncs += 1
            done(count, error)

        return counted

    def __add__(self, other: "Stats") -> "Stats":
        values = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
        }
        for name in self.LARGEST:
            values[name] = max(getattr(self, name), getattr(other, name))
        return Stats(**values)

    def since(self, before: "Stats") -> dict[str, float]:
        """By name, the counts since an earlier copy; of LARGEST, the values until now."""
        return {
            field.name: getattr(self, field.name)
            - (0 if field.name in self.LARGEST else getattr(before, field.name))
            for field in fields(self)
        }


class Begun(Protocol):
    """A call that goes on by itself, until its `done` is called."""

    def withdraw(self) -> None:
        """Nobody wants it: if it still waits for its beginning it ends, soon, with ECANCELED."""


class Engine(Protocol):
    """Four awaited calls, two that go on without a task, two that never wait, and two that tell it
    which files are open.
    """

    name: str
    notes: tuple[str, ...]  # which engines the spec names before it, and why they are not there

    @property
    def write_seconds(self) -> float:
        """How long the `write` that returned last was in the kernel, as far as it can be told.

        To be asked before the next checkpoint.
        """

    def attach(self, fd: int) -> None:
        """A regular file has been opened; its owner calls `detach` before it closes the fd.

        From here on the fd's position is not its owner's: it reads and writes by offset alone.
        """

    def detach(self, fd: int) -> None:
        """Forget everything about this fd."""

    def try_read(self, fd: int, into: memoryview, offset: int) -> int | None:
        """Read without waiting: as `read`, or None when nothing was delivered."""

    def try_write(self, fd: int, data: Data, offset: int) -> int | None:
        """Write without waiting: as `write`, or None when the caller must `write` it all."""

    async def read(self, fd: int, into: memoryview, offset: int) -> int:
        """The count of bytes read: `into` is full, or the file ends there."""

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """As `read`, without a task; it may wait for `kick` to begin.

        `done` is called by `kick`, or in a later round of the loop; not at all if this raises.
        What it has to do once for all calls that have ended together, it gives to `after_burst`.
        """

    def kick(self) -> None:
        """Begin what a burst of `begin_read` has asked for."""

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """The count of bytes written, which is all of them."""

    async def fsync(self, fd: int) -> None:
        """Return when the file's data and metadata are on stable storage."""

    def begin_fsync(self, fd: int, done: Done) -> Begun:
        """As `fsync`, without a task, and otherwise as `begin_read`; `done` is called with 0."""

    async def aclose(self) -> None:
        """Wait for the calls in flight, then give everything back.  Calls after it fail."""

    def statistics(self) -> Stats:
        """A copy of the counters."""
