"""The one client that is busy alone is answered before trio waits; nothing of the rest is lost."""

import os
import select
import socket
import tempfile
from collections import deque
from math import inf
from pathlib import Path

import pytest
import trio
import trio.testing

from aio.bells import Bells, bells_here
from smbd import standby
from smbd.ntstatus import NtStatus, ProtocolError
from smbd.standby import Standby, stand_by
from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    DELETE_ON_CLOSE,
    ECHO,
    FILE_OPEN,
    FLUSH,
    PREVIOUS_FILE,
    QUERY_INFO,
    answers,
)
from tests.plain.rig import a_rig, begin
from tests.scripted.framing import framed

LOOP, SOCKET, BELL = 3, 17, 23
VISIT = (
    (CREATE, messages.create("a", access=0x80, disposition=FILE_OPEN)),
    (CLOSE, messages.close(PREVIOUS_FILE)),
)


class Polls:
    """What select.poll would say, one after the other."""

    def __init__(self):
        self.said = deque()
        self.asked = []

    def register(self, fd, _events):
        """As poll does."""

    unregister = register

    def poll(self, milliseconds):
        self.asked.append(milliseconds)
        return [(fd, select.POLLIN) for fd in self.said.popleft()]


class Prompt:
    """A connection that answers as often as it is told."""

    fileno = SOCKET

    def __init__(self, answers=inf):
        self.left = answers
        self.answered = 0

    def converse(self, _loop, _until):
        """It has nothing to say in C."""

    def answer_promptly(self):
        if self.answered >= self.left:
            return False
        self.answered += 1
        return True


class Rig:
    """A Standby whose polls and clock are the test's."""

    def __init__(self, monkeypatch):
        self.now, self.woken = 100.0, 0
        monkeypatch.setattr(standby, "monotonic", lambda: self.now)
        self.bells = Bells()
        monkeypatch.setattr(standby, "bells_here", lambda: self.bells)
        self.standby = Standby(LOOP)
        self.both, self.others = Polls(), Polls()
        self.standby._both, self.standby._others = self.both, self.others
        self.standby._token = self
        self.both.unregister = lambda _fd: None

    def run_sync_soon(self, _function, *, idempotent):
        assert idempotent
        self.woken += 1

    def wait(self, prompt, timeout=60.0):
        for _ in range(2):
            self.standby.rests(prompt, alone=True)
        self.standby.before_io_wait(timeout)


@pytest.fixture
async def rig(monkeypatch):
    return Rig(monkeypatch)


async def test_it_answers_until_the_loop_has_something_to_do(rig):
    prompt = Prompt()
    rig.both.said += [[SOCKET, LOOP], [SOCKET, LOOP], [LOOP]]
    rig.wait(prompt)
    assert prompt.answered == 2
    assert not rig.woken  # the loop finds what it has to do


async def test_others_have_their_turn_behind_the_first_answer_that_finds_them_waiting(rig):
    class Answering(Prompt):
        def answer_promptly(self):
            rig.standby.answers()
            return super().answer_promptly()

    prompt = Answering()
    rig.both.said += [[SOCKET, LOOP]] * 100
    rig.others.said += [[], [], [LOOP]]
    rig.wait(prompt)
    assert prompt.answered == 3
    assert not rig.woken  # the loop finds them
    rig.others.said += [[]] * 3 + [[LOOP]]
    rig.standby.before_io_wait(60.0)  # and stands by again
    assert prompt.answered == 7
    assert rig.others.asked == [0] * 7


async def test_it_leaves_to_the_loop_what_it_cannot_answer(rig):
    prompt = Prompt(1)
    rig.both.said += [[SOCKET, LOOP], [SOCKET, LOOP]]
    rig.wait(prompt)
    rig.standby.before_io_wait(60.0)  # and stands by no more
    assert not rig.both.said
    assert not rig.woken


async def test_no_deadline_of_the_loop_is_missed(rig):
    rig.both.said += [[]]
    rig.wait(Prompt(), 0.0125)
    assert rig.both.asked == [13]
    assert rig.woken == 1

    class Slow(Prompt):
        def answer_promptly(self):
            rig.now += 61
            return super().answer_promptly()

    rig.both.said += [[SOCKET, LOOP]]
    rig.wait(Slow())
    assert rig.woken == 2


