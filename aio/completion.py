"""Operation -> waiting task, with one wake-up of the loop per burst of completions."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import trio
from outcome import Outcome

T = TypeVar("T")


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


class Completions:
    """The operations in flight.  `finish` is called from any thread, the rest in the loop."""

    __slots__ = ("_done", "_idle", "_token", "_waking", "pending")

    def __init__(self) -> None:
        self.pending = 0
        self._done: deque[Operation[Any]] = deque()
        self._waking = False
        self._token: trio.lowlevel.TrioToken
        self._idle: trio.Event | None = None

    async def wait(self, operation: Operation[T], submit: Callable[[Any], None]) -> T:
        """Submit an operation, and wait until it is finished; then its result or its error.

        Cancelled comes after the completion, instead of the result.
        """
        operation.task = trio.lowlevel.current_task()
        if not self.pending:
            # A new run of trio may be using an old engine; while calls are pending, it cannot.
            self._token = trio.lowlevel.current_trio_token()
            self._waking = False
        self.pending += 1
        try:
            submit(operation)
            result: T = await trio.lowlevel.wait_task_rescheduled(operation.abort)
            return result
        finally:
            self.pending -= 1
            if not self.pending and self._idle is not None:
                self._idle.set()
            if operation.raise_cancel is not None:
                operation.raise_cancel()

    def finish(self, operation: Operation[Any]) -> None:
        """The operation's outcome is there: let its task go on.

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
        while self._done:
            operation = self._done.popleft()
            if operation.task is not None:
                trio.lowlevel.reschedule(operation.task, operation.outcome)
            # An error's traceback leads to the frames that hold the operation: with its outcome
            # that would be a circle, which keeps the call's arguments alive (a share's folder).
            del operation.outcome

    async def idle(self, patience: float = math.inf) -> None:
        """Wait, cancelled or not, until nothing is in flight, or for `patience` seconds."""
        with trio.move_on_after(patience, shield=True):
            while self.pending:
                self._idle = trio.Event()
                await self._idle.wait()
