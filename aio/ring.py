"""A kernel's queue of requests in the trio loop: one submission per burst, one wake-up per burst.

Measured (cached 4 KiB reads, CPU a read): bursts of 16 submitted one by one 9.7 us, at once 5.4;
alone, waiting for the tick costs 3.  Requests that completed while they were submitted, as those of
cached data do, are taken out at once: that saves the 10 us of a wake-up by the eventfd.
"""

import errno
import os
from collections import deque
from collections.abc import Iterable
from itertools import islice
from time import perf_counter
from typing import Protocol

import trio
from trio.lowlevel import enable_ki_protection

from aio.base import Done, Stats
from aio.bells import bells_here
from aio.completion import TURN, Waiter, tell
from aio.kernel import Address, read_at, write_at
from aio.window import Unbounded, Window

READ = 0
WRITE = 1
FSYNC = 2


# Not done, and not refused.  io_uring cancels a request that it gets no thread for: because of a
# signal, which passes, or because of a limit of processes, which does not.
_AGAIN = {errno.EINTR, errno.ECANCELED}
_MOST_CANCELLED = 3
# To find that out takes 0.2 s: it is believed for so many seconds.
_WITHOUT = 10.0
# Cached data is copied while it is submitted, 1 MiB in 0.2 ms: no more in one call.
_MOST_BYTES, _MOST_AT_ONCE = 1 << 20, 16


class Request:
    """One request to the kernel, which owns the memory at `address` until there is a result."""

    __slots__ = (
        "address",
        "aside",
        "cancelled",
        "code",
        "done",
        "fd",
        "flags",
        "length",
        "offset",
        "registered",
        "result",
        "ring",
        "view",
    )

    ring: "Ring"

    def __init__(self, code: int, fd: int, memory: Address, length: int, offset: int) -> None:
        if not 0 <= offset < 1 << 63:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.code = code
        self.fd = fd
        self.address = memory.value
        self.view = memory.view
        self.length = length
        self.offset = offset
        self.flags = 0  # RWF_*
        self.aside = False  # whether a thread of the kernel's submits it to the device
        self.registered = False  # whether the memory is that of `Ring.register`
        self.result = 0  # a count, or an errno below 0
        self.cancelled = 0  # by the kernel, so many times
        self.done: Done | None = None  # until it is told of

    def withdraw(self) -> None:
        """As `aio.base.Begun` has it; what the kernel may know of is carried out."""

    def release(self) -> None:
        """Its memory is its owner's again."""
        self.view = _NOTHING

    def tell(self) -> None:
        """The result is there: call `done`."""
        done, result = self.done, self.result
        assert done is not None
        self.done = None  # which leads back here
        self.ring.ended()
        if result < 0:
            done(0, OSError(-result, os.strerror(-result)))
        else:
            done(result, None)


_NOTHING = memoryview(b"")


class Queue(Protocol):
    """The calls that libaio and io_uring share.  Used by one thread; the caller counts requests."""

    name: str
    depth: int  # requests in flight at most
    eventfd: int  # readable when something has completed

    def put(self, index: int, tag: int, request: Request) -> None:
        """Make a request the one at `index` of those that `submit` submits."""

    def submit(self, count: int) -> int:
        """Submit; how many, from index 0 on, were taken.  OSError: none, since the first failed."""

    def reap(self, *, woken: bool) -> Iterable[tuple[int, int]]:
        """The tag and result of all that has completed; the eventfd is cleared if `woken`."""

    def register(self, memory: Address, length: int) -> bool:
        """Prepare memory, once, for requests that say so; False if that is not to be had."""

    def close(self) -> None:
        """Give everything back.  Nothing is in flight."""


# A ring with requests in flight is kept here: the kernel writes to their memory, whether or not
# anybody still knows the engine (trio crashed, say).
_busy: set["Ring"] = set()


