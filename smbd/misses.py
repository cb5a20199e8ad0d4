"""READs of one connection that miss the page cache, and FLUSHes, that C answers (native/misses.c).

They are counted here as any request in work is.  Those that their client must hear of before, by an
interim response or for a CANCEL, and those that fail, become requests, which dispatch answers.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from time import perf_counter
from typing import Any, Protocol
from weakref import proxy

import trio

from aio.completion import TURN
from aio.probe import Probe
from smbd import alone
from smbd.alone import Alone
from smbd.commands.flush import Flushing
from smbd.commands.read import Fetched
from smbd.connection import Connection
from smbd.guarding import Guard
from smbd.interims import FOR_FILES_AFTER, Interims
from smbd.known_opens import InCall
from smbd.native import Core
from smbd.request import Request
from smbd.session import Channel
from smbd.state import Open, modified
from smbd.transport import Transport
from smbd.wall import wall

_FINISHED = Struct(
    "<"
    "QQQQdd"  # last_position, ended, ended_bytes, ended_size, ended_seconds, ended_longest
    "QQdd"    # flushed, flushed_size, flushed_seconds, flushed_longest
)  # fmt: skip
_BARE = 4  # bytes before a reply that is not sealed


class Pipeline(alone.Pipeline, Protocol):
    """The dispatch of the connection."""

    @property
    def room(self) -> int:
        """How many more requests may be in work."""

    def work_began(self, count: int, size: int) -> None:
        """So many requests are in work, for which so many bytes are held."""

    def work_ended(self, count: int, size: int) -> None:
        """They are answered."""

    def end_unused(self, open_: Open) -> None:
        """Close the descriptor of a closed Open that no operation uses any more."""


@dataclass(slots=True, eq=False)
class _Held:
    """What those of one of C's opens have in common, until the last one is answered."""

    used: InCall
    sequence: int
    count: int = 0


@dataclass(slots=True, eq=False)
class _Taken:
    """One that Python is to answer."""

    alone: Alone
    open: Open
    engine: Probe


