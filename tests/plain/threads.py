"""What C gives to threads, held back by a test: what is sent, and what comes back meanwhile."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from aio._readers import READERS
from smbd.crypto import AES_128_GCM, Sealer, make_signer
from smbd.observing import Observer
from smbd.wire.header import Flags
from tests.core.messages import answers
from tests.scripted.framing import framed

from .rig import a_rig


def threads_in_c():
    """Load them, or skip the test."""
    try:
        READERS.load()
    except OSError as error:
        pytest.skip(f"there are no threads in C here: {error.strerror}")


@pytest.fixture
async def rig(disk):
    """A server whose C has threads; `disk` is the test's."""
    threads_in_c()
    async with a_rig(disk, native=True) as found:
        yield found


def received(rig):
    """The frames that have come back."""
    try:
        return rig._reader.frames(rig.client.recv(1 << 20))
    except BlockingIOError:
        return []


async def send(rig, *frames):
    """Send one burst; the frames that come back before any thread has done anything."""
    rig.client.sendall(framed(*frames))
    await wait_all_tasks_blocked()
    return received(rig)


async def the_rest(rig, held):
    """The answers when threads have done their work."""
    held.let_go()
    return [answers(frame)[0] for frame in await rig.exchange()]


async def let_go_into_a_full_socket(rig, held):
    """Threads do their work, and no answer leaves."""
    rig.transport._blocked = True
    held.let_go()
    while rig.stage.dispatch.in_work:
        rig.stage.dispatch._idle = trio.Event()
        await rig.stage.dispatch._idle.wait()
    assert received(rig) == []


class Protection:
    """A session whose requests are signed, or sealed, by the client that has its keys."""

    def __init__(self, rig, kind):
        self._session, self._channel = rig.stage.session, rig.stage.connection.channels[7]
        self._signer = make_signer(2, b"s" * 16)
        self._sealer = Sealer(AES_128_GCM, b"u" * 16, b"d" * 16)
        self._session.signer = self._channel.signer = self._signer
        self._session.sealer = Sealer(AES_128_GCM, b"d" * 16, b"u" * 16)
        self._is_sealed = kind == "sealed"

    def protected(self, frame):
        """A request as it is sent."""
        frame = bytearray(frame)
        if self._is_sealed:
            return b"".join(self._sealer.seal(7, [frame]))
        frame[16] |= Flags.SIGNED
        self._signer.sign_into(frame)
        return bytes(frame)

    def leave(self):
        """The session ends; keys of what is in work are kept as long."""
        self._channel.end()
        self._session.sealer = self._channel.signer = self._session.signer = None

    def answer(self, frame):
        """What a response says, which is protected as its request was."""
        if self._is_sealed:
            frame = self._sealer.open(memoryview(frame))
        else:
            assert self._signer.verify(memoryview(bytearray(frame)))
        return answers(bytes(frame))[0]


class Listener(Observer):
    """Is told of each reply: (command, status)."""

    def __init__(self):
        self.told = []

    def replied(self, request, reply):
        self.told.append((request.command, reply.status))
