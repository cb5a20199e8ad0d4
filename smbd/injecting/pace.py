"""A slow line: what one connection may send and receive in a while."""

import socket
from collections.abc import Sequence

import trio

from smbd.protection import Buffer

_TICK = 0.02  # seconds: so long a line saves up what it may carry, and so often it is looked at


class _Bucket:
    """Bytes that one direction may carry by now."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._most = max(rate * _TICK, 1.0)
        self._have = self._most
        self._then = trio.current_time()

    def left(self) -> int:
        """How many now."""
        now = trio.current_time()
        self._have = min(self._have + (now - self._then) * self._rate, self._most)
        self._then = now
        return int(self._have)

    def spend(self, count: int) -> None:
        """So many were carried."""
        self._have -= count

    async def some(self) -> None:
        """Wait until there are enough for a look."""
        while self.left() < int(self._most):  # noqa: ASYNC110 -- time alone brings them
            await trio.sleep(max((self._most - self._have) / self._rate, 0.001))


class Pace:
    """The line of one connection: `rate` in bytes a second for each direction, if it has one.

    `latency` is for how many seconds what comes in waits before it is looked at; what comes
    meanwhile is looked at with it.
    """

    def __init__(self, sock: socket.socket, rate: int | None, latency: float | None) -> None:
        self._sock = sock
        self._in = None if rate is None else _Bucket(rate)
        self._out = None if rate is None else _Bucket(rate)
        self._latency = latency or 0.0
        self._waited = False  # what comes next has waited: not where a wait began before this line

    async def readable(self, fd: int) -> None:
        """Wait until the line gives something of what the socket has."""
        await trio.lowlevel.wait_readable(fd)
        if self._latency:
            await trio.sleep(self._latency)
        if self._in is not None:
            await self._in.some()
        self._waited = True

    def receive_into(self, into: memoryview) -> int:
        """As socket.recv_into; BlockingIOError if the line carries nothing by now."""
        waited, self._waited = self._waited, False
        if not waited:
            raise BlockingIOError
        if self._in is None:
            return self._sock.recv_into(into)
        left = self._in.left()
        if not left:
            raise BlockingIOError
        count = self._sock.recv_into(into[:left])
        self._in.spend(count)
        return count

    async def writable(self) -> None:
        """Wait until the line takes something."""
        if self._out is not None:
            await self._out.some()

    def send(self, buffers: Sequence[Buffer]) -> int:
        """As socket.sendmsg; BlockingIOError if the line carries nothing by now."""
        if self._out is None:
            return self._sock.sendmsg(buffers)
        left, some = self._out.left(), []
        for buffer in buffers:
            if not left:
                break
            some.append(memoryview(buffer)[:left])
            left -= len(some[-1])
        if not some:
            raise BlockingIOError
        count = self._sock.sendmsg(some)
        self._out.spend(count)
        return count