class Misses:
    """Those of one connection that are in flight."""

    def __init__(
        self,
        core: Core,
        burst: Any,
        connection: Connection,
        pipeline: Pipeline,
        transport: Transport,
        interims: Interims,
    ) -> None:
        self._lib, self._ffi, self._burst = core.lib, core.ffi, burst
        self._replies, self._room = core.replies, core.room
        self._connection = connection
        # These lead here.
        self._pipeline: Pipeline = proxy(pipeline)
        self._transport: Transport = proxy(transport)
        self._interims: Interims = proxy(interims)
        self.key = core.address_of(burst, "returned")
        self._finished_at = core.offsets_of("last_position")
        self._memory: Any = core.ffi.buffer(burst)
        self.held: dict[int, _Held] = {}  # by the number of C's open, which stays what it is
        self._taken: dict[int, _Taken] = {}  # by the address of C's `struct miss`

    # --- in the burst ---

    @property
    def room(self) -> int:
        """How many more may begin."""
        return self._pipeline.room

    def may_begin(self, number: int, open_: Open, channel: Channel, guard: Guard | None) -> bool:
        """Whether one more may: those of one of C's opens differ in nothing that Python knows."""
        held = self.held[number]
        used = held.used
        return (
            held.sequence == open_.channel_sequence
            and used.open is open_
            and used.channel is channel
            and used.guard is guard
        )

    def began(self, used: InCall, count: int, size: int) -> None:
        """So many have begun in a burst, for which so many bytes are held."""
        open_ = used.open
        held = self.held.get(used.number)
        if held is None:
            held = self.held[used.number] = _Held(used, open_.channel_sequence)
        held.count += count
        open_.users += count
        open_.requests += count
        self._pipeline.work_began(count, size)
        if held.count == count:
            self._expect()

    def flush_began(self, used: InCall, size: int) -> None:
        """The same of a FLUSH; what was written is told of now, while the disk works."""
        self.began(used, 1, size)
        open_ = used.open
        if open_.unreported:
            changed, open_.unreported = open_.unreported, 0
            service = self._connection.service
            with wall("telling of a flushed file"):
                service.tables.changed(open_, modified(changed), service.clock())

    def _expect(self) -> None:
        due = self.due()
        if due is not None:
            self._interims.expect(due)

    # --- their ends ---

    def tell(self) -> None:
        """Some have ended: answer them."""
        self._transport.answers_from_threads()
        over, more = perf_counter() + TURN, True
        while more and perf_counter() < over:
            more = self._finish(over)
            for number in list(self.held):
                self._count(number)
            for miss in self._odd():
                self._answer_odd(miss)
        if more:
            trio.lowlevel.current_trio_token().run_sync_soon(self.tell, idempotent=True)

    def _finish(self, over: float) -> bool:
        """Have C answer some; whether there are more."""
        burst, window, sock = self._burst, self._connection.window, self._transport.free_socket
        burst.maximum, burst.used = window.maximum, window.used
        burst.low, burst.high = window.low, window.high
        burst.room, burst.over, burst.sock = self._room, over, sock
        more = bool(self._lib.burst_finish(burst))
        window.high = burst.high
        if burst.made:
            self._transport.emit([bytes(self._replies[: burst.made])])
        return more

    def _count(self, number: int) -> None:
        """What C has answered of one of its opens, where Python has it."""
        position, ended, read, size, seconds, longest, *flushes = _FINISHED.unpack_from(
            self._memory, self._finished_at[number]
        )
        flushed, flushed_size, flushed_seconds, flushed_longest = flushes
        count = ended + flushed
        if not count:
            return
        held = self.held[number]
        open_, engine = held.used.open, held.used.engine
        if ended:
            engine.plain_fetched(ended, read, seconds, longest)
            open_.position = position
        if flushed:
            fd = open_.file.fd
            engine.plain_flushed(fd, flushed, flushed, flushed_seconds, flushed_longest)
        if held.sequence == open_.channel_sequence:
            open_.requests -= count
        else:
            open_.earlier_requests -= count
        open_.users -= count
        self._release(number, held, count)
        if open_.closed and not open_.users:
            self._pipeline.end_unused(open_)
        self._pipeline.work_ended(count, size + flushed_size)

    def _release(self, number: int, held: _Held, count: int) -> None:
        held.count -= count
        if not held.count:
            del self.held[number]

    # --- those that Python answers ---

    def due(self) -> float | None:
        """When the first one is to be told of, by trio's clock; None if none is in flight."""
        oldest = self._burst.oldest
        if not oldest:
            return None
        since: float = perf_counter() - oldest.started
        return trio.current_time() - since + FOR_FILES_AFTER

    def take_late(self, most: int) -> Iterator[Request]:
        """The requests that are to be told of now."""
        for _ in range(most):
            due = self.due()
            if due is None or due > trio.current_time():
                return
            yield self._take(self._burst.oldest).alone.request

    def find(self, message_id: int) -> Request | None:
        """The request that a CANCEL means."""
        miss = self._lib.miss_find(self._burst, message_id)
        if not miss:
            return None
        request = self._take(miss).alone.request
        self._interims.begin(request, [], for_others=False)
        return request

    def take_all(self) -> None:
        """Python answers those that are in flight."""
        while self._burst.oldest:
            self._take(self._burst.oldest)

    def _take(self, miss: Any) -> _Taken:
        """Make a request of one, which goes on."""
        number, size = miss.which, miss.held
        held = self.held[number]
        used = held.used
        message = memoryview(bytes(self._ffi.buffer(miss.message, miss.size)))
        request = self._connection.begun(message, used.channel, sealed=miss.before != _BARE)
        request.tree = used.tree
        request.open = request.used = used.open  # it is counted there
        open_ = used.open
        transfer = Flushing(open_) if self._lib.miss_flushes(miss) else Fetched(open_)
        one = Alone(self._pipeline, request, transfer, size)
        request.work = one
        self._connection.request_list.started(request)
        self._lib.miss_give(self._burst, miss)
        self._release(number, held, 1)
        taken = self._taken[self._address(miss)] = _Taken(one, open_, used.engine)
        return taken

    def _address(self, miss: Any) -> int:
        return int(self._ffi.cast("uintptr_t", miss))

    def _odd(self) -> Iterator[Any]:
        while miss := self._lib.miss_next(self._burst):
            yield miss

    def _answer_odd(self, miss: Any) -> None:
        """One that was taken over has ended, or one has ended in a way that C does not know."""
        address = self._address(miss)
        if address not in self._taken:
            self._take(miss)
        taken = self._taken.pop(address)
        count = self._lib.miss_count(miss)
        error = OSError(-count, os.strerror(-count)) if count < 0 else None
        got = max(count, 0)
        took = perf_counter() - miss.started
        done, transfer = 0 if error else 1, taken.alone.transfer
        if isinstance(transfer, Fetched):
            taken.engine.plain_fetched(done, got, took, took)
            transfer.data = bytes(self._ffi.buffer(self._lib.miss_data(miss), got))
        else:
            taken.engine.plain_flushed(taken.open.file.fd, 1, done, took, took)
        self._lib.miss_free(miss)
        taken.alone.done(got, error)
