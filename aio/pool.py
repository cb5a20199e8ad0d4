"""Worker threads for blocking calls: one hand-over each way, one wake-up of the loop per burst.

Measured against `trio.to_thread` (cached 4 KiB preadv, 2 cores): 85 us against 128 with one call
in flight, 20 against 87 with eight, 8 against 105 with 64.
"""

import errno
import math
import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, TypeVarTuple

import outcome
import trio

from aio.base import Begun, Done
from aio.completion import Completions, Operation, T
from aio.lanes import Lane, Lanes
from aio.slices import AbandonedError, abandoned_when
from aio.starting import settle, start_elsewhere

R = TypeVar("R")
Args = TypeVarTuple("Args")

# An idle thread costs little, but a server may have many shares: after a burst they go again.
_IDLE_SECONDS = 30.0


class _Job(Operation[T]):
    """A function to call in a worker."""

    __slots__ = ("args", "flow", "function", "lane", "pool")

    args: tuple[Any, ...]

    def __init__(
        self,
        pool: "WorkerPool",
        lane: "Lane[_Job[Any]]",
        flow: object,
        function: Callable[..., T],
    ) -> None:
        self.raise_cancel = None
        self.pool = pool
        self.lane = lane
        self.flow = flow
        self.function = function

    def abort(self, raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        """A job that still waits for a worker is never begun; one that runs is waited for."""
        if self.pool.withdraw(self):
            self.args = ()
            return trio.lowlevel.Abort.SUCCEEDED
        return super().abort(raise_cancel)


class _Whole(_Job[T]):
    """A job whose caller gets its result even if cancelled meanwhile."""

    __slots__ = ("raise_cancelled",)

    raise_cancelled: trio.lowlevel.RaiseCancelT | None

    def abort(self, raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        """As of any job, but the caller gets the result; `give_way` may end the job before."""
        stopped = super().abort(raise_cancel)
        self.raise_cancelled, self.raise_cancel = self.raise_cancel, None
        return stopped

    def rethrow(self) -> None:
        """Raise Cancelled in the caller, if it was cancelled."""
        if self.raise_cancelled is not None:
            self.raise_cancelled()


class _Question(_Job[T]):
    """A job that a cancelled caller leaves behind."""

    __slots__ = ()

    def abort(self, raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        """The caller goes at once."""
        if super().abort(raise_cancel) is trio.lowlevel.Abort.FAILED:
            self.raise_cancel = self.task = None
        return trio.lowlevel.Abort.SUCCEEDED


class _Begun(_Job[int]):
    """A job that no task waits for."""

    __slots__ = ("done",)

    done: Done

    def withdraw(self) -> None:
        """As `aio.base.Begun` has it."""
        if self.pool.withdraw(self):
            self.args = ()
            self.outcome = outcome.Error(OSError(errno.ECANCELED, os.strerror(errno.ECANCELED)))
            self.pool.completions.finish(self)

    def tell(self) -> None:
        """Call `done`."""
        end = self.outcome
        del self.outcome
        self.pool.completions.ended()
        if isinstance(end, outcome.Value):
            self.done(end.value, None)
        elif isinstance(end, outcome.Error):
            self.done(0, end.error)


def _call(job: _Whole[R], function: Callable[..., R], args: tuple[Any, ...]) -> R:
    """Call a function that may ask `give_way` whether somebody still waits for it."""
    with abandoned_when(lambda: job.raise_cancelled is not None):
        return function(*args)


class WorkerPool:
    """Up to `workers` daemon threads, started when a call finds none idle.

    Where more calls wait than threads are free, calls of different `flow`s take turns, and no flow
    has more than `each` running, a third of them long calls (0: as many as there are).
    """

    def __init__(self, workers: int, name: str = "aio", *, each: int = 0) -> None:
        self._workers = workers
        self._name = name
        self.completions = Completions()
        # A C queue hands a job over: it beat a deque with a stack of idle threads' locks by 1.1 to
        # 2.6 times.  It only ever holds jobs that a thread is waiting for; others are in `_lanes`.
        self._handed: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()  # of all attributes below
        self._lanes: Lanes[_Job[Any]] = Lanes(workers, each)
        self._threads: set[threading.Thread] = set()
        self._started = 0
        self._least = 1  # threads that stay when all are idle
        self._closed = False

    @property
    def pending(self) -> int:
        """Calls in flight."""
        return self.completions.pending

    @property
    def threads(self) -> int:
        """Threads that there are."""
        return len(self._threads)

    async def run(self, function: Callable[[*Args], R], *args: *Args) -> R:
        """Call `function(*args)` in a worker; its result, or its exception.

        The arguments are the function's until it returns: a cancelled caller waits for that, and
        Cancelled is raised then.  If the function has not begun, Cancelled is raised at once, and
        it never begins.
        After `aclose`: trio.ClosedResourceError.  OSError(ENOMEM): there is no thread, and none can
        be started.
        """
        job: _Job[R] = _Job(self, self._lanes.quick, None, function)
        job.args = args
        return await self.completions.wait(job, self._submit)

    async def transfer(self, fd: int, function: Callable[[*Args], R], /, *args: *Args) -> R:
        """The same, in the flow of an open file."""
        job: _Job[R] = _Job(self, self._lanes.quick, fd, function)
        job.args = args
        return await self.completions.wait(job, self._submit)

    def begin(
        self, done: Done, fd: int, function: Callable[[*Args], int], /, *args: *Args
    ) -> Begun:
        """As `transfer`, without a task: `done` is called in the loop."""
        return self._begin(self._lanes.quick, done, fd, function, args)

    def begin_long(
        self, done: Done, fd: int, function: Callable[[*Args], int], /, *args: *Args
    ) -> Begun:
        """`begin` what takes long by its nature, as `run_long`."""
        return self._begin(self._lanes.long, done, fd, function, args)

    def _begin(
        self,
        lane: "Lane[_Job[Any]]",
        done: Done,
        flow: object,
        function: Callable[..., int],
        args: tuple[Any, ...],
    ) -> Begun:
        job = _Begun(self, lane, flow, function)
        job.args = args
        job.done = done
        self.completions.begin(job, self._submit)
        return job

    async def run_for(self, flow: object, function: Callable[[*Args], R], /, *args: *Args) -> R:
        """Call it in a flow (any hashable), and whole: Cancelled says that it never began.

        Once begun, it gives its result to a cancelled caller too, unless `give_way` ended it.
        """
        return await self._whole(self._lanes.quick, flow, function, args)

    async def run_long(self, flow: object, function: Callable[[*Args], R], /, *args: *Args) -> R:
        """`run_for` what takes long by its nature: such calls get half of the threads."""
        return await self._whole(self._lanes.long, flow, function, args)

    async def ask(self, patience: float, function: Callable[[*Args], R], /, *args: *Args) -> R:
        """Call a function that changes nothing, and wait `patience` seconds; then TimeoutError.

        The call is left behind then, as it is when the caller is cancelled: its result must be
        freed with the last reference to it.
        """
        job: _Question[R] = _Question(self, self._lanes.quick, None, function)
        job.args = args
        with trio.move_on_after(patience):
            return await self.completions.wait(job, self._submit)
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    async def _whole(
        self,
        lane: "Lane[_Job[Any]]",
        flow: object,
        function: Callable[..., R],
        args: tuple[Any, ...],
    ) -> R:
        await trio.lowlevel.checkpoint_if_cancelled()
        job: _Whole[R] = _Whole(self, lane, flow, _call)
        job.args = (job, function, args)
        job.raise_cancelled = None
        try:
            return await self.completions.wait(job, self._submit)
        except AbandonedError:
            job.rethrow()
            raise

    def check_open(self) -> None:
        """trio.ClosedResourceError after `aclose`."""
        if self._closed:
            raise trio.ClosedResourceError("this worker pool is closed")

    def _submit(self, job: _Job[Any]) -> None:
        self.check_open()
        if not self._threads:
            self.reserve()
        thread = None
        with self._lock:
            if self._lanes.running >= len(self._threads) < self._workers:
                thread = self._new_thread()
                if self._lanes.workers < self._workers:
                    self._lanes.resize(len(self._threads))
            if self._lanes.begin(job):
                self._handed.put(job)
        if thread is not None:
            start_elsewhere(thread, self._gives_up)

    def _new_thread(self) -> threading.Thread:
        name = f"{self._name}-{self._started}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._started += 1
        self._threads.add(thread)
        return thread

    def _gives_up(self, thread: threading.Thread) -> bool:
        """Whether to do without a thread that cannot be started: the other threads must do."""
        with self._lock:
            if len(self._threads) == 1:
                return False
            self._threads.remove(thread)
            self._lanes.resize(len(self._threads))
        return True

    def reserve(self) -> None:
        """Have one thread, however few the process may start later.  OSError(ENOMEM): it may not.

        Without it, other pools' threads could use up the limit before this one's first call.
        """
        if self._threads:
            return
        thread = self._new_thread()
        try:
            thread.start()
        except RuntimeError as error:
            self._threads.remove(thread)
            raise OSError(errno.ENOMEM, str(error)) from error

    def withdraw(self, job: _Job[Any]) -> bool:
        """Whether a job was still waiting for a worker; then it never gets one."""
        with self._lock:
            return self._lanes.withdraw(job)

    async def aclose(self, patience: float = math.inf) -> int:
        """Wait for the calls in flight, then end the threads.

        After `patience` seconds, calls that hang (a disk that never answers) are left to end by
        themselves.  The number of these.
        """
        self._closed = True
        await self.completions.idle(patience)
        settle()
        with self._lock:
            threads, hanging = list(self._threads), self._lanes.running
        for _ in threads:
            self._handed.put(None)
        if not hanging:
            for thread in threads:
                if thread.ident is not None:  # else it could not be started
                    thread.join()  # idle, so gone in microseconds
        await trio.lowlevel.checkpoint()
        return hanging

    def release(self) -> None:
        """Keep no idle thread for long any more; calls still get one."""
        self._least = 0

    # --- in the threads ---

    def _work(self) -> None:
        job = self._next()
        while job is not None:
            job.outcome = outcome.capture(job.function, *job.args)
            job.args = ()  # the caller may resize its buffer the moment it is woken
            with self._lock:
                following = self._lanes.end(job)
            try:  # noqa: SIM105 -- suppress() takes 0.3 us more
                self.completions.finish(job)
            except trio.RunFinishedError:  # trio crashed with calls pending: nobody waits any more
                pass
            job = None  # else an idle thread would keep the last caller's buffer alive
            job = following or self._next()

    def _next(self) -> _Job[Any] | None:
        """The job that comes next; None if this thread is not needed any more."""
        while True:
            try:
                job = self._handed.get(timeout=_IDLE_SECONDS)
            except Empty:
                with self._lock:
                    # Each job that was handed over still finds a thread that waits.
                    if len(self._threads) > self._least and self._handed.empty():
                        self._threads.remove(threading.current_thread())
                        return None
            else:
                if job is None:
                    with self._lock:
                        self._threads.remove(threading.current_thread())
                return job