async def test_a_conversation_in_c_ends_when_the_loop_has_something_to_do(rig):
    class Talking(Prompt):
        def converse(self, loop, until):
            assert (loop, until) == (LOOP, 160.0)
            said, rig.now = said_by.popleft()
            return said

    said_by = deque([(False, 101.0), (False, 102.0), (True, 103.0)])  # a signal has come, or a miss
    rig.wait(Talking())
    assert not said_by
    assert not rig.woken
    assert not rig.both.asked
    rig.now = 100.0
    said_by += [(True, 161.0)]
    rig.wait(Talking())
    assert rig.woken == 1  # or the loop would wait for another minute


async def test_the_loop_hears_of_a_task_that_a_conversation_has_woken(rig):
    class Talking(Prompt):
        def converse(self, _loop, _until):
            rig.standby.task_scheduled(None)
            return True

    rig.wait(Talking())
    assert rig.woken == 1


async def test_the_loop_hears_of_tasks_that_an_answer_has_started(rig):
    class Starting(Prompt):
        def answer_promptly(self):
            rig.standby.task_scheduled(None)
            return super().answer_promptly()

    rig.both.said += [[SOCKET, LOOP]]
    rig.wait(Starting())
    assert rig.woken == 1


async def test_what_threads_have_done_is_taken_in_the_place_of_a_task(rig):
    prompt, acts = Prompt(), []
    rig.others.said += [[], [LOOP]]
    with rig.bells.told(BELL, lambda: acts.append(prompt.answered)):
        rig.both.said += [[SOCKET, LOOP], [BELL, LOOP], [SOCKET, BELL, LOOP], [BELL, LOOP]]
        rig.wait(prompt)
    assert acts == [1, 2]  # the socket goes first, and the loop when it has more to do
    assert not rig.both.said
    rig.both.said += [[BELL, LOOP]]
    rig.wait(prompt)
    assert acts == [1, 2]  # nobody is told any more


async def test_an_answer_that_threads_have_made_looks_at_the_others_before_it_leaves(rig):
    """Behind it the loop's epoll has the next request of the same client, as often as not."""
    with rig.bells.told(BELL, rig.standby.answers):
        rig.both.said += [[BELL, LOOP], [BELL, LOOP]]
        rig.others.said += [[], [LOOP]]
        rig.wait(Prompt())
    assert not rig.both.said
    assert not rig.others.said


async def test_the_loop_hears_of_tasks_that_a_thread_lets_go_on(rig):
    with rig.bells.told(BELL, lambda: rig.standby.task_scheduled(None)):
        rig.both.said += [[BELL, LOOP]]
        rig.others.said += [[]]
        rig.wait(Prompt())
    assert rig.woken == 1


async def test_it_stands_by_for_none_while_tasks_run_or_two_are_busy(rig):
    one, other = Prompt(), Prompt()
    rig.wait(one, 0)
    for prompt in (other, one, other, one):
        rig.standby.rests(prompt, alone=True)
        rig.standby.before_io_wait(60.0)
    rig.standby.rests(one, alone=True)
    rig.standby.rests(one, alone=False)
    rig.standby.rests(one, alone=True)
    rig.standby.before_io_wait(60.0)
    rig.wait(one, 0)
    rig.standby.ended(one)
    rig.standby.before_io_wait(60.0)
    assert not rig.both.asked


async def test_a_client_is_answered_without_its_task_waking():
    standing = stand_by()
    if standing is None:
        pytest.skip("this process has several epolls")
    ours, client = socket.socketpair()
    with ours, client:
        ours.settimeout(0)

        class Echo(Prompt):
            fileno = ours.fileno()

            def answer_promptly(self):
                ours.send(ours.recv(1))
                return super().answer_promptly()

        def ask():
            for _ in range(20):
                client.send(b"x")
                assert client.recv(1) == b"x"

        echo = Echo()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.lowlevel.wait_readable, ours)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(2):
                standing.rests(echo, alone=True)
            await trio.to_thread.run_sync(ask)
            nursery.cancel_scope.cancel()
        assert echo.answered == 20
    trio.lowlevel.remove_instrument(standing)


async def test_a_bell_is_heard_without_its_task_waking():
    standing = stand_by()
    if standing is None:
        pytest.skip("this process has several epolls")
    ours, client = socket.socketpair()
    bell = os.eventfd(0, os.EFD_NONBLOCK)
    woken, heard = [], trio.Event()

    async def listen():
        with bells_here().told(bell, lambda: os.eventfd_read(bell) and heard.set()):
            while True:
                await trio.lowlevel.wait_readable(bell)
                woken.append(os.eventfd_read(bell))

    quiet = Prompt(0)
    quiet.fileno = ours.fileno()
    with ours, client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(2):
                standing.rests(quiet, alone=True)
            os.eventfd_write(bell, 1)
            await heard.wait()
            nursery.cancel_scope.cancel()
    os.close(bell)
    assert not woken
    trio.lowlevel.remove_instrument(standing)


