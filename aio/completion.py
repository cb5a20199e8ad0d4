"""Calls in flight -> what waits for them, with one wake-up of the loop per burst of completions."""

import math
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar

import trio
from outcome import Outcome

from aio.base import Begun, Done

T = TypeVar("T")

# Each `done` may make and sign an answer.  Those that are left come in the loop's next round.
TURN = 0.002


class Ended(Protocol):
    """A call that has ended."""

    def tell(self) -> None:
        """In the loop, once: let what waits for it go on."""


class _Burst(threading.local):
    """What is due when the calls that have ended are told of: of the loop in this thread."""

    def __init__(self) -> None:
        self.afterwards: dict[Callable[[], object], None] = {}


_burst = _Burst()


def after_burst(act: Callable[[], object]) -> None:
    """Called by a `done`: call `act` once when the others that have ended are told of too."""
    _burst.afterwards[act] = None


def tell(ended: deque[Any], over: float) -> bool:
    """Tell of the calls that have ended, at least of one, until the time is `over`.

    Whether none is left.  Each is an `Ended`; `over` is perf_counter's.
    """
    while ended:
        ended.popleft().tell()
        if perf_counter() > over:
            break
    afterwards = _burst.afterwards
    while afterwards:
        act, _ = afterwards.popitem()
        act()
    return not ended


class Waiter:
    """A task that waits for what it has begun."""

    __slots__ = ("_count", "_error", "_task", "over")

    def __init__(self) -> None:
        self.over = False
        self._count = 0
        self._error: BaseException | None = None
        self._task: trio.lowlevel.Task | None = None  # while it sleeps

    def done(self, count: int, error: BaseException | None = None) -> None:
        """It has ended: a `Done`."""
        self.over, self._count, self._error = True, count, error
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)

    async def result(self, withdraw: Callable[[], None]) -> int:
        """Wait for the end, cancelled or not; the count, or the error is raised."""
        if not self.over:

            def abort(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
                withdraw()
                return trio.lowlevel.Abort.FAILED

            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(abort)
        error, self._error = self._error, None
        if error is None:
            return self._count
        try:
            raise error
        finally:
            del error  # its traceback leads here


class Begins(Protocol):
    """An engine, as far as `read_awaited` and `fsync_awaited` need one."""

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """As `Engine.begin_read`."""

    def begin_fsync(self, fd: int, done: Done) -> Begun:
        """As `Engine.begin_fsync`."""

    def kick(self) -> None:
        """As `Engine.kick`."""


# A KeyboardInterrupt between beginning and waiting would free memory that the kernel owns.
@trio.lowlevel.enable_ki_protection
async def read_awaited(engine: Begins, fd: int, into: memoryview, offset: int) -> int:
    """`Engine.read` by `Engine.begin_read`, whose others of this round are kicked with it.

    Cancelled comes after the end, instead of the count.
    """
    waiter = Waiter()
    return await _ended(engine, waiter, engine.begin_read(fd, into, offset, waiter.done))


@trio.lowlevel.enable_ki_protection
async def fsync_awaited(engine: Begins, fd: int) -> None:
    """`Engine.fsync` by `Engine.begin_fsync`, as `read_awaited`."""
    waiter = Waiter()
    await _ended(engine, waiter, engine.begin_fsync(fd, waiter.done))


async def _ended(engine: Begins, waiter: Waiter, begun: Begun) -> int:
    await trio.lowlevel.cancel_shielded_checkpoint()
    engine.kick()
    try:
        return await waiter.result(begun.withdraw)
    finally:
        await trio.lowlevel.checkpoint_if_cancelled()


class Operation(Generic[T]):
    """One call in flight: which task waits for it, and how it ended."""

    __slots__ = ("outcome", "raise_cancel", "task")

    outcome: Outcome[T]
    task: trio.lowlevel.Task | None  # None: it waits no longer

    def __init__(self) -> None:
        self.raise_cancel: trio.lowlevel.RaiseCancelT | None = None

    def abort(self, raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        """Cancellation waits: a system call cannot be called back from its fd and its buffer."""
        self.raise_cancel = raise_cancel
        return trio.lowlevel.Abort.FAILED

    def tell(self) -> None:
        """Let its task go on."""
        if self.task is not None:
            trio.lowlevel.reschedule(self.task, self.outcome)
        # An error's traceback leads to the frames that hold the operation: with its outcome
        # that would be a circle, which keeps the call's arguments alive (a share's folder).
        del self.outcome


class Completions:
    """The operations in flight.  `finish` is called from any thread, the rest in the loop."""

    __slots__ = ("_done", "_idle", "_token", "_waking", "pending")

    def __init__(self) -> None:
        self.pending = 0
        self._done: deque[Operation[Any]] = deque()
        self._waking = False
        self._token: trio.lowlevel.TrioToken
        self._idle: trio.Event | None = None

    def begin(self, operation: Operation[Any], submit: Callable[[Any], None]) -> None:
        """Submit an operation, whose `tell` is called when it is finished, and calls `ended`."""
        if not self.pending:
            # A new run of trio may be using an old engine; while calls are pending, it cannot.
            self._token = trio.lowlevel.current_trio_token()
            self._waking = False
        self.pending += 1
        try:
            submit(operation)
        except BaseException:
            self.ended()
            raise

    async def wait(self, operation: Operation[T], submit: Callable[[Any], None]) -> T:
        """Submit an operation, and wait until it is finished; then its result or its error.

        Cancelled comes after the completion, instead of the result.
        """
        operation.task = trio.lowlevel.current_task()
        self.begin(operation, submit)
        try:
            result: T = await trio.lowlevel.wait_task_rescheduled(operation.abort)
            return result
        finally:
            self.ended()
            if operation.raise_cancel is not None:
                operation.raise_cancel()

    def ended(self) -> None:
        """One less is in flight."""
        self.pending -= 1
        if not self.pending and self._idle is not None:
            self._idle.set()

    def finish(self, operation: Operation[Any]) -> None:
        """The operation's outcome is there: let what waits for it go on.

        trio's own idempotent queue would take its lock and write to its wake-up socket for each
        completion.  The flag saves both: the thread that finds it down after appending
        wakes the loop, and the loop takes it down before it empties the deque: nothing is left.
        """
        self._done.append(operation)
        if not self._waking:
            self._waking = True
            self._token.run_sync_soon(self._drain, idempotent=True)

    def _drain(self) -> None:
        self._waking = False
        if not tell(self._done, perf_counter() + TURN) and not self._waking:
            self._waking = True
            self._token.run_sync_soon(self._drain, idempotent=True)

    async def idle(self, patience: float = math.inf) -> None:
        """Wait, cancelled or not, until nothing is in flight, or for `patience` seconds."""
        with trio.move_on_after(patience, shield=True):
            while self.pending:
                self._idle = trio.Event()
                await self._idle.wait()
