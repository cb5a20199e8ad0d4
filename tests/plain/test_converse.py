"""C waits for a client that is busy alone: nobody else waits for it, and nothing is lost."""

import os
import select
import signal
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from trio.testing import wait_all_tasks_blocked

from aio import _readers
from smbd.standby import Habit
from tests.commands.stage import asked
from tests.core import messages
from tests.core.messages import ECHO, QUERY_INFO, READ, answers
from tests.scripted.framing import framed

from .rig import a_rig, begin
from .test_plain import disk, reading, writing

__all__ = ["asked", "disk"]
DATA = bytes(range(256)) * 16


class Loop:
    """A loop's epoll: it has a connection's socket, and what `call` makes ready."""

    def __init__(self, sock):
        self.epoll, self._others = select.epoll(), os.eventfd(0)
        self.epoll.register(sock, select.EPOLLIN)
        self.epoll.register(self._others, select.EPOLLIN)

    def call(self):
        os.eventfd_write(self._others, 1)

    def answered(self):
        os.eventfd_read(self._others)

    def close(self):
        self.epoll.close()
        os.close(self._others)


@pytest.fixture
async def rig(disk):
    async with a_rig(disk, native=True) as found:
        file_id = await found.stage.open("a")
        await begin(found)
        await found.ask(reading(found, file_id), writing(found, file_id, DATA))
        found.file_id = file_id
        found.waits = Loop(found.transport.fileno)
        yield found
        found.waits.close()


def converse(rig, seconds=30.0):
    """Whether the loop has something to do, and the seconds until then."""
    rig.transport._habit.is_plain = True
    began = time.monotonic()
    ready = rig.transport.converse(rig.waits.epoll.fileno(), began + seconds)
    return ready, time.monotonic() - began


@contextmanager
def beside(function):
    """Run it in a thread, for as long as the block or longer."""
    thread = threading.Thread(target=function)
    thread.start()
    yield
    thread.join()


def received(client, size, over=None):
    """So many bytes, as they come; fewer once it is over."""
    data = b""
    while len(data) < size and not (over and over.is_set()):
        if select.select([client], [], [], 0.1)[0]:
            data += client.recv(size - len(data))
    return data


async def replies(rig):
    return [answers(frame)[0] for frame in await rig.exchange(b"")]


async def test_requests_are_answered_as_they_come_until_the_loop_has_something_to_do(rig, asked):
    frames = [framed(reading(rig, rig.file_id, 4096 * place)) for place in range(20)]
    got = []

    def client():
        for frame in frames:
            rig.client.send(frame)
            got.append(received(rig.client, 4 + 80 + 4096)[84:])
        rig.waits.call()

    asked.clear()
    with beside(client):
        assert converse(rig)[0]
    assert got == [DATA] * 20
    assert not asked
    assert rig.stage.engine.statistics().hits == 21  # one by the command
    rig.waits.answered()


async def test_others_that_wait_already_have_their_turn_behind_the_first_answer(rig):
    frames = [framed(reading(rig, rig.file_id)) for _ in range(2)]

    def client():  # it has sent the next request before the server can look again
        received(rig.client, 4 + 80 + 4096)
        rig.client.send(frames[1])

    rig.client.send(frames[0])
    rig.waits.call()
    with beside(client):
        assert converse(rig)[0]
    assert rig.stage.engine.statistics().hits == 2  # one by the command
    rig.waits.answered()
    assert [one.data for one in await replies(rig)] == [DATA]


async def test_it_is_over_when_the_loop_has_a_deadline(rig):
    ready, took = converse(rig, 0.05)
    assert not ready
    assert 0.05 <= took < 5


@pytest.mark.parametrize("deadline", [False, True])
async def test_the_loop_has_its_turn_though_the_client_never_pauses(rig, deadline):
    frames = [framed(*(reading(rig, rig.file_id) for _ in range(4))) for _ in range(2000)]
    over, called = threading.Event(), []

    def client():
        rig.client.send(frames.pop() + frames.pop())
        while frames and not over.is_set():
            received(rig.client, 4 * (4 + 80 + 4096), over)
            rig.client.send(frames.pop())
            if len(frames) == 1900 and not deadline:
                called.append(time.monotonic())
                rig.waits.call()

    frames.reverse()
    with beside(client):
        ready, took = converse(rig, 0.02 if deadline else 30.0)
        while not (deadline or called):  # it has looked while more was there already
            await wait_all_tasks_blocked()
            ready, took = converse(rig)
        ended = time.monotonic()
        left = len(frames)
        over.set()
    assert left
    assert took < 5
    if not deadline:
        assert ready
        assert ended - called[0] < 5
        rig.waits.answered()
    await replies(rig)
    assert not rig.hung_up


