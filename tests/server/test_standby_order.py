"""The client that is busy alone does not go ahead of the others, however quickly it asks."""

import select

import pytest
import trio

import smbd.testing
from smbd.standby import stand_by
from smbd.wire.change_notify import CompletionFilter
from tests.core import messages
from tests.core.messages import CHANGE_NOTIFY, QUERY_INFO, SET_INFO
from tests.scripted import connected, frames
from tests.scripted.framing import FrameReader, framed

BASIC = 4
HIDDEN = bytes(32) + b"\2\0\0\0" + bytes(4)


class Meanwhile(trio.abc.Instrument):
    """What happens while the loop is busy: it finds that when it begins to wait."""

    def __init__(self):
        self.acts = []

    def before_io_wait(self, timeout):
        while timeout > 0 and self.acts:
            self.acts.pop(0)()


@pytest.fixture
async def meanwhile():
    found = Meanwhile()
    trio.lowlevel.add_instrument(found)
    yield found
    trio.lowlevel.remove_instrument(found)


@pytest.fixture
async def server(folder, meanwhile):  # which looks at the loop before the standby does
    async with smbd.testing.serve(folder) as served:
        standing = stand_by()
        if standing is None:
            pytest.skip("this process has several epolls")
        served.server.service.turns.standby = standing
        yield served
        trio.lowlevel.remove_instrument(standing)


class Client:
    """A connection's client who knows no loop: what it sends is in the socket at once.

    Its next requests are there when the system call returns that sends their predecessor's answer,
    as on a busy machine, where that wakes the client in the server's place, on its processor.
    """

    def __init__(self, server, connection, *requests):
        self.peer = connection.peer
        self.requests = list(requests)
        self.statuses = []
        self._socket = connection.stream.socket._sock
        self._reader = FrameReader()
        name = "{}:{}".format(*self._socket.getsockname())
        (served,) = (one for one in server.server._clients if one.name == name)
        self.transport = served.transport
        self._flush, self.transport.flush = self.transport.flush, self.flush

    def ask(self):
        frame = self.peer.request(*self.requests.pop(0))
        assert self._socket.send(framed(frame)) == 4 + len(frame)

    def flush(self):
        leaves = bool(self.transport._out)
        self._flush()
        if leaves and self.requests:
            assert select.select([self._socket], [], [], 10)[0]
            for frame in self._reader.frames(self._socket.recv(1 << 16)):
                self.statuses += [one.status for one in self.peer.read(frame)]
            self.ask()


async def test_a_watch_that_came_ahead_of_a_quick_client_is_told_of_its_changes(
    server, meanwhile, folder, monkeypatch
):
    monkeypatch.setattr("smbd.vfs.at_once.AtOnce.admits", lambda *_: True)  # whatever is going on
    (folder / "file").write_bytes(b"")
    async with connected(server) as watcher, connected(server) as quick:
        for one in (watcher, quick):
            await one.connect()
        watch = frames.change_notify(
            await watcher.open("", options=1), completion_filter=CompletionFilter.ATTRIBUTES
        )
        file = await quick.open("file")
        look = QUERY_INFO, messages.query_info(file, BASIC)
        hide = SET_INFO, messages.set_info(file, BASIC, HIDDEN)
        for _ in range(2):  # it is the one that is busy alone
            assert (await quick.ask(*look)).status == 0
        client = Client(server, quick, look, look, look, look, hide, look)
        meanwhile.acts += [Client(server, watcher, (CHANGE_NOTIFY, watch)).ask, client.ask]
        with trio.fail_after(60):
            told = await watcher.answer()
        assert told.output[12:].decode("utf-16-le") == "file"
        assert client.statuses == [0] * 5


async def test_a_quick_client_is_answered_without_its_task_while_it_is_alone(server, meanwhile):
    async with connected(server) as connection:
        await connection.connect()
        file = await connection.open("", options=1)
        look = QUERY_INFO, messages.query_info(file, BASIC)
        for _ in range(2):
            assert (await connection.ask(*look)).status == 0
        client = Client(server, connection, *[look] * 21)
        answer, answered = client.transport.answer_promptly, []

        def answer_promptly():
            answered.append(answer())
            return answered[-1]

        client.transport.answer_promptly = answer_promptly
        meanwhile.acts.append(client.ask)
        with trio.fail_after(60):
            assert (await connection.answer()).status == 0
        assert client.statuses == [0] * 20
        assert answered == [True] * 21
