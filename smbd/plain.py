"""The plain frames of one connection, which C answers in bursts, and what they change.

What C may answer of each open `smbd.known_opens` says.  What it has done is taken over here, behind
each call: message ids, positions, counts, and what the engine has to know.
"""

from typing import Any, Protocol

from aio.probe import Probe
from smbd import turns
from smbd.burst import (
    ASK,
    CALL,
    CLOSED,
    DONE,
    FULL,
    GOES_ON,
    KIND_MISSED,
    KIND_WRITTEN,
    LOOP,
    NO_ANSWER,
    NOTHING,
    STATE,
    STATE_AT,
    WAITED,
    Answered,
    Call,
    Calls,
    Talked,
)
from smbd.connection import Connection
from smbd.guarding import Guard
from smbd.known_opens import InCall, KnownOpens
from smbd.native import MOST_OPENS, Core
from smbd.rows import ROWS
from smbd.session import Channel, Tree
from smbd.state import WRITTEN, Open
from smbd.wire.create import CreateOptions
from smbd.wire.header import TRANSFORM_PROTOCOL_ID, Command

_COMMAND_AT, _NEXT_AT = 4 + 12, 4 + 20
_OPTIONS_AT, _DELETES = 4 + 105, CreateOptions.DELETE_ON_CLOSE >> 8  # the second byte of them
_SEALED = TRANSFORM_PROTOCOL_ID[0]
# Looked up once: of a name that is imported Python 3.11 binds a method anew for each call.
_pack_call, _unpack_state, _unpack_done = CALL.pack_into, STATE.unpack_from, DONE.unpack_from
_ASKS = ASK, CLOSED
_REMOVING = Command.CREATE, Command.CLOSE
PLAIN_COMMANDS = bytes(number for number, row in ROWS.items() if row.plain or row.flushes)


class KnownVisits(Protocol):
    """The visits that C knows."""

    hopeful: bool  # the next one may be C's

    @property
    def removes(self) -> bool:
        """The same of one that removes its file."""

    def ready(self, number: int) -> int:
        """Whether C may answer those of this number now."""

    def settle(self, number: int, took: float, ended: float) -> None:
        """C has returned, and `ready` was asked; the last visit took so many seconds."""