class Ring:
    """The requests that wait for a queue, and those that it has."""

    def __init__(
        self, queue: Queue, stats: Stats, window: Window | Unbounded | None = None
    ) -> None:
        self.pending = 0
        self._queue = queue
        self._stats = stats
        self._waiting: deque[Request] = deque()  # not submitted yet
        self._flying: dict[int, Request] = {}
        self._ended: deque[Request] = deque()  # not told of yet
        self._tags = list(range(queue.depth))
        self._window = window or Window(queue.depth)
        self._run: trio.lowlevel.TrioToken | None = None
        self._idle: trio.Event | None = None
        self._reaped = trio.Event()  # the task that takes completions has ended
        self._reaped.set()
        self._open = True
        self._without_until = 0.0  # perf_counter's seconds; until then there is no thread for it

    def register(self, memory: Address, length: int) -> bool:
        """As `Queue.register`."""
        return self._queue.register(memory, length)

    def begin(self, request: Request, done: Done) -> None:
        """`done` is called with the kernel's result, by `kick` or in a later round of the loop.

        Until then the memory is the kernel's.
        """
        if not self.pending:
            self._begin()
        self.pending += 1
        request.ring, request.done = self, done
        if self._without_until and perf_counter() < self._without_until:
            self._do_without(request)
        else:
            self._waiting.append(request)

    def kick(self) -> None:
        """Submit what has begun; the results that are there at once are told of."""
        if self._waiting:
            self._go_on()

    # A KeyboardInterrupt between submitting and waiting would free memory that the kernel owns.
    @enable_ki_protection
    async def perform(self, request: Request) -> int:
        """The kernel's result; OSError.  Cancelling does nothing: callers look for it at the end.

        The first of a tick lets the others of the tick come, then submits for all.
        """
        waiter = Waiter()
        self.begin(request, waiter.done)
        if len(self._waiting) == 1:
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._go_on()
        return await waiter.result(request.withdraw)

    def ended(self) -> None:
        """One less is pending."""
        self.pending -= 1
        if not self.pending:
            _busy.discard(self)
            if self._idle is not None:
                self._idle.set()

    def _begin(self) -> None:
        _busy.add(self)
        run = trio.lowlevel.current_trio_token()
        if run is not self._run:  # the task of an earlier run of trio ended with it
            self._run = run
            self._reaped = trio.Event()
            trio.lowlevel.spawn_system_task(self._reap, name=f"aio {self._queue.name}")

    def _go_on(self) -> None:
        """Submit and tell, for a turn; the rest comes in the loop's next round."""
        over = perf_counter() + TURN
        takes_more = self._submit(over)
        if not tell(self._ended, over) or (takes_more and self._waiting and self._has_room):
            assert self._run is not None
            self._run.run_sync_soon(self._go_on, idempotent=True)

    @property
    def _has_room(self) -> bool:
        return len(self._flying) < self._window.size

    def _submit(self, over: float) -> bool:
        """Submit the waiting requests while there is room; a completion makes room for the rest.

        False if the kernel has none although there should be: it has when something completes.
        """
        while self._waiting and self._has_room:
            now = perf_counter()
            if now > over:
                break
            if not self._submit_some(now):
                return False
        return True

    def _submit_some(self, now: float) -> bool:
        """One call; False if there is no room in the kernel now."""
        count, length = self._next()
        for index, request in enumerate(islice(self._waiting, count)):
            request.aside = now < self._window.aside_until
            self._queue.put(index, self._tags[-1 - index], request)
        started = perf_counter()
        try:
            taken = self._queue.submit(count)
        except OSError as error:
            return self._refused(error)
        ended = perf_counter()
        seconds = ended - started
        self._window.submitted(seconds, length, ended)
        stats = self._stats
        stats.submits += 1
        stats.submit_seconds += seconds
        stats.max_submit_seconds = max(stats.max_submit_seconds, seconds)
        for _ in range(taken):
            self._flying[self._tags.pop()] = self._waiting.popleft()
        self._take(woken=False)
        return True

    def _next(self) -> tuple[int, int]:
        """How many of those that wait go together, at least one; and their bytes."""
        room = min(self._window.size - len(self._flying), _MOST_AT_ONCE)
        count = length = 0
        for request in islice(self._waiting, room):
            if count and length + request.length > _MOST_BYTES:
                break
            count += 1
            length += request.length
        return count, length

    def _refused(self, error: OSError) -> bool:
        """Deal with the first of those that wait; False: not now, but when there is room again."""
        if error.errno in {errno.EAGAIN, errno.EBUSY} and self._flying:
            return False
        if error.errno != errno.EINTR:
            self._finish(self._waiting.popleft(), -(error.errno or errno.EIO))
        return True

    def _take(self, *, woken: bool) -> None:
        before = len(self._tags)
        for tag, result in self._queue.reap(woken=woken):
            self._tags.append(tag)
            self._finish(self._flying.pop(tag), result)
        count = len(self._tags) - before
        self._stats.completions += count
        self._window.completed(count)

    def _finish(self, request: Request, result: int) -> None:
        """There is a result, which may be to ask again."""
        request.result = result
        if -result not in _AGAIN:
            self._ended.append(request)
            return
        request.cancelled += -result == errno.ECANCELED
        if request.cancelled > _MOST_CANCELLED:
            self._without_until = perf_counter() + _WITHOUT
            self._do_without(request)
        else:
            self._waiting.append(request)

    def _do_without(self, request: Request) -> None:
        trio.lowlevel.spawn_system_task(self._perform_elsewhere, request)

    async def _perform_elsewhere(self, request: Request) -> None:
        """A request in a thread of ours; without one, in the loop, better than never."""
        with trio.CancelScope(shield=True):
            try:
                request.result = await trio.to_thread.run_sync(_perform_blocking, request)
            except RuntimeError:  # no thread can be started
                request.result = _perform_blocking(request)
        self._ended.append(request)
        self._go_on()

    async def _reap(self) -> None:
        """Take completions as they come, until `aclose` or the end of this run of trio."""
        eventfd = self._queue.eventfd
        try:
            with bells_here().told(eventfd, self._woken):
                while self._open:
                    await trio.lowlevel.wait_readable(eventfd)
                    self._woken()
        except trio.ClosedResourceError:
            return
        finally:
            self._reaped.set()

    def _woken(self) -> None:
        """Something has completed."""
        self._stats.wakes += 1
        self._take(woken=True)
        self._go_on()

    async def aclose(self) -> None:
        """Wait, cancelled or not, until nothing is pending; then give the queue back."""
        with trio.CancelScope(shield=True):
            self.kick()
            while self.pending:
                self._idle = trio.Event()
                await self._idle.wait()
            if self._open:
                self._open = False
                trio.lowlevel.notify_closing(self._queue.eventfd)
                await self._reaped.wait()  # it may be about to look at the queue
                # For libaio it takes 28 ms, even with nothing in flight (measured).
                await trio.to_thread.run_sync(self._queue.close)


def _perform_blocking(request: Request) -> int:
    try:
        if request.code == FSYNC:
            os.fsync(request.fd)
            return 0
        perform = read_at if request.code == READ else write_at
        return perform(request.fd, request.address, request.length, request.offset)
    except OSError as error:
        return -(error.errno or errno.EIO)
