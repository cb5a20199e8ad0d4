"""What a connection is answered beside its task, while that waits for the socket.

Its client asks one thing after the other, or nothing but plain READs and WRITEs.  The loop is about
to wait (smbd.standby), so nobody else does.
"""

import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import TypeAlias

import trio

from smbd.buffers import SpareBuffers
from smbd.memory import MemoryAccount
from smbd.netbios import LENGTH
from smbd.ntstatus import ProtocolError
from smbd.plain import PLAIN_COMMANDS, Plain
from smbd.protection import Buffer
from smbd.receiving import ReceiveBuffer
from smbd.rows import ROWS
from smbd.sending import Sending
from smbd.standby import Habit
from smbd.turns import Turn, Turns
from smbd.wire.header import HEADER_SIZE, PROTOCOL_ID

# What a frame's handler says: whether the frame is still in use when it returns; or, of one that
# takes longer than a turn, what goes on with it and says so in the end.
Handled: TypeAlias = bool | Awaitable[bool]
# Copying it takes 0.2 ms to or from the page cache and as much again to or from the socket
# (measured): a turn is over after so many bytes in and out, however quickly they were come by.
TURN_BYTES = 1 << 20
# What is answered without the connection's task is one frame of one request or two, of which the
# first has one of these commands.
_PEEKED, _PROMPT_LEAST = 8192, 4 + HEADER_SIZE
_PROMPT = bytes(number for number, row in ROWS.items() if row.prompt)
_COMMAND_AT, _NEXT_COMMAND = 4 + 12, slice(4 + 20, 4 + 24)
_START = struct.Struct(
    "<"
    "4s"     # the NetBIOS length
    "B"      # ProtocolId, its first byte
    "11xB"   # Command, its low byte
    "7xI"    # NextCommand
)  # fmt: skip
_PROTOCOL = PROTOCOL_ID[0]


