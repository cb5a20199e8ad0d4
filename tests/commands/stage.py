"""The way of a request without socket and disk: real Dispatch and commands, held I/O.

`HeldEngine` keeps each operation until the test lets it go; `HeldCalls` does so for what goes to
the worker threads.  Files and folders are real, in a temporary folder.
"""

import errno
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from math import inf
from unittest.mock import patch

import outcome
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aio import Stats
from aio.completion import tell
from smbd.auth import Authenticator, Identity
from smbd.config import Config, ShareConfig
from smbd.connection import Connection
from smbd.credits import CommandSequenceWindow
from smbd.dispatch import Dispatch
from smbd.memory import Holding
from smbd.repeats import Repeats
from smbd.server.tending import close_parked, meet
from smbd.service import Service
from smbd.session import Session
from smbd.share import Share
from smbd.state import OpenTable, Tables
from smbd.teardown import end_session
from smbd.turns import Turn, Turns
from smbd.vfs.at_once import AtOnce
from tests.core import messages
from tests.core.messages import CREATE, answers
from tests.scripted import Peer
from tests.scripted.framing import the_frame


class Held:
    """Something that waits until the test says how it ends."""

    def __init__(self, name, *details):
        self.name = name
        self.details = details
        self.then = None  # called in the end, with the outcome: no task waits
        self.withdrawn = False
        self._event = trio.Event()
        self._outcome = None

    def finish(self, outcome=None):
        """Let it end: an exception is raised, another value is what it gives."""
        self._outcome = outcome
        self._event.set()
        if self.then is not None:
            tell(deque([self]), inf)

    def tell(self):
        """It has ended: as engines tell of it."""
        then, self.then = self.then, None
        then(self._outcome)

    def withdraw(self):
        """It has begun."""
        self.withdrawn = True

    @property
    def done(self):
        """Whether the test has let it end."""
        return self._event.is_set()

    def fail(self, number):
        self.finish(OSError(number, errno.errorcode[number]))

    async def wait(self):
        """As the engines do: a cancelled caller waits for the end and hears of it then."""
        with trio.CancelScope(shield=True):
            await self._event.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


class HeldEngine:
    """An Engine that delivers only what a test lets go; READs by the bytes given to `finish`."""

    name = "held"

    def __init__(self):
        self.held = []
        self.kicks = 0
        self.attached = set()
        self.cached = None  # bytes that every try_read finds in the page cache

    def attach(self, fd):
        self.attached.add(fd)

    def detach(self, fd):
        self.attached.remove(fd)

    def try_read(self, fd, into, offset):
        assert fd in self.attached
        return None if self.cached is None else _deliver(self.cached[offset:], into)

    def try_write(self, fd, data, offset):
        assert fd in self.attached
        assert offset + len(data) < 2**63

    async def read(self, fd, into, offset):
        return _deliver(await self._hold(Held("read", fd, offset)), into)

    def begin_read(self, fd, into, offset, done):
        held = self._held(Held("read", fd, offset))

        def then(outcome):
            assert fd in self.attached, "the descriptor was closed under an operation"
            if isinstance(outcome, BaseException):
                done(0, outcome)
            else:
                done(_deliver(outcome or b"", into), None)

        held.then = then
        return held

    def kick(self):
        self.kicks += 1

    def finish_all(self, outcome):
        """Let all end in one burst that no task waits for."""
        ended = deque(one for one in self.held if one.then is not None)
        for one in ended:
            one._outcome = outcome
        assert tell(ended, inf)

    async def write(self, fd, data, offset):
        await self._hold(Held("write", fd, offset, bytes(data)))
        return len(data)

    async def fsync(self, fd):
        await self._hold(Held("fsync", fd))

    def begin_fsync(self, fd, done):
        held = self._held(Held("fsync", fd))

        def then(outcome):
            assert fd in self.attached, "the descriptor was closed under an operation"
            done(0, outcome if isinstance(outcome, BaseException) else None)

        held.then = then
        return held

    async def _hold(self, operation):
        self._held(operation)
        result = await operation.wait()
        assert operation.details[0] in self.attached, "the descriptor was closed under an operation"
        return result

    def _held(self, operation):
        fd = operation.details[0]
        assert fd in self.attached, "an engine was given a descriptor that nobody has open"
        self.held.append(operation)
        return operation

    async def aclose(self):
        """Nothing to give back."""

    def statistics(self):
        return Stats()


def _deliver(data, into):
    count = min(len(data), len(into))
    into[:count] = data[:count]
    return count


class HeldCall(Held):
    """A call of a worker, which it carries out when it is let go, or when `act` says so before."""

    def __init__(self, function, args):
        super().__init__(function.__name__)
        self._work = function, args
        self._result = None

    def act(self):
        """The worker does it now; its caller hears of it when it is let go."""
        if self._result is None:
            function, args = self._work
            self._result = outcome.capture(function, *args)
        return self._result


class HeldCalls:
    """A share's workers: call at once, in the loop, until a test says `hold`.

    What is held is called when it is let go; with `early` it is called at once, and only its result
    is held.
    """

    def __init__(self):
        self.holding = False
        self.early = False
        self.held = []

    async def run_for(self, _turn, function, *args):
        await trio.lowlevel.checkpoint()  # a caller cancelled before: it never begins
        if self.holding:
            call = HeldCall(function, args)
            self.held.append(call)
            if self.early:
                call.act()
            with trio.CancelScope(shield=True):
                await call.wait()
            # The worker has done its work, and its caller hears of it, cancelled or not.
            return call.act().unwrap()
        return function(*args)

    run_long = run_for


