"""A transport, dispatch and commands over a socket, with C and without: the client is a test."""

import socket
import tempfile
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from aio import open_engine
from smbd.dispatch import Dispatch
from smbd.native import Core
from smbd.ntstatus import ProtocolError
from smbd.transport import Transport
from tests.aio.page_cache import takes_nowait
from tests.commands.stage import Stage, on_stage
from tests.core.messages import HEADER
from tests.scripted.framing import FrameReader, framed

DISK = Path("/var/tmp")


def the_core():
    """The C, or a skip."""
    try:
        return Core()
    except OSError as error:
        pytest.skip(f"there is no C here: {error.strerror}")


def settle_time(monkeypatch):
    """No call waits and no turn ends, whatever this machine does: replies leave by bursts.

    Nor is there an interim response: none takes so long.
    """
    monkeypatch.setattr("smbd.misses.FOR_FILES_AFTER", 3600.0)
    monkeypatch.setattr("smbd.interims.FOR_FILES_AFTER", 3600.0)
    monkeypatch.setattr("smbd.turns._TURN", inf)
    monkeypatch.setattr("smbd.turns.ASKED", inf)
    monkeypatch.setattr("smbd.turns._ROUND", inf)  # or a late turn is the commands'
    monkeypatch.setattr("smbd.native._PIECE", 1 << 20)
    monkeypatch.setattr("aio.probe.Probe.SLOW_READ", inf)
    monkeypatch.setattr("aio.probe.Probe.SLOW_WRITE", inf)
    monkeypatch.setattr("aio.probe.Probe.SLOW_MISS", inf)  # in C ...
    monkeypatch.setattr("aio.patience.SLOW_MISS", inf)  # ... and in Python: or misses are no jobs
    monkeypatch.setattr("aio.probe.SLEPT", inf)
    monkeypatch.setattr("aio.gate._is_close_to_dirty_limit", lambda: False)
    monkeypatch.setattr("aio.gate.QUIET", inf)
    monkeypatch.setattr("aio.gate._LOOK_AGAIN", inf)
    monkeypatch.setattr("aio.gate.Gate.slow", lambda *_: False)


def need_nowait():
    """Skip the test where the page cache cannot be asked by a READ."""
    if not takes_nowait(DISK):
        pytest.skip(f"{DISK} has no RWF_NOWAIT reads")


@contextmanager
def a_folder(monkeypatch, **files):
    """A folder with these files, where no call takes long; or a skip."""
    settle_time(monkeypatch)
    need_nowait()
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        yield Path(folder)


@dataclass
class Rig:
    """One server, and its client's end of the socket."""

    stage: Stage
    transport: Transport
    client: socket.socket
    hung_up: str = ""  # why the server has ended the connection
    ended: bool = False
    loop: int = -1  # not -1: a descriptor that is ready, as the epoll of a loop that has to go on
    _reader: FrameReader = field(default_factory=FrameReader)

    @property
    def quick(self):
        """What answers plain frames; None while nothing is known, and without C."""
        return self.transport.quick

    @property
    def window(self):
        return self.stage.connection.window

    @property
    def answers_plainly(self):
        """How many opens C knows."""
        return 0 if self.quick is None else len(self.quick._known)

    async def hear(self):
        try:
            async with trio.open_nursery() as nursery:
                self.transport.nursery = nursery  # what is answered beside the task ends it by that
                await self.transport.receive(self.stage.dispatch.frame)
        except* (ProtocolError, ConnectionError) as errors:
            self.hung_up = str(errors.exceptions[0])
        self.ended = True

    async def exchange(self, *pieces):
        """Send bytes as they are, each piece in a burst of its own; the frames that come back."""
        for piece in pieces:
            self.client.sendall(piece)
            self.converse()
            await wait_all_tasks_blocked()
        if self.stage.dispatch.in_work and not self.hung_up:  # a worker has it
            self.stage.dispatch._idle = trio.Event()
            await self.stage.dispatch._idle.wait()
            await wait_all_tasks_blocked()
        found = []
        while True:
            try:
                found += self._reader.frames(self.client.recv(1 << 20))
            except BlockingIOError:
                return found
            await wait_all_tasks_blocked()

    def converse(self):
        """Have C take what has come before the task does."""
        if self.loop >= 0 and not self.ended:
            self.transport._habit.is_plain = True
            self.transport.converse(self.loop, monotonic() + 60)

    async def ask(self, *messages):
        """Send whole messages in one burst; the answers in the order of their MessageIds."""
        return sorted(await self.exchange(framed(*messages)), key=message_id)

    @property
    def state(self):
        """What requests may have changed."""
        opens = sorted(self.stage.service.tables.opens, key=lambda one: one.file.path)
        statistics = self.stage.engine.statistics()
        window = self.window
        return {
            "ids": (window.low, window.high, sorted(window._used)),
            "opens": [
                (one.file.path, one.granted_access, one.position, one.unreported, one.users)
                for one in opens
            ],
            "counts": {
                name: getattr(statistics, name)
                for name in (
                    "hits", "misses", "unknown", "oversize", "writes_inline", "writes_deferred",
                    "reads", "writes", "bytes_read", "bytes_written", "fsyncs",
                )
            },
            "memory": self.stage.connection.memory.held,
            # Of a connection that has ended, replies that nobody will send may be joined or not.
            "unsent": not self.hung_up and (self.transport._unsent, self.transport._in_work),
            "hung up": self.hung_up,
        }  # fmt: skip


def message_id(frame):
    return HEADER.unpack_from(frame)[8]


def _connected():
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, client


@asynccontextmanager
async def a_rig(path, *, native, core=None, engine="nowait", tcp=False, at_once=False):
    """A rig over a folder on a disk."""
    opened = open_engine(engine)
    async with on_stage(path, opened, at_once=at_once) as stage:
        ours, client = _connected() if tcp else socket.socketpair()
        with ours, client:
            for end in (ours, client):
                end.settimeout(0)
                for buffer in () if tcp else (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    end.setsockopt(socket.SOL_SOCKET, buffer, 4 << 20)
            service, connection = stage.service, stage.connection
            if native:
                service.native.core = core or the_core()
            transport = Transport(ours, connection.memory, service.buffers, service.turns)
            transport.admit(8 << 20)
            stage.settle(max_write=1 << 20)
            rig = Rig(stage, transport, client)
            yield rig
    await opened.aclose()


async def begin(rig):
    """From now on requests come by the socket."""
    stage = rig.stage
    stage.dispatch = Dispatch(stage.connection, rig.transport, stage.nursery)
    stage.nursery.start_soon(rig.hear)
    await wait_all_tasks_blocked()


@asynccontextmanager
async def a_rig_for_visits(path, **how):
    """A rig that has begun, over a folder with a file "known": or a skip."""
    async with a_rig(path, **how) as rig:
        if not rig.stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        await rig.stage.open("known")  # a worker finds out which file system this is
        await begin(rig)
        yield rig