class Beside(Sending):
    """A connection's socket, what has come by it, and what is answered without its task."""

    def __init__(
        self, sock: socket.socket, memory: MemoryAccount, spare: SpareBuffers, turns: Turns
    ) -> None:
        super().__init__(sock, spare)
        self._fd = sock.fileno()
        self._clock = trio.lowlevel.current_clock().current_time
        self.turn = Turn(turns)
        self._turns, self._standby = turns, turns.standby
        self._habit = Habit()
        self._handed = -1  # where in the received bytes the task goes on; -1: behind them
        self._is_prompt = False  # one frame is handled by `answer_promptly`, and has no answer yet
        self._memory = memory  # requests in work and unsent replies beyond it stop reading
        self._incoming = ReceiveBuffer()
        self._whole = trio.current_time()  # when a frame has come to its end, or none had begun
        self._awaits = False  # the socket is not readable before a frame is whole
        self.quick: Plain | None = None  # it answers plain frames without the handler
        # The same of a frame alone: the buffers of its answer, or None.
        self.prompt: Callable[[memoryview, float], Sequence[Buffer] | None] | None = None
        self._handle: Callable[[memoryview, float], Handled] | None = None
        self.last_frame = trio.current_time()

    def _rests(self, at: int, *, plain: bool) -> None:
        """So many bytes are handled, and `plain`: by C; the next ones are waited for."""
        self._whole = self.last_frame
        if self._standby is not None:
            self._habit.burst(plain=plain)
            self._standby.rests(self, alone=self._habit.is_plain or self._was_alone(at))

    def _was_alone(self, at: int) -> bool:
        """Whether all that has come was one frame of a kind that `answer_promptly` knows."""
        incoming = self._incoming
        if at != incoming.have or not _PROMPT_LEAST <= at <= _PEEKED:
            return False
        view = incoming.received
        return LENGTH.unpack_from(view)[0] + 4 == at and _is_prompt(view)

    @property
    def fileno(self) -> int:
        """Its socket."""
        return self._fd

    def converse(self, loop: int, until: float) -> bool | None:
        """Wait and answer in C, until that time at most; whether the loop has something to do.

        None: neither was done, as the client does not send plain frames alone.
        """
        quick = self.quick
        if quick is None or not (self._habit.is_plain or quick.predicts):
            return None
        flight = self._memory.flight - self._in_work
        if self._incoming.have or self._line or self._awaits or self.free_socket < 0 or flight <= 0:
            return True  # what the task does
        try:
            return self._converse(quick, (self._fd, loop), until, flight)
        except Exception as error:  # noqa: BLE001 -- it ends the connection, as it would in its task
            self._end(error)
            return True

    def _converse(self, quick: Plain, fds: tuple[int, int], until: float, flight: int) -> bool:
        """Have C talk, and commands answer what it leaves to them, in turns."""
        apart = quick.apart
        try:
            loops = self._talk(quick, fds, until, flight)
            while apart.open is not None and not loops:  # which C goes on with
                loops = self._talk(quick, fds, until, flight)
        finally:
            if apart.open is not None:
                apart.enter()
        return loops

    def _talk(self, quick: Plain, fds: tuple[int, int], until: float, flight: int) -> bool:
        """Have C talk, and one frame answered by the commands; as `converse`."""
        incoming, plainly = self._incoming, self._habit.is_plain
        memory, times = (incoming.address, incoming.most), (until, self._turns.length)
        done = quick.converse(fds, memory, times, flight, TURN_BYTES)
        if plainly:
            self._habit.conversed(done.bursts)
        if done.have or done.bursts:
            self.last_frame = self._whole = self._clock()
        self.turn.begin()  # the loop's round begins now
        if done.replies:
            self.send([bytes(done.replies)])
        incoming.have, used = done.have, False
        if done.at != done.have:
            view = incoming.received[done.at :]
            if not (done.goes_on and _is_for_now(view)):
                self.turn.end()
                self._handed = done.at
                trio.lowlevel.notify_closing(self._fd)  # which wakes the task
                return True
            quick.leaves(view[_COMMAND_AT])
            used = self._carry_out_apart(view, quick)
        if self._out or self._kicks:
            self.flush()
        if used or done.have == incoming.size:
            incoming.keep(done.have, 0, pinned=used)
        else:
            incoming.have = 0
        self.turn.end()
        return done.loops

    def _carry_out(self, view: memoryview, now: float) -> bool:
        """Have the commands answer a frame that was received, or go on with it and use it."""
        assert self._handle is not None, "it waits"
        self.turn.over = inf  # so few need no second turn, which only a task can wait for
        return bool(self._handle(view[4:], now))

    def _carry_out_apart(self, view: memoryview, quick: Plain) -> bool:
        """The same of a frame that a conversation has left, and its Open may stay apart."""
        standby, apart = self._standby, quick.apart
        self._is_prompt = True
        apart.begins = standby is not None and not any(view[_NEXT_COMMAND])
        used = self._carry_out(view, self.last_frame)
        self.flush_prompt()
        self._is_prompt = apart.begins = False
        goes_on = quick.predicts and standby is not None and standby.is_quiet and not self._out
        if apart.open is not None and not goes_on:
            apart.enter()
        return used

    def _end(self, error: Exception) -> None:
        assert self.nursery is not None, "its task waits"
        self.nursery.start_soon(end_by, error)

    def answer_promptly(self) -> bool:
        """Answer one frame, or begin what its requests need; False: nothing was done, or not all.

        The task waits for the socket meanwhile: nothing is taken out of it but what is answered.
        """
        incoming, turn = self._incoming, self.turn
        if incoming.have or self._out or self._line or self._in_work > self._memory.flight:
            return False
        view = incoming.free
        try:
            count = self._sock.recv_into(view, min(incoming.size, _PEEKED), socket.MSG_PEEK)
        except OSError:
            return False
        if count < _PROMPT_LEAST:
            return False
        length, protocol, command, following = start = _START.unpack_from(view)
        if length != (count - 4).to_bytes(4, "big"):
            return False
        turn.begin()
        now, done, self._is_prompt = self._clock(), 0, True
        alone = protocol == _PROTOCOL and not following
        if not alone or command in PLAIN_COMMANDS:
            done = self._answer_promptly(view, count, now)
        else:  # there is nothing to try
            self._habit.burst(plain=False)
        if done:
            self._sock.recv_into(view, done)
        elif _is_for_commands(start, view, count):
            done = self._receive_and_carry_out(view[:count], now)
        if done:
            self.last_frame = self._whole = now
            self.flush_prompt()
            if self._out or self._kicks:
                self.flush()
        self._is_prompt = False
        turn.end()
        return done == count and not self._out

    def _receive_and_carry_out(self, view: memoryview, now: float) -> int:
        """Take a frame out of the socket, for the commands; 0: it ends the connection."""
        count = len(view)
        self._sock.recv_into(view)
        try:
            used = self._carry_out(view, now)
        except Exception as error:  # noqa: BLE001 -- it ends the connection, as it would in its task
            self._end(error)
            return 0
        if used:
            self._incoming.have = count
            self._incoming.keep(count, 0, pinned=True)
        return count

    def answers_from_threads(self) -> None:
        """What threads have done for it has been taken from them, and no answer has left yet."""
        if self._standby is not None:
            self._standby.answers()

    def flush_prompt(self) -> None:
        """Send what waits, where no other answer is going to leave with it."""
        if self._is_prompt:
            self._is_prompt = False
            if self._standby is not None:
                self._standby.answers()
            self.flush()

    def _answer_promptly(self, view: memoryview, count: int, now: float) -> int:
        """How many of the bytes were answered."""
        quick, prompt = self.quick, self.prompt
        if quick is not None and quick.takes(view, 0):
            over, flight = self.turn.ends, self._memory.flight - self._in_work
            part = (0, count)
            memory = self._incoming.address, -1
            done = quick.answer(memory, part, now, over, flight, TURN_BYTES)
            if done.at:
                if done.replies:
                    self.send([bytes(done.replies)])
                self._habit.burst(plain=done.at == count)
                return done.at
        self._habit.burst(plain=False)
        if prompt is None:
            return 0
        try:
            answer = prompt(view[4:count], now)
        except ProtocolError:
            return 0  # the task finds it again
        if answer is None:
            return 0
        self.send(answer)
        return count

    @property
    def free_socket(self) -> int:
        """The socket's descriptor, if no reply waits to be sent by it; else -1."""
        return -1 if self._out or self._blocked else self._fd