class Wire:
    """The transport's place: keeps what is sent, and what is said to be in work."""

    def __init__(self):
        self.frames = []
        self.in_work = 0
        self.turn = Turn(Turns())
        self.kicks = set()
        self.flushes = 0

    def send(self, buffers):
        self.frames.append(the_frame(b"".join(bytes(one) for one in buffers)))

    emit = send

    def kick_soon(self, kick):
        self.kicks.add(kick)

    def flush_prompt(self):
        """Nothing is prompt here."""

    def flush(self):
        self.flushes += 1
        while self.kicks:
            self.kicks.pop()()

    def work_began(self, size):
        self.in_work += size

    def work_ended(self, size):
        self.in_work -= size


class Stage:
    """One client that is logged in and connected to one share."""

    def __init__(self, path, engine=None, clock=trio.current_time):
        self.calls = HeldCalls()
        self.engine = engine or HeldEngine()
        config = ShareConfig(name="share", path=path)
        self.share = Share(config, self.engine, self.calls)
        self.root = self.share.open_root()
        authenticator = Authenticator([], server_name="box")
        shares = {"share": self.share}
        tables = Tables(OpenTable(limit=1000))
        self.service = Service(Config(), authenticator, shares, None, tables, clock)
        window = CommandSequenceWindow(8192)
        self.wire = Wire()
        self.connection = Connection(self.service, "test:1", "test", window, emit=self.wire.send)
        self.settle(dialect=0x0302, multi_credit=True)
        self.session = Session(7, 0.0, network="test", memory=Holding(self.connection.memory))
        self.session.identity = Identity("test", "", b"", is_guest=False, is_anonymous=False)
        self.service.sessions[7] = self.session
        self.connection.add_channel(self.session)
        self.peer = Peer()
        self.peer.session.session_id = 7
        self.peer.session.tree_id = self.session.connect(
            self.share, 0x1F01FF, encrypt=False, root=self.root
        ).tree_id
        window.grant(512)
        self.dispatch: Dispatch
        self.nursery: trio.Nursery

    def settle(self, **fields):
        """Change what NEGOTIATE has settled."""
        self.connection.negotiated = replace(self.connection.negotiated, **fields)

    def burst(self, *frames):
        """Frames that came in one receive; a late task of one finds the others done."""
        for frame in frames:
            self.wire.turn.begin()
            handled = self.dispatch.frame(memoryview(bytearray(frame)), trio.current_time())
            if not isinstance(handled, bool):
                self.nursery.start_soon(_until_handled, handled)
        self.wire.flush()

    def connect(self, share):
        """The TreeId of another share, by the same workers."""
        root = share.open_root()
        tree = self.session.connect(share, 0x1F01FF, encrypt=False, root=root)
        return tree.tree_id

    def ask(self, command, body=messages.EMPTY, **fields):
        """Send one request; its message id."""
        message_id = fields.get("message_id", self.peer.next_id)
        self.burst(self.peer.request(command, body, **fields))
        return message_id

    async def answers(self):
        """All responses since the last call, once nothing moves any more."""
        await wait_all_tasks_blocked()
        frames, self.wire.frames = self.wire.frames, []
        return [one for frame in frames for one in answers(frame)]

    async def answer(self):
        """The one response."""
        (one,) = await self.answers()
        return one

    async def open(self, name, **wanted):
        self.ask(CREATE, messages.create(name, **wanted))
        answer = await self.answer()
        assert answer.status == 0
        return answer.file_id

    @property
    def fds(self):
        return sorted(one.file.fd for one in self.service.tables.opens)


async def _until_handled(rest):
    await rest


@asynccontextmanager
async def on_stage(path, engine=None, *, at_once=False) -> AsyncIterator[Stage]:
    """A stage; at its end nothing may be left of what was opened on it.

    `at_once`: whether the loop changes names and records itself, where it can; else workers do.
    By this machine's clock no work on files is so slow that an interim response is due.
    """
    stage = Stage(path, engine)
    admits = patch.object(AtOnce, "admits", lambda *_: at_once)
    of_a_test = isinstance(trio.lowlevel.current_clock(), MockClock)
    slow = nullcontext() if of_a_test else patch("smbd.interims.FOR_FILES_AFTER", 3600.0)
    with admits, slow:
        async with _played(stage):
            yield stage
    assert not list(stage.service.tables.opens)
    assert not getattr(stage.engine, "attached", None)
    assert not stage.service.tables.files._files
    assert stage.wire.in_work == 0


@asynccontextmanager
async def _played(stage) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        stage.nursery = nursery
        stage.dispatch = Dispatch(stage.connection, stage.wire, nursery)
        nursery.start_soon(meet, stage.service.deadlines)
        nursery.start_soon(close_parked, stage.service)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()
            for one in getattr(stage.engine, "held", []) + stage.calls.held:
                one.finish()
            # A test may have failed: Cancelled in its place would be lost, and the test pass.
            with trio.CancelScope(shield=True):
                await stage.dispatch.end()
    stage.calls.holding = False
    with trio.CancelScope(shield=True):
        await end_session(stage.service, stage.session)
    stage.root.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The frames that came to the commands, those too whose header is like one before."""
    found: list[bytes] = []
    receive, again = Connection.receive, Repeats.receive

    def listening(connection, frame, *now):
        found.append(bytes(frame))
        return receive(connection, frame, *now)

    def listening_again(repeats, frame, now):
        form = again(repeats, frame, now)
        if form is not None:
            found.append(bytes(frame))
        return form

    monkeypatch.setattr(Connection, "receive", listening)
    monkeypatch.setattr(Repeats, "receive", listening_again)
    return found