# --- the connection ---


@pytest.fixture
def disk(monkeypatch):
    monkeypatch.setattr("smbd.vfs.Root.SLOW_OPEN", inf)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name, "a").write_bytes(b"data")
        yield Path(name)


@pytest.fixture
async def connected(disk):
    async with a_rig(disk, native=False) as rig:
        if not rig.stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        await rig.stage.open("known")
        await begin(rig)
        yield rig


def asking(rig, *commands):
    return rig.stage.peer.related(*commands)


async def test_a_visit_is_answered_promptly(connected):
    await connected.ask(asking(connected, *VISIT))
    for _ in range(50):  # a rename on this machine may send one to the commands
        connected.client.send(framed(asking(connected, *VISIT)))
        if connected.transport.answer_promptly():
            break
        await connected.exchange(b"")
    (reply,) = await connected.exchange(b"")
    assert [one.status for one in answers(reply)] == [0, 0]


async def test_what_is_not_answered_promptly_is_answered_as_ever(connected):
    await connected.ask(asking(connected, *VISIT))
    gone = (CREATE, messages.create("b", access=0x80, disposition=FILE_OPEN)), VISIT[1]
    more = (QUERY_INFO, messages.query_info(PREVIOUS_FILE, 18))
    echo = connected.stage.peer.request(ECHO)
    for frame in (echo, asking(connected, gone[0], more, gone[1])):
        connected.client.send(framed(frame))
        assert not connected.transport.answer_promptly()
        assert len(await connected.exchange(b"")) == 1
    whole = framed(asking(connected, *VISIT))
    connected.client.send(whole[:100])
    assert not connected.transport.answer_promptly()
    connected.client.send(whole[100:])
    assert len(await connected.exchange(b"")) == 1
    two = [asking(connected, *VISIT) for _ in range(2)]
    connected.client.send(framed(*two))
    assert not connected.transport.answer_promptly()
    assert len(await connected.exchange(b"")) == 2


async def test_requests_alone_are_answered_promptly_too(connected):
    request = connected.stage.peer.request
    create = messages.create("a", access=0x120089, disposition=FILE_OPEN)
    for _ in range(50):  # as above
        connected.client.send(framed(request(CREATE, create)))
        if connected.transport.answer_promptly():
            break
        await connected.exchange(b"")
    ((opened,),) = map(answers, await connected.exchange(b""))
    for command, body in (
        (QUERY_INFO, messages.query_info(opened.file_id, 18)),
        (CLOSE, messages.close(opened.file_id)),
        (CLOSE, messages.close(opened.file_id)),
    ):
        connected.client.send(framed(request(command, body)))
        assert connected.transport.answer_promptly()
    found = [one.status for frame in await connected.exchange(b"") for one in answers(frame)]
    assert found == [0, 0, NtStatus.FILE_CLOSED]


async def test_what_a_worker_has_to_do_is_begun_promptly(connected):
    create = messages.create("new", disposition=messages.FILE_OPEN_IF)
    connected.client.send(framed(connected.stage.peer.request(CREATE, create)))
    assert connected.transport.answer_promptly()
    assert [answers(frame)[0].status for frame in await connected.exchange(b"")] == [0]


async def test_a_file_is_flushed_and_deleted_without_the_task(connected, disk):
    """As cifs.ko does, in frames of one request and of two."""
    request = connected.stage.peer.request
    connected.client.send(framed(request(CREATE, messages.create("a"))))
    ((opened,),) = map(answers, await connected.exchange(b""))
    delete = messages.create("a", disposition=FILE_OPEN, options=DELETE_ON_CLOSE, share=7)
    for frame in (
        request(FLUSH, messages.flush(opened.file_id)),
        request(CLOSE, messages.close(opened.file_id)),
        asking(connected, (CREATE, delete), VISIT[1]),
    ):
        connected.client.send(framed(frame))
        assert connected.transport.answer_promptly()
        (reply,) = await connected.exchange(b"")
        assert not any(one.status for one in answers(reply))
    assert not (disk / "a").exists()


async def test_a_hostile_frame_costs_its_sender_the_connection(connected):
    close = connected.stage.peer.request(CLOSE, messages.close(bytes(16)), message_id=0)
    connected.client.send(framed(close))
    with pytest.raises(ExceptionGroup) as raised:
        async with trio.open_nursery() as nursery:
            connected.transport.nursery = nursery
            assert not connected.transport.answer_promptly()
    assert raised.group_contains(ProtocolError)