async def test_what_is_for_the_commands_goes_to_the_task(rig, asked):
    peer = rig.stage.peer
    frames = [reading(rig, rig.file_id), peer.request(ECHO), reading(rig, rig.file_id)]
    rig.client.send(framed(*frames))
    asked.clear()
    assert converse(rig)[0]
    assert [one.command for one in await replies(rig)] == [READ, ECHO, READ]
    assert asked == [frames[1]]


async def test_one_frame_for_the_commands_is_answered_before_the_task_wakes(rig, asked):
    frames = [
        reading(rig, rig.file_id),
        rig.stage.peer.request(QUERY_INFO, messages.query_info(rig.file_id, 18)),
    ]
    rig.client.send(framed(*frames))
    asked.clear()
    assert not converse(rig)[0]
    assert asked == frames[1:]
    data = received(rig.client, 4 + 80 + 4096 + 4 + 64 + 8 + 104)
    assert [data[16], data[4180 + 16]] == [READ, QUERY_INFO]
    rig.client.send(framed(reading(rig, rig.file_id)))  # the task is as it was
    assert [one.command for one in await replies(rig)] == [READ]


async def test_a_frame_for_the_commands_that_is_none_ends_the_connection(rig):
    rig.client.send(framed(reading(rig, rig.file_id), bytes(64)))
    assert converse(rig)[0]
    await replies(rig)
    assert rig.hung_up


async def test_a_frame_may_come_in_pieces_and_its_end_after_the_conversation(rig):
    data = framed(*(reading(rig, rig.file_id) for _ in range(4)))
    rig.client.send(data[:200])

    def client():
        received(rig.client, 4 + 80 + 4096)
        rig.client.send(data[200:300])
        received(rig.client, 4 + 80 + 4096)
        rig.waits.call()

    with beside(client):
        assert converse(rig)[0]
    rig.waits.answered()
    rig.client.send(data[300:])
    assert [one.data for one in await replies(rig)] == [DATA] * 2


async def test_what_a_client_does_not_take_is_sent_by_the_task(rig):
    for end in (rig.client, rig.transport._sock):
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, buffer, 8192)
    rig.client.send(framed(*(reading(rig, rig.file_id) for _ in range(12))))
    rig.waits.call()
    converse(rig)
    found = []
    while len(found) < 12:
        found += await replies(rig)
    assert [one.data for one in found] == [DATA] * 12


async def test_a_client_that_leaves_is_left_to_the_task(rig):
    rig.client.close()
    assert converse(rig)[0]


async def test_a_signal_is_handled_meanwhile(rig):
    """It ends the conversation with nothing to do; one that came before has ended none."""
    heard, ended = [], threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append(True))
    thread = threading.main_thread().ident

    def signals():
        while not ended.wait(0.05):
            signal.pthread_kill(thread, signal.SIGUSR1)

    with beside(signals):
        try:
            ready, took = converse(rig, 200.0)
        finally:
            ended.set()
    signal.signal(signal.SIGUSR1, before)
    assert heard
    assert not ready
    assert took < 200


async def test_a_read_that_misses_is_begun_at_once(rig, disk):
    """A quick disk makes a hit of it now and then: then the conversation goes on."""
    _readers.READERS.load()
    before = rig.stage.engine.statistics()
    for _ in range(20):
        with (disk / "a").open() as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        rig.client.send(framed(reading(rig, rig.file_id, 65536)))
        ready, took = converse(rig, 20.0)
        assert ready is not None
        found = []
        while not found:
            found += await replies(rig)
        assert found[0].data == DATA
        if rig.stage.engine.statistics().misses > before.misses:
            assert took < 20
            return
    pytest.fail("the page cache has it each time")


async def test_a_call_that_waited_ends_it_and_the_task_goes_on(rig, monkeypatch):
    rig.quick.burst.slow = 0.0, 0.0, 0.0
    told = []
    monkeypatch.setattr("aio.probe.Probe.plain_read_waited", lambda *_: told.append(_))
    rig.client.send(framed(*(reading(rig, rig.file_id) for _ in range(3))))
    assert converse(rig)[0]
    assert len(told) == 1
    assert [one.data for one in await replies(rig)] == [DATA] * 3


async def test_replies_to_the_first_of_a_long_burst_leave_before_its_end(rig, monkeypatch):
    """Its client works at the same time: 16 in flight are two halves, one at each end."""
    rig.quick.burst.piece = 6
    hostile = bytes(64)
    rig.client.send(framed(*(reading(rig, rig.file_id) for _ in range(8)), hostile))
    assert len(await rig.exchange(b"")) == 6
    assert rig.hung_up


def test_a_conversation_that_others_end_at_once_comes_back_later():
    habit = Habit()
    took = []
    for _ in range(8):
        took.append(0)
        while not habit.is_plain:
            habit.burst(plain=True)
            took[-1] += 1
        habit.conversed(0)
    assert took == [2, 4, 8, 16, 32, 64, 64, 64]
    for _ in range(64):
        habit.burst(plain=True)
    habit.conversed(100)
    assert habit.is_plain
    habit.burst(plain=False)
    assert not habit.is_plain
