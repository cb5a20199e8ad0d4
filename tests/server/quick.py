"""A server that stands by as `tsmbd serve` does, and clients quicker than any that need a loop."""

import select
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest
import trio

import smbd.testing
from smbd.standby import stand_by
from tests.scripted import PENDING
from tests.scripted.framing import FrameReader, framed


class Meanwhile(trio.abc.Instrument):
    """What happens while the loop is busy: it finds that when it begins to wait."""

    def __init__(self):
        self.acts = []

    def before_io_wait(self, timeout):
        while timeout > 0 and self.acts:
            self.acts.pop(0)()


@asynccontextmanager
async def standing_by(folder):
    """A server in this loop, and its Meanwhile."""
    meanwhile = Meanwhile()
    trio.lowlevel.add_instrument(meanwhile)  # ahead of the other one
    async with smbd.testing.serve(folder) as server:
        standing = stand_by()
        if standing is None:
            pytest.skip("this process has several epolls")
        server.server.service.turns.standby = standing
        yield server, meanwhile
        trio.lowlevel.remove_instrument(standing)
    trio.lowlevel.remove_instrument(meanwhile)


def send(connection, *commands, **header):
    """A request or a related compound, at once: the loop does not come round meanwhile.

    The (first) MessageId.
    """
    alone, peer = len(commands) == 1, connection.peer
    frame = peer.request(*commands[0], **header) if alone else peer.related(*commands)
    assert connection.stream.socket._sock.send(framed(frame)) == 4 + len(frame)
    return int.from_bytes(frame[24:32], "little")


async def busy_alone(connection, *look):
    """From here on the server stands by for it."""
    for _ in range(2):
        assert (await connection.ask(*look)).status == 0


class QuickClient:
    """A connection's client that asks one thing after the other: a request, or a related compound.

    Its next frame is in the socket when the system call returns by which the server answers the one
    before, as on a busy machine, where that wakes the client in the server's place, on its
    processor.  Where `rests` says so, what it is given is to ask, later.
    """

    def __init__(
        self, server, connection, *frames, rests: Callable[[Callable], bool] | None = None
    ):
        self.frames = list(frames)
        self.statuses = []
        self.done = trio.Event()
        self._connection = connection
        self._reader = FrameReader()
        self._rests = rests or (lambda _ask: False)
        self._missing = 0  # answers to the last frame
        name = "{}:{}".format(*connection.stream.socket.getsockname())
        (served,) = (one for one in server.server._clients if one.name == name)
        self.transport = served.transport
        self._flush, self.transport.flush = self.transport.flush, self._flushed

    def ask(self):
        commands = self.frames.pop(0)
        self._missing = len(commands)
        send(self._connection, *commands)

    def _flushed(self):
        leaves = bool(self.transport._out)
        self._flush()
        if leaves and self._missing:
            self._receive()
            if not self._missing and not self.frames:
                self.done.set()
            elif not self._missing and not self._rests(self.ask):
                self.ask()

    def _receive(self):
        sock = self._connection.stream.socket._sock
        assert select.select([sock], [], [], 10)[0]
        for frame in self._reader.frames(sock.recv(1 << 16)):
            answers = self._connection.peer.read(frame)
            found = [one.status for one in answers if one.status != PENDING]
            self._missing -= len(found)
            self.statuses += found
