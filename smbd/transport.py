"""Frames over a socket: as much as there is goes in at once, a burst's replies leave at once.

[MS-SMB2] 2.1: four bytes (a zero and a 24-bit length) before every message.  The socket is a
plain non-blocking one: trio only says when it is ready, so that a burst costs one checkpoint,
not one a frame.
"""

import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from math import inf
from time import perf_counter

import trio

from smbd.beside import TURN_BYTES, Beside, Handled
from smbd.buffers import SpareBuffers
from smbd.burst import Answered
from smbd.large import NOT_PASSED, Large, Passed
from smbd.memory import MemoryAccount
from smbd.netbios import LENGTH, SMALLEST_FRAME, session_service
from smbd.plain import Plain
from smbd.receiving import USUAL
from smbd.sending import Line
from smbd.turns import Turns

# Until a login is done: NTLM's longest message has its user's, domain's and computer's names, and
# what the server said of itself, each below 1 KiB.
_UNAUTHENTICATED_FRAME = 8192
_HUNG_UP = frozenset((7, 8))  # TCP_CLOSE and TCP_CLOSE_WAIT of Linux's tcp_states.h
_SETTLED = 1.0  # seconds without a byte
_PLAIN = -1  # in place of a length: a plain frame comes next
_NOTHING, _END = -1, -2  # in place of a place in what has come
_NO_LINGERING = struct.pack("ii", 1, 0)  # close() is an RST
_UNREAD_READS = 64  # a socket's receive buffer (6 MiB at most, tcp_rmem) and a little


