"""The sending half of a connection: replies wait here, and leave together."""

import socket
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

import trio

from smbd.buffers import LARGE, SpareBuffers
from smbd.memory import REPLY
from smbd.protection import Buffer

_IOV_MAX = 1024  # what one sendmsg takes (Linux UIO_MAXIOV)


class Line(Protocol):
    """What carries bytes in the socket's place, slowly: smbd.injecting.Pace."""

    async def readable(self, fd: int) -> None:
        """As trio.lowlevel.wait_readable."""

    def receive_into(self, into: memoryview) -> int:
        """As socket.recv_into; BlockingIOError, too, where nothing has waited by `readable`."""

    async def writable(self) -> None:
        """Wait until the line takes something."""

    def send(self, buffers: Sequence[Buffer]) -> int:
        """As socket.sendmsg."""


class Sending:
    """A socket with its unsent replies, and how much of requests is in work for it."""

    # With those of its subclasses they would be more than the 30 attributes up to which instances
    # share the names: 1.1 KiB a connection.
    __slots__ = (
        "_blocked",
        "_full_since",
        "_in_work",
        "_kicks",
        "_line",
        "_out",
        "_progress",
        "_sock",
        "_spare",
        "_unsent",
        "_writes_later",
        "nursery",
        "tap",
    )

    def __init__(self, sock: socket.socket, spare: SpareBuffers) -> None:
        self._sock = sock
        self._spare = spare
        self._line: Line | None = None
        self.nursery: trio.Nursery | None = None  # of the task that writes later
        self._kicks: dict[Callable[[], None], None] = {}  # due at the end of this burst, each once
        self._out: list[Buffer] = []
        self._unsent = 0  # bytes in _out, and of its buffers' objects
        self._in_work = 0  # bytes that requests in work may need
        self._blocked = False  # the socket is full: _write_later goes on
        self._writes_later = False  # that task runs
        self._progress = trio.Event()  # set when _unsent or _in_work went down
        # An observer's: what leaves in place of each frame.
        self.tap: Callable[[Sequence[Buffer]], Sequence[Buffer]] | None = None
        self._full_since = trio.current_time()  # while blocked: when the peer last took something

    def work_began(self, size: int) -> None:
        """Requests that may need `size` bytes outlive their burst."""
        self._in_work += size

    def work_ended(self, size: int) -> None:
        """They are answered."""
        self._in_work -= size
        self._progress.set()

    def send(self, buffers: Sequence[Buffer]) -> None:
        """Put a frame behind those that wait; `flush` sends them."""
        if self.tap is not None:
            buffers = self.tap(buffers)
        self._out += buffers
        for buffer in buffers:
            self._unsent += len(buffer) + REPLY

    def emit(self, buffers: Sequence[Buffer]) -> None:
        """Send a frame at once: there is no burst whose end would."""
        self.send(buffers)
        self.flush()

    def emit_soon(self, buffers: Sequence[Buffer]) -> None:
        """Send a frame when the event loop comes round, together with others.

        A request may break a thousand leases of one client.
        """
        self.send(buffers)
        trio.lowlevel.current_trio_token().run_sync_soon(self.flush, idempotent=True)

    def kick_soon(self, kick: Callable[[], None]) -> None:
        """Call it with the next `flush`: what the burst has begun goes to an engine together."""
        self._kicks[kick] = None

    def flush(self) -> None:
        """Send what the socket takes; the rest leaves when it takes more."""
        while self._kicks:  # first: the disk works while we send
            kick, _ = self._kicks.popitem()
            kick()
        out = self._out
        if self._blocked or not out:
            return
        try:
            if len(out) == 1 and self._line is None:  # nearly always
                whole = out[0]
                count = self._sock.send(whole)
                if count == len(whole) < LARGE and type(whole) is not memoryview:
                    out.clear()
                    self._unsent -= count + REPLY
                    return
                self._sent(count)
            while self._out:
                some, line = self._out[:_IOV_MAX], self._line
                self._sent(self._sock.sendmsg(some) if line is None else line.send(some))
        except BlockingIOError:
            self._full_since = trio.current_time()
            self._blocked = True
            if self.nursery is not None and not self._writes_later:
                self._writes_later = True
                self.nursery.start_soon(self._write_later)
        except OSError:
            # The peer is gone.  The receiving side hears it too and ends the connection.
            self._out.clear()
            self._unsent = 0
            self._progress.set()

    def _sent(self, count: int) -> None:
        """Forget what has left."""
        self._unsent -= count
        whole = 0
        for buffer in self._out:
            if count < len(buffer):
                break
            count -= len(buffer)
            whole += 1
            if len(buffer) >= LARGE or type(buffer) is memoryview:
                self._recycle(buffer)
        del self._out[:whole]
        self._unsent -= whole * REPLY
        if count:
            self._out[0] = memoryview(self._out[0])[count:]

    def _recycle(self, buffer: Buffer) -> None:
        """A large reply has left: its buffer may serve the next one."""
        owner = buffer.obj if isinstance(buffer, memoryview) else buffer
        if isinstance(owner, bytearray):
            self._spare.give(owner)

    async def _write_later(self) -> None:
        """Go on sending whenever the full socket takes more, until all has left.

        One such task a connection at most, and none while its client takes all that it gets.
        """
        try:
            while self._blocked:
                if self._line is not None:
                    await self._line.writable()
                await trio.lowlevel.wait_writable(self._sock)
                self._blocked = False
                self.flush()
                self._progress.set()
        finally:
            self._writes_later = False

    @property
    def stalled_since(self) -> float:
        """When the peer last took something of the replies that wait for it; inf if none do."""
        return self._full_since if self._blocked else inf

    async def drain(self) -> None:
        """Wait until all replies have left."""
        self.flush()
        while self._unsent:
            await self._some_progress()

    async def _some_progress(self) -> None:
        """Wait until _unsent or _in_work goes down; several may wait at once."""
        if self._progress.is_set():
            self._progress = trio.Event()
        await self._progress.wait()