class Plain(KnownOpens):
    """The plain frames of one connection that has logged in."""

    def __init__(self, core: Core, connection: Connection) -> None:
        super().__init__(core, connection)
        self._window = connection.window
        self._multi_credit = connection.negotiated.multi_credit
        self.why = 0  # the last call has returned
        self.known_visits: KnownVisits | None = None
        self._has_asked = False  # C has asked for a form of visits, in this call
        self.predicts = False  # what comes next, up to a CLOSE, is likely to be for C
        self.removes = False  # so is what comes behind that CLOSE: files go one after the other
        self._replies, self._room = core.replies, core.room
        self._begin, self._answer = core.begin, core.answer
        self._talk = core.converse
        self._turns = connection.service.turns
        self.burst.pipe = core.pipe()
        self.burst.patience, self.burst.loop = turns.ASKED, self._turns.loop
        self._memory: Any = core.ffi.buffer(self.burst)
        self._done_at = core.offsets_of("position")

    def takes(self, view: memoryview, at: int) -> bool:
        """Whether the frame at `at` may be plain."""
        return (
            len(view) > at + _COMMAND_AT
            and (
                view[at + _COMMAND_AT] in PLAIN_COMMANDS
                or view[at + 4] == _SEALED
                or self._may_be_visit(view, at)
            )
            and self._window.is_in_order
        )

    def _may_be_visit(self, view: memoryview, at: int) -> bool:
        visits = self.known_visits
        return (
            visits is not None
            and view[at + _COMMAND_AT] == Command.CREATE
            and len(view) > at + _OPTIONS_AT
            and any(view[at + _NEXT_AT : at + _NEXT_AT + 2])
            and (visits.removes if view[at + _OPTIONS_AT] & _DELETES else visits.hopeful)
        )

    def serve(
        self,
        sock: int,
        memory: tuple[int, int],
        now: float,
        until: tuple[float, float],
        room: int,
        most: int,
    ) -> Answered:
        """Receive what has come into `memory` (address and size), and send the replies.

        `until` are the ends of the turn, and of the time in which more is received; `room` are
        bytes of replies, `most` those of the turn.
        """
        if not self._window.is_in_order:
            return NO_ANSWER
        limits = self._window.maximum, 0, max(room, 0), self._misses_left()
        call = (*memory, self._room_for(room), most, *limits, *until, sock)
        return self._call(call, (0, 0), now, self._begin, self._answer)

    def converse(
        self,
        fds: tuple[int, int],
        memory: tuple[int, int],
        times: tuple[float, float],
        room: int,
        most: int,
    ) -> Talked:
        """The same for burst after burst, until the loop has something to do.

        `fds` are the socket and the loop's epoll.  `times` are when the loop goes on in any case,
        by CLOCK_MONOTONIC, and the seconds that a burst may take.
        """
        (sock, loop), (until, turn) = fds, times
        limits = self._window.maximum, 0, max(room, 0), self._misses_left()
        call = (*memory, self._room_for(room), most, *limits, 0.0, 0.0, sock)
        talk = self._talk
        try:
            done = self._call(
                call,
                (0, 0),
                self._connection.now,
                lambda burst: talk(burst, loop, until, turn, 0),
                lambda burst: talk(burst, loop, until, turn, self.why),
            )
        finally:
            if self.apart.open is not None:  # others come next
                self.apart.enter()
        return Talked(*done[:3], self.burst.bursts, self.why == LOOP, done.goes_on)

    def answer(
        self,
        memory: tuple[int, int],
        part: tuple[int, int],
        now: float,
        over: float,
        room: int,
        most: int,
    ) -> Answered:
        """Answer what was received, from one offset to another.

        `memory` is the address, and the socket that takes the replies; -1: they are returned.
        """
        limits = self._window.maximum, 0, max(room, 0), self._misses_left()
        address, sock = memory
        call = (address, 0, self._room_for(room), max(most, 0), *limits, over, 0.0, sock)
        done = self._call(call, part, now, self._begin, self._answer)
        if done.at == part[0] and self.known_visits is not None:
            self.known_visits.hopeful = False
        return done

    def pass_on(
        self,
        sock: int,
        memory: tuple[int, int],
        now: float,
        over: float,
        room: int,
        calls: Calls,
    ) -> Answered:
        """Have others than those of a burst answered, which lie in the socket: `calls` do it."""
        if not self._window.is_in_order:
            return NO_ANSWER
        limits = self._window.maximum, 0, max(room, 0), 0
        call = (*memory, self._room_for(room), 0, *limits, over, 0.0, sock)
        self._writes = True
        try:
            return self._call(call, (0, 0), now, *calls)
        finally:
            self._writes = False

    def leaves(self, command: int) -> None:
        """A frame of a conversation is for Python: what is likely to come next."""
        visits = self.known_visits
        self.removes = self.removes and command in _REMOVING
        self.predicts = self.removes and visits is not None and visits.removes

    def _misses_left(self) -> int:
        return 0 if self.misses is None else max(self.misses.room, 0)

    def _room_for(self, room: int) -> int:
        return max(min(room, self._room), 0)

    def _call(
        self, call: tuple[float, ...], part: tuple[int, int], now: float, begin: Call, again: Call
    ) -> Answered:
        window, burst, last = self._window, self.burst, self._last
        before, self._has_asked = window.low, False
        _pack_call(
            self._memory,
            0,
            *call,
            self._ways(last),
            self._turns.others_can_go_on,
            *part,
            before,
            window.high,
            last,
            self._multi_credit,
        )
        self.why = why = begin(burst)
        while why in _ASKS:
            which = burst.which
            if why == CLOSED:
                if not self._closed(which):
                    break
            else:
                ready = self._ready(which)
                if not ready:
                    break
                burst.ready = ready
            self.why = why = again(burst)
        state = _unpack_state(self._memory, STATE_AT)
        at, have, low, high, which, made, sent, took, ended, length, kind = state
        if low != before:
            window.low, window.high = low, high
            self._connection.now = now
            waited = why == WAITED
            slow_miss = took if waited and kind == KIND_MISSED else 0.0
            for used in self._in_call:
                self._settle(used, ended, slow_miss if used[0] == which else 0.0)
            if waited and kind < KIND_MISSED:
                self._tell_waited(which, length if kind == KIND_WRITTEN else 0, took, ended)
        self._in_call.clear()
        if self._has_asked and self.known_visits is not None:
            self.known_visits.settle(which - MOST_OPENS, took, ended)
        if why == NOTHING:
            return NO_ANSWER
        return Answered(at, have, self._replies[sent:made], why in GOES_ON, why == FULL)

    def _ready(self, which: int) -> int:
        """What C may use an open or a form for now; 0: nothing."""
        visits = self.known_visits
        if which < MOST_OPENS:
            ready = self._ways(which)
            self._last = which if ready else self._last
            return ready
        assert visits is not None, "it knows the form"
        if self.apart.open is not None:  # a visit asks whether somebody has its file open
            self.apart.enter()
        self._has_asked = True
        return visits.ready(which - MOST_OPENS)

    def _closed(self, number: int) -> bool:
        """C has answered the CLOSE of an open: it ends.  Whether C may wait for what comes next."""
        burst, in_call = self.burst, self._in_call
        assert self.predicted is not None, "MAY_CLOSE"
        self.predicts = False
        used = next(one for one in in_call if one[0] == number) if len(in_call) > 1 else in_call[0]
        in_call.remove(used)
        self._settle(used, burst.ended, 0.0)
        self.predicted.closed(used[1])
        # A task that has waited for that can go on now, and no kernel knows of it.
        goes_on = burst.talks and burst.at == burst.have and burst.made == burst.sent
        return bool(goes_on) and not self._turns.others_can_go_on

    def _settle(
        self,
        used: tuple[int, Open, Probe, Channel, Tree, Guard | None],
        ended: float,
        slow_miss: float,
    ) -> None:
        """What C has done for an open, where Python has it."""
        number, open_, engine, _, _, _ = used
        known = self._known[number]
        done = _unpack_done(self._memory, self._done_at[number])
        position, reads, bytes_read, writes, bytes_written, missed, size, first, held, flush = done
        if known.idle and (reads or writes or missed or flush):
            self._idle, known.idle = 0, False
        if reads:
            open_.position = position
            engine.plain_read(reads, bytes_read)
        if writes:
            open_.position = position
            open_.unreported |= WRITTEN
            engine.plain_written(known.fd, writes, bytes_written, ended)
        if missed:
            assert self.misses is not None, "_MAY_MISS"
            engine.plain_begun(self.misses, first, missed, slow_miss, ended)
            self.misses.began(InCall(*used), missed, size)
        if flush:
            assert self.misses is not None, "_MAY_FLUSH"
            engine.plain_flush_begun(self.misses, known.fd, flush)
            self.misses.flush_began(InCall(*used), held)

    def _tell_waited(self, which: int, written: int, took: float, ended: float) -> None:
        """The last READ, or WRITE of so many bytes, took so long that the engine must know."""
        engine = next(engine for number, _, engine, *_ in self._in_call if number == which)
        if written:
            engine.plain_write_waited(self._known[which].fd, written, took, ended)
        else:
            engine.plain_read_waited(took, ended)