class Transport(Beside):
    """One connection's socket, whose task receives its frames."""

    def __init__(
        self, sock: socket.socket, memory: MemoryAccount, spare: SpareBuffers, turns: Turns
    ) -> None:
        super().__init__(sock, memory, spare, turns)
        self._wait_readable: Callable[[int], Awaitable[None]] = trio.lowlevel.wait_readable
        self.resets = False  # the end is to be an RST
        self._maximum_frame = _UNAUTHENTICATED_FRAME
        self._settled = 0.0  # what last_frame was then
        self._handling = False  # frames lie in the receive buffer and are not handled yet
        self._waits_for_room = False  # nothing is read
        self.large: Large | None = None  # it answers frames that go past the receive buffer
        self._left = False  # one has been received that is for the handler
        self._long = False  # the last frame was such a one, or is awaited
        self._most = 0  # up to where in the burst a turn goes, unsent replies counted in

    def lay(self, line: Line | None) -> None:
        """Go by a slow line from now on; None: by the socket itself."""
        self._line = line
        self._wait_readable = trio.lowlevel.wait_readable if line is None else line.readable

    # --- in ---

    async def receive(self, handle: Callable[[memoryview, float], Handled]) -> None:
        """Give every whole frame to `handle`, with the time it came at, until the peer ends.

        The buffer of a frame that is still in use is left to its users, and the next bytes go
        into a new one.
        """
        self._handle = handle
        try:
            await self._receive(handle)
        finally:
            self._handle = self.prompt = self.quick = self.large = None  # which lead back here
            if self._standby is not None:
                self._standby.ended(self)

    async def _receive(self, handle: Callable[[memoryview, float], Handled]) -> None:
        incoming, turn = self._incoming, self.turn
        while True:
            at, is_over = await self._come()
            if at == _END:
                return
            wanted, pinned, plain = 0, False, at == incoming.have
            if not plain:
                self._handling, self._most = True, at + self._unsent + TURN_BYTES
                if is_over:
                    at = await self._plain(incoming.received, at, is_over=True)
                at, wanted, pinned = await self._burst(incoming.received, handle, at)
                self.flush()
                self._handling = False
            turn.end()
            if at:
                self._rests(at, plain=plain)
            if at == incoming.have and not pinned and at != incoming.size:
                incoming.have = 0  # nearly always: a burst's last frame is whole
            else:
                incoming.keep(at, wanted, pinned=pinned)

    async def _come(self) -> tuple[int, bool]:
        """Wait until bytes come; what `_hear` says of them."""
        turn = self.turn
        while True:
            try:
                await self._wait_readable(self._fd)
            except trio.ClosedResourceError:
                if self._handed < 0:
                    raise
            turn.begin()
            if turn.is_last:
                await turn.come_last()
            if self.large is None or not self._passes(self.large):
                self._long = False
                found = self._hear()
                if found[0] != _NOTHING:
                    return found

    def _fill(self) -> int | None:
        """Receive what is there: how many bytes, 0 at the peer's end; None: nothing is there.

        Or find what `_passes` has received.
        """
        incoming = self._incoming
        if self._left:
            self._left = False
            return incoming.have
        try:
            count = self._take(incoming.free)
        except BlockingIOError:
            return None
        self.last_frame = trio.current_time()
        incoming.have += count
        return count

    def _hear(self) -> tuple[int, bool]:
        """Where the bytes begin that have come and are not answered, and whether a turn is over.

        In place of that _NOTHING, or _END: the peer's.
        """
        incoming = self._incoming
        if self._handed >= 0:
            at, self._handed = self._handed, -1
            return at, False
        quick = None if incoming.have or self._out else self.quick
        done = None if quick is None else self._serve(quick)
        if done is not None:
            return done.at, done.full
        count = self._fill()
        if not count:
            return _NOTHING if count is None else _END, False
        return 0, False

    def _take(self, into: memoryview) -> int:
        return self._sock.recv_into(into) if self._line is None else self._line.receive_into(into)

    def admit(self, maximum_frame: int) -> None:
        """Somebody has logged in: frames may be as long as that, and buffers as large as usual."""
        self._maximum_frame = maximum_frame
        self._incoming.usual = USUAL

    def settle(self) -> None:
        """Give back the memory of a burst that is over, if nothing has come since a while."""
        now = trio.current_time()
        if self._handling or not (self._incoming.have or self._awaits):
            self._whole = now
        self._incoming.forget()
        quiet = now - self.last_frame >= _SETTLED
        if quiet and not self._handling and self._settled != self.last_frame:
            self._settled = self.last_frame
            self._incoming.settle()

    def _passes(self, large: Large) -> bool:
        """Have long frames answered; whether one was, or is awaited.

        Else what is there is to be received.
        """
        if not (large.expected or self._awaits):
            return False
        now, done = trio.current_time(), NOT_PASSED
        if self._incoming.have or self._out or self.large is None:
            large.end()
        else:
            incoming, room = self._incoming, self._memory.flight - self._in_work
            memory, when = (incoming.address, incoming.most), (now, self.turn)
            done = large.serve(self._fd, memory, when, room)
        self._passed(done, now)
        if done.size:
            self.turn.end()
        if done.left:
            self._left = True
            return False
        if self._long and self._standby is not None:
            self._standby.rests(self, alone=True)
        return self._long

    def _passed(self, done: Passed, now: float) -> None:
        self._awaits, self._long = done.awaits, done.awaits or done.size > 0
        if done.size:
            self.last_frame = self._whole = now
            if done.replies:
                self.send([bytes(done.replies)])
            self.flush()
        if done.left:
            self.last_frame, self._incoming.have = now, done.left

    def converse(self, loop: int, until: float) -> bool | None:
        """As `Prompt` has it; of long frames too, where the last one was such a one."""
        large = self.large
        if large is None or not self._long:
            return super().converse(loop, until)
        room = self._memory.flight - self._in_work
        if self._incoming.have or self._line or self.free_socket < 0 or room <= 0:
            return True  # what the task does
        try:
            self._converse_long(large, (self._fd, loop), until, room)
        except Exception as error:  # noqa: BLE001 -- it ends the connection, as it would in its task
            self._end(error)
        return True

    def _converse_long(self, large: Large, fds: tuple[int, int], until: float, room: int) -> None:
        memory = self._incoming.address, self._incoming.most
        done = large.converse(fds, memory, until, room)
        self.turn.begin()  # the loop's round begins now
        self._passed(done, self._clock())
        self.turn.long = done.size > 0
        if done.left:
            self._handed = 0
            trio.lowlevel.notify_closing(self._fd)  # which wakes the task

    def _serve(self, quick: Plain) -> Answered | None:
        """Have plain frames received and answered; None if nothing came."""
        incoming, turn = self._incoming, self.turn
        now = self._clock()
        done = quick.serve(
            self._fd,
            (incoming.address, incoming.most),
            now,
            (turn.ends, turn.little),
            self._memory.flight - self._in_work,
            TURN_BYTES,
        )
        if not done.have:
            return None
        self.last_frame, incoming.have = now, done.have
        if done.replies:
            self.send([bytes(done.replies)])
            if not done.goes_on:  # the socket is full
                self.flush()
        return done

    async def _burst(
        self, view: memoryview, handle: Callable[[memoryview, float], Handled], at: int
    ) -> tuple[int, int, bool]:
        """Handle the whole frames in `view` from `at` on, in turns with the other connections.

        Returns where the rest begins, how many bytes the frame that begins there has (0:
        unknown), and whether a frame is still in use.
        """
        held = False
        while True:
            at, wanted, used = await self._frames(view, handle, at)
            held = held or used
            if wanted != _PLAIN:
                return at, wanted, held
            at = await self._plain(view, at)

    async def _plain(self, view: memoryview, at: int, *, is_over: bool = False) -> int:
        """Have plain frames answered amid others, in turns; where the others go on."""
        while True:
            if is_over:
                await self._give_way(at)
            quick, unsent = self.quick, self._unsent
            if quick is None or not quick.takes(view, at):
                return at
            done = quick.answer(
                (self._incoming.address, self.free_socket if self._line is None else -1),
                (at, len(view)),
                self.last_frame,
                self.turn.ends,
                self._memory.flight - self._in_work - unsent,
                self._most - unsent,
            )
            if done.replies:
                self.send([bytes(done.replies)])
            at, is_over = done.at, done.full
            if not is_over:
                return at

    async def _give_way(self, at: int) -> None:
        """The turn is over: replies leave, and others have theirs."""
        self.flush()
        await self.turn.give_way()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._most = at + self._unsent + TURN_BYTES

    def _goes_on(self, view: memoryview, at: int) -> bool:
        """Whether something can be handled there: if not, `receive` gives way, as it waits."""
        if len(view) - at < 4:
            return False
        length: int = LENGTH.unpack_from(view, at)[0]
        return length > self._maximum_frame or at + 4 + length <= len(view)

    async def _frames(
        self, view: memoryview, handle: Callable[[memoryview, float], Handled], at: int
    ) -> tuple[int, int, bool]:
        """Handle the first frame, and more up to a plain one: the same results, or `_PLAIN`."""
        have, held = len(view), False
        turn = self.turn
        over, memory, now = turn.over, self._memory, self.last_frame
        while have - at >= 4:
            (length,) = LENGTH.unpack_from(view, at)
            if length > self._maximum_frame or length < SMALLEST_FRAME:
                length, answer = session_service(length)
                if at + 4 + length > have:
                    return at, 4 + length, held
                self.send(answer)
                at += 4 + length
            else:
                end = at + 4 + length
                if end > have:
                    return at, 4 + length, held
                used = handle(view[at + 4 : end], now)
                if used:
                    if used is not True:
                        self.flush()
                        used = await used
                    held = used or held
                    over = turn.over
                at = end
            unsent = self._unsent
            if unsent + self._in_work > memory.flight:
                self.flush()
                await self._room()
            is_over = at + unsent > self._most or (perf_counter() > over and turn.is_over)
            if is_over and self._goes_on(view, at):
                await self._give_way(at)
            over = turn.over
            if self.quick is not None and self.quick.takes(view, at):
                return at, _PLAIN, held
        return at, 0, held

    async def _room(self) -> None:
        """Wait until the peer has taken replies, or work is done: back-pressure."""
        self._waits_for_room = True
        try:
            while self._unsent + self._in_work > self._memory.flight:
                await self._some_progress()
        finally:
            self._waits_for_room = False

    @property
    def is_abandoned(self) -> bool:
        """Whether the peer has hung up while nothing is read from it, its end neither."""
        if not self._waits_for_room:
            return False
        (state,) = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return state in _HUNG_UP

    @property
    def unfinished_since(self) -> float:
        """Since when a frame has been coming that is not whole, to a second; inf if none is."""
        begun = self._awaits or (self._incoming.have and not self._handling)
        return self._whole if begun else inf

    @property
    def in_flight(self) -> int:
        """Bytes of frames that come in, requests in work and replies not taken."""
        incoming = self._incoming
        return incoming.size + incoming.left + self._in_work + self._unsent

    def close(self) -> None:
        """Close the socket, what came unread thrown away.

        close() with unread data resets the connection, and the peer loses the replies that are
        still under way to it.
        """
        with contextlib.suppress(OSError):  # nothing more there, or the peer is gone
            if self.resets:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
                self._sock.close()
                return
            self._sock.shutdown(socket.SHUT_WR)
            for _ in range(_UNREAD_READS):
                if not self._sock.recv(USUAL):
                    break
        self._sock.close()
        self._fd = -1