async def end_by(error: Exception) -> None:
    """End the connection, whose nursery runs this."""
    raise error


def _has_few(view: memoryview, count: int) -> bool:
    """Whether a frame of so many bytes has one request or two."""
    second = int.from_bytes(view[_NEXT_COMMAND], "little")
    if not second:
        return True
    at = second + _NEXT_COMMAND.start
    return at + 4 <= count and not any(view[at : at + 4])


def _is_for_now(view: memoryview) -> bool:
    """Whether bytes are one frame that `answer_promptly` would have handled."""
    count = len(view)
    if not _PROMPT_LEAST <= count <= _PEEKED:
        return False
    start = _START.unpack_from(view)
    return start[0] == (count - 4).to_bytes(4, "big") and _is_for_commands(start, view, count)


def _is_for_commands(start: tuple[bytes, int, int, int], view: memoryview, count: int) -> bool:
    """Whether a frame that begins so has few requests, which commands mostly answer at once."""
    _, protocol, command, following = start
    return protocol == _PROTOCOL and command in _PROMPT and (not following or _has_few(view, count))


def _is_prompt(view: memoryview) -> bool:
    """Whether a frame has such a command, and is not sealed."""
    return view[4] == PROTOCOL_ID[0] and view[_COMMAND_AT] in _PROMPT
