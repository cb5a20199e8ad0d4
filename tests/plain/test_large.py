"""Long plain WRITEs, which C passes from the socket to the file past the receive buffer."""

import contextlib
import fcntl
import os
import resource
import select
import socket
import threading
from contextlib import asynccontextmanager, contextmanager
from time import monotonic

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from smbd.crypto import AES_128_GCM, Sealer, make_signer
from smbd.large import Large
from smbd.native import Core
from smbd.observing import Observer
from smbd.state.lock_sets import ByteRange
from tests.commands.stage import asked
from tests.core import messages
from tests.core.messages import ECHO, LOCK, WRITE, answers
from tests.scripted.framing import framed

from .rig import a_folder, a_rig, begin, settle_time
from .test_differential import ODD, Ask, both, core, cuts, story
from .test_protected import Guarded, GuardedScript

__all__ = ["asked", "core"]

KIB, MIB = 1024, 1 << 20
AES_GMAC = 2
LENGTH = 256 * KIB
BEFORE = b"-" * LENGTH


@pytest.fixture
def disk(monkeypatch):
    with a_folder(monkeypatch, a=BEFORE * 16) as folder:
        yield folder


@pytest.fixture(params=["tcp", "unix"])
async def rig(disk, request):
    async with a_rig(disk, native=True, tcp=request.param == "tcp") as found:
        yield found


@pytest.fixture
async def tcp(disk):
    async with a_rig(disk, native=True, tcp=True) as found:
        yield found


@pytest.fixture
def served(monkeypatch):
    """What C was asked to do: the bytes that it has passed on each time."""
    found, serve = [], Large.serve

    def listening(large, *arguments):
        done = serve(large, *arguments)
        found.append(done.size)
        return done

    monkeypatch.setattr(Large, "serve", listening)
    return found


def content(of, length=LENGTH):
    """Bytes of which no two pages are alike."""
    return b"".join(b"%4d%4d" % (of, at) * 512 for at in range(length // 4096))


def writing(rig, file_id, data, offset=0, **fields):
    charge = -(-len(data) // 65536)
    request = rig.stage.peer.request
    return request(WRITE, messages.write(file_id, data, offset), charge=charge, asked=9, **fields)


async def send(rig, data):
    """Send it all, as the server takes it."""
    view = memoryview(data)
    while view:
        await trio.lowlevel.wait_writable(rig.client)
        view = view[rig.client.send(view) :]
    await wait_all_tasks_blocked()


async def the_frames(rig, count):
    """So many that come back."""
    found = []
    with trio.fail_after(240):
        while len(found) < count:
            found += await rig.exchange()
            await trio.lowlevel.checkpoint()
    return found


async def ask(rig, *frames):
    """Send frames together; their answers, in the order in which they came."""
    await send(rig, framed(*frames))
    return [one for frame in await the_frames(rig, len(frames)) for one in answers(frame)]


async def ask_each(rig, *frames):
    """Send each when the one before is answered: the kernel has room for a whole one then."""
    return [reply for frame in frames for reply in await ask(rig, frame)]


async def learnt(rig, name="a", rounds=5):
    """An open of which C passes on long WRITEs, and the socket's buffer takes some whole."""
    rig.window.high += 1000
    file_id = await rig.stage.open(name)
    await begin(rig)
    for _ in range(rounds):
        (reply,) = await ask(rig, writing(rig, file_id, BEFORE))
        assert reply.status == 0
    return file_id


async def test_all_but_the_first_go_past_the_commands(rig, disk, asked, served):
    file_id = await learnt(rig)
    asked.clear()
    served.clear()
    before, available = rig.stage.engine.statistics(), rig.window.available
    frames = [writing(rig, file_id, content(n), n * LENGTH) for n in range(4)]
    replies = await ask_each(rig, *frames)
    assert [(one.command, one.status) for one in replies] == [(WRITE, 0)] * 4
    assert not asked
    assert sum(served) == sum(4 + len(frame) for frame in frames)
    assert (disk / "a").read_bytes() == b"".join(map(content, range(4))) + BEFORE * 12
    told = rig.stage.engine.statistics().since(before)
    assert (told["writes"], told["writes_inline"], told["bytes_written"]) == (4, 4, 4 * LENGTH)
    (one,) = rig.stage.service.tables.opens
    assert one.position == 4 * LENGTH
    assert one.unreported
    assert rig.window.available == available + 4 * (9 - LENGTH // 65536)


async def test_short_requests_between_them_are_answered_in_their_places(rig, disk, asked):
    file_id = await learnt(rig)
    asked.clear()
    read = rig.stage.peer.request
    for turn in range(20):
        frames = [
            writing(rig, file_id, content(turn), LENGTH),
            read(messages.READ, messages.read(file_id, LENGTH, 4096)),
            writing(rig, file_id, content(turn + 1), LENGTH),
            read(ECHO),
        ]
        replies = await ask(rig, *frames)
        assert [one.command for one in replies] == [WRITE, messages.READ, WRITE, ECHO]
        assert replies[1].data == content(turn)[:4096]
    assert (disk / "a").read_bytes()[LENGTH : 2 * LENGTH] == content(20)
    assert len(asked) < 50  # 20 of them the ECHOs


async def test_nothing_is_written_of_a_frame_that_breaks_off(rig, disk):
    file_id = await learnt(rig)
    frame = framed(writing(rig, file_id, content(1)))
    await send(rig, frame[: len(frame) - 1])
    rig.client.shutdown(socket.SHUT_WR)
    await _until_end(rig)
    assert (disk / "a").read_bytes() == BEFORE * 16


async def _until_end(rig):
    with trio.fail_after(240):
        while not rig.ended:
            await trio.lowlevel.checkpoint()


async def test_a_reset_amid_a_frame_writes_nothing_either(tcp, disk):
    file_id = await learnt(tcp)
    frame = framed(writing(tcp, file_id, content(1)))
    await send(tcp, frame[: len(frame) - 1])
    tcp.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    tcp.client.close()
    await _until_end(tcp)
    assert (disk / "a").read_bytes() == BEFORE * 16


async def test_a_slow_sender_wakes_nobody_until_its_frame_is_whole(tcp, disk, served):
    file_id = await learnt(tcp)
    frame = framed(writing(tcp, file_id, content(1)))
    await send(tcp, frame[:1000])
    served.clear()
    for at in range(1000, len(frame) - 1000, 1000):
        await send(tcp, frame[at : at + 1000])
    assert served == []
    assert not tcp.transport._incoming.have
    assert tcp.transport.unfinished_since < trio.current_time() + 1  # which ends it in the end
    tcp.transport.settle()
    assert tcp.transport.unfinished_since < trio.current_time() + 1
    (reply,) = await _rest(tcp, frame, len(frame) - len(frame) % 1000)
    assert reply.status == 0
    assert (disk / "a").read_bytes()[:LENGTH] == content(1)
    assert tcp.transport.unfinished_since > trio.current_time() + 1e9


async def _rest(rig, frame, at):
    """Send what is left of a frame, as of an offset; its answers."""
    await send(rig, frame[at:])
    return [one for frame in await the_frames(rig, 1) for one in answers(frame)]


async def test_a_lock_that_is_taken_while_a_frame_comes_counts(tcp, disk):
    file_id = await learnt(tcp)
    frame = framed(writing(tcp, file_id, content(1)))
    await send(tcp, frame[:5000])
    (one,) = tcp.stage.service.tables.opens
    assert one.locks.try_lock(ByteRange("another's open", 0, 100, exclusive=True))
    (reply,) = await _rest(tcp, frame, 5000)
    assert reply.status == 0xC0000054
    assert (disk / "a").read_bytes() == BEFORE * 16


async def test_a_login_that_expires_while_a_frame_comes_counts(tcp, disk):
    file_id = await learnt(tcp)
    frame = framed(writing(tcp, file_id, content(1)))
    await send(tcp, frame[:5000])
    tcp.stage.session.suspended = True
    (reply,) = await _rest(tcp, frame, 5000)
    assert reply.status == 0xC000035C
    assert (disk / "a").read_bytes() == BEFORE * 16


@pytest.mark.parametrize("pipe", [0, 4096, 65536])
async def test_a_pipe_that_is_small_or_missing_only_makes_it_slower(disk, asked, monkeypatch, pipe):
    """Of a page of slots, or of none: what it does not take is copied."""
    made = (-1, -1)
    if pipe:
        made = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(made[0], fcntl.F_SETPIPE_SZ, pipe)
    monkeypatch.setattr(Core, "pipe", lambda _: made)
    async with a_rig(disk, native=True, tcp=True) as rig:
        file_id = await learnt(rig)
        asked.clear()
        frames = [writing(rig, file_id, content(n), n * LENGTH) for n in range(4)]
        assert [one.status for one in await ask_each(rig, *frames)] == [0] * 4
    assert not asked
    assert (disk / "a").read_bytes() == b"".join(map(content, range(4))) + BEFORE * 12
    for end in made if pipe else ():
        os.close(end)


async def test_bytes_that_came_one_by_one_are_written_whole(tcp, disk, asked):
    """The kernel keeps each in a buffer of its own, which fills a pipe's slot."""
    file_id = await learnt(tcp)
    asked.clear()
    frame = framed(writing(tcp, file_id, content(3)))
    await send(tcp, frame[:200])
    for at in range(200, 3000):
        tcp.client.send(frame[at : at + 1])
    (reply,) = await _rest(tcp, frame, 3000)
    assert reply.status == 0
    assert not asked
    assert (disk / "a").read_bytes()[:LENGTH] == content(3)


async def test_what_the_file_system_refuses_is_answered_so_and_the_next_goes_on(rig, disk, asked):
    file_id = await learnt(rig)
    asked.clear()
    size = 18 * LENGTH
    with most_bytes(size):
        replies = await ask_each(
            rig,
            writing(rig, file_id, content(1), 16 * LENGTH),
            writing(rig, file_id, content(2), size - LENGTH // 2),
            writing(rig, file_id, content(3)),
        )
    assert [one.status for one in replies] == [0, 0xC000007F, 0]  # DISK_FULL
    assert not asked
    assert not rig.hung_up
    found = (disk / "a").read_bytes()
    assert found[:LENGTH] == content(3)
    assert found[16 * LENGTH : 17 * LENGTH] == content(1)


@contextmanager
def most_bytes(size):
    """No file can get longer: EFBIG, which takes no disk to be had."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_in_the_log_as_ever(tcp, caplog, monkeypatch):
    file_id = await learnt(tcp)
    monkeypatch.setattr("smbd.large.os.strerror", lambda _: "No space left on device")
    monkeypatch.setattr("smbd.large.OSError", lambda _, why: OSError(28, why), raising=False)
    with most_bytes(16 * LENGTH):
        (reply,) = await ask(tcp, writing(tcp, file_id, content(1), 16 * LENGTH))
    assert reply.status == 0xC000007F
    assert "refuses a WRITE: No space left on device" in caplog.text


async def test_odd_ones_are_left_to_the_commands(rig, disk, asked):
    """Through, in part of a page, behind a gap, with bytes behind it."""
    file_id = await learnt(rig)
    with (disk / "a").open("ab") as file:
        file.write(b"x")
    request = rig.stage.peer.request
    through = request(WRITE, messages.write(file_id, content(1), flags=1), charge=4)
    frames = [
        through,
        writing(rig, file_id, content(2)[:-1], 0),
        writing(rig, file_id, content(3), 1),
        writing(rig, file_id, content(4), 32 * LENGTH),
        writing(rig, file_id, content(5)) + bytes(8),
    ]
    asked.clear()
    for frame in frames:
        (reply,) = await ask(rig, frame)
        assert reply.status == 0
    assert asked == frames


async def test_a_call_at_work_on_the_file_keeps_them_out_of_the_loop(rig, asked):
    file_id = await learnt(rig)
    (one,) = rig.stage.service.tables.opens
    inode = rig.stage.engine._files[one.file.fd].inode
    asked.clear()
    with inode.at_work(exclusive=True):
        await ask(rig, writing(rig, file_id, content(1)))
        assert len(asked) == 1
    await ask(rig, writing(rig, file_id, content(1)))
    assert len(asked) == 1


async def test_what_a_closed_gate_says_is_asked_again_not_copied(rig, asked):
    file_id = await learnt(rig)
    (one,) = rig.stage.service.tables.opens
    rig.stage.engine._files[one.file.fd].gate.open_until = 0.0
    asked.clear()
    await ask(rig, writing(rig, file_id, content(1)))
    assert not asked


async def test_one_that_took_long_is_told_to_the_engine(rig, monkeypatch):
    file_id = await learnt(rig)
    rig.quick.burst.slow = 0.0, -1.0, 0.0
    told = []
    monkeypatch.setattr(
        "aio.probe.Probe.plain_write_waited",
        lambda _, _fd, length, took, ended: told.append((length, took < ended)),
    )
    await ask(rig, writing(rig, file_id, content(1)))
    assert told == [(LENGTH, True)]


async def test_an_observer_that_comes_while_a_frame_does_sees_it(tcp, disk):
    """And what comes behind it, however short: the socket tells of each byte again."""
    file_id = await learnt(tcp)
    frame = framed(writing(tcp, file_id, content(1)))
    await send(tcp, frame[:5000])
    seen = []

    class Looking(Observer):
        def received(self, _connection, frame):
            seen.append(len(frame))

    tcp.stage.dispatch.observe((Looking(),))
    (reply,) = await _rest(tcp, frame, 5000)
    assert reply.status == 0
    echo = tcp.stage.peer.request(ECHO)
    await ask(tcp, echo)
    assert seen == [len(frame) - 4, len(echo)]


async def test_a_session_that_must_sign_is_not_served_so(rig, disk):
    file_id = await learnt(rig)
    rig.stage.session.signing_required = True
    (reply,) = await ask(rig, writing(rig, file_id, content(1)))
    assert reply.status == 0xC0000022
    assert (disk / "a").read_bytes() == BEFORE * 16


async def test_where_the_socket_has_no_room_for_a_frame_none_is_awaited_for_long(disk, served):
    async with a_rig(disk, native=True, tcp=True) as rig:
        rig.transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
        file_id = await learnt(rig)
        for turn in range(16):
            (reply,) = await ask(rig, writing(rig, file_id, content(turn)))
            assert reply.status == 0
            assert (disk / "a").read_bytes()[:LENGTH] == content(turn)
        served.clear()
        for turn in range(8):
            await ask(rig, writing(rig, file_id, content(turn)))
        assert served == []


async def test_those_that_have_given_way_have_their_turn_between_two(tcp, served):
    """The kernel knows nothing of them."""
    reader, writer = os.pipe()
    file_id = await learnt(tcp)
    tcp.transport.large._burst.loop = reader
    tcp.stage.service.turns.waiting = 1
    served.clear()
    frames = [writing(tcp, file_id, content(n), n * LENGTH) for n in range(4)]
    await ask(tcp, *frames)
    assert max(served) == len(frames[0]) + 4
    tcp.stage.service.turns.waiting = 0
    for _ in range(10):
        await ask(tcp, *(writing(tcp, file_id, content(n), n * LENGTH) for n in range(4)))
    assert max(served) > len(frames[0]) + 4
    os.close(reader)
    os.close(writer)


async def test_others_have_their_turn_between_two(tcp, served):
    """The loop's descriptor says that somebody waits: so C gives way behind each."""
    reader, writer = os.pipe()
    os.write(writer, b"x")
    file_id = await learnt(tcp)
    tcp.transport.large._burst.loop = reader
    served.clear()
    frames = [writing(tcp, file_id, content(n), n * LENGTH) for n in range(4)]
    await ask(tcp, *frames)
    assert max(served) == len(frames[0]) + 4
    os.close(reader)
    os.close(writer)


class Guarding:
    """The client's keys of a session that signs by GMAC, or seals by GCM."""

    def __init__(self, rig, kind):
        session, channel = rig.stage.session, rig.stage.connection.channels[7]
        session.signer = channel.signer = make_signer(AES_GMAC, b"s" * 16)
        session.sealer = Sealer(AES_128_GCM, b"d" * 16, b"u" * 16)
        self._signer = make_signer(AES_GMAC, b"s" * 16)
        self._sealer = Sealer(AES_128_GCM, b"u" * 16, b"d" * 16)
        self._rig, self._kind = rig, kind

    def frame(self, message):
        if self._kind == "sealed":
            return b"".join(self._sealer.seal(7, [message]))
        frame = bytearray(message)
        frame[16] |= messages.SIGNED
        self._signer.sign_into(frame)
        return bytes(frame)

    async def ask(self, message):
        """Send a message and have its answers, which are protected as it is."""
        await send(self._rig, framed(self.frame(message)))
        (reply,) = await the_frames(self._rig, 1)
        return self.answers(reply)

    def answers(self, reply):
        """What is in a frame."""
        if self._kind == "sealed":
            reply = bytes(self._sealer.open(memoryview(bytes(reply))))
        else:
            assert self._signer.verify(memoryview(reply))
        return answers(reply)


async def learnt_guarded(rig, kind, usual):
    """As `learnt`, of a session that protects its messages: the open, and the client's keys."""
    rig.stage.settle(max_read=1 << 20, max_write=1 << 20)
    client = Guarding(rig, kind)
    file_id = await rig.stage.open("a")
    rig.window.high += 1000
    await begin(rig)
    for _ in range(5):
        await client.ask(usual(rig, file_id))
    return file_id, client


def usual(rig, file_id):
    return writing(rig, file_id, BEFORE)


kinds = pytest.mark.parametrize("kind", ["signed", "sealed"])


@kinds
async def test_protected_ones_are_written_without_the_commands(rig, disk, asked, served, kind):
    file_id, client = await learnt_guarded(rig, kind, usual)
    asked.clear()
    served.clear()
    for turn in range(6):
        (reply,) = await client.ask(writing(rig, file_id, content(turn), turn * LENGTH))
        assert reply.status == 0
    assert not asked
    assert max(served) > LENGTH
    assert (disk / "a").read_bytes() == b"".join(map(content, range(6))) + BEFORE * 10


async def test_a_forged_signature_is_refused_and_nothing_written(rig, disk, asked):
    file_id, client = await learnt_guarded(rig, "signed", usual)
    asked.clear()
    frame = bytearray(client.frame(writing(rig, file_id, content(1))))
    frame[-1] ^= 1
    (reply,) = await ask(rig, bytes(frame))
    assert reply.status == 0xC0000022
    assert len(asked) == 1
    assert (disk / "a").read_bytes() == BEFORE * 16
    (reply,) = await client.ask(writing(rig, file_id, content(2)))
    assert reply.status == 0
    assert (disk / "a").read_bytes()[:LENGTH] == content(2)


@pytest.mark.parametrize("at", [4, 20, 60, 52 + 120, -1])
async def test_a_forged_seal_costs_the_connection_and_nothing_is_written(rig, disk, at):
    """Of its tag, its nonce, its header, and its data: of what it would be told by, too."""
    file_id, client = await learnt_guarded(rig, "sealed", usual)
    frame = bytearray(client.frame(writing(rig, file_id, content(1))))
    frame[at] ^= 1
    await send(rig, framed(bytes(frame)))
    await _until_end(rig)
    assert rig.hung_up == "sealed message does not decrypt"
    assert (disk / "a").read_bytes() == BEFORE * 16


@kinds
async def test_what_the_file_takes_in_part_is_the_commands_to_answer(rig, disk, asked, kind):
    """They get the frame as it came, though it was opened where it lay."""
    file_id, client = await learnt_guarded(rig, kind, usual)
    asked.clear()
    size = 18 * LENGTH
    with most_bytes(size):
        (reply,) = await client.ask(writing(rig, file_id, content(2), size - LENGTH // 2))
    assert reply.status == 0xC000007F  # DISK_FULL
    assert len(asked) == 1
    (reply,) = await client.ask(writing(rig, file_id, content(3)))
    assert reply.status == 0
    assert len(asked) == 1
    assert (disk / "a").read_bytes()[:LENGTH] == content(3)


@kinds
async def test_nothing_is_written_of_a_protected_one_that_breaks_off(rig, disk, kind):
    file_id, client = await learnt_guarded(rig, kind, usual)
    frame = framed(client.frame(writing(rig, file_id, content(1))))
    await send(rig, frame[: len(frame) - 1])
    rig.client.shutdown(socket.SHUT_WR)
    await _until_end(rig)
    assert (disk / "a").read_bytes() == BEFORE * 16


class Loop:
    """What trio waits by, beside what others wait for; and a client that works meanwhile."""

    def __init__(self, rig):
        self._rig, self._others = rig, os.eventfd(0)
        self._epoll = select.epoll()
        self._epoll.register(self._others, select.EPOLLIN)
        self._epoll.register(rig.transport._fd, select.EPOLLIN | select.EPOLLONESHOT)

    def converse(self, *frames, others=True):
        """Have C answer frames, each of which is sent when the one before is answered.

        `others` have something to do behind the last one, or it ends by itself.
        """
        client = threading.Thread(target=self._send, args=(frames, others))
        client.start()
        assert self._rig.transport.converse(self._epoll.fileno(), monotonic() + 240)
        client.join()

    def _send(self, frames, others):
        client, reader = self._rig.client, select.poll()
        reader.register(client, select.POLLIN)
        for number, frame in enumerate(frames):
            if number:
                reader.poll(240_000)
                client.recv(1 << 16)
            view = memoryview(frame)
            while view:
                with contextlib.suppress(BlockingIOError):
                    view = view[client.send(view) :]
        if others:
            reader.poll(240_000)
            os.eventfd_write(self._others, 1)

    @property
    def tells(self):
        """Whether it tells of the socket."""
        return self._rig.transport._fd in dict(self._epoll.poll(0))

    def close(self):
        self._epoll.close()
        os.close(self._others)


@asynccontextmanager
async def a_loop(rig):
    loop = Loop(rig)
    yield loop
    loop.close()


async def test_while_nobody_else_waits_c_waits_for_the_next(tcp, disk, asked, served):
    file_id, client = await learnt_guarded(tcp, "sealed", usual)
    asked.clear()
    served.clear()
    before = tcp.stage.engine.statistics()
    async with a_loop(tcp) as loop:
        frames = [client.frame(writing(tcp, file_id, content(n), n * LENGTH)) for n in range(4)]
        loop.converse(*(framed(frame) for frame in frames))
        assert not loop.tells
        (reply,) = await the_frames(tcp, 1)
    assert not asked
    assert not served
    assert client.answers(reply)[0].status == 0
    assert (disk / "a").read_bytes() == b"".join(map(content, range(4))) + BEFORE * 12
    assert tcp.stage.engine.statistics().since(before)["writes_inline"] == 4


async def test_what_c_leaves_in_the_socket_the_loop_hears_of(tcp, disk, asked):
    file_id = await learnt(tcp)
    echo = tcp.stage.peer.request
    async with a_loop(tcp) as loop:
        loop.converse(framed(writing(tcp, file_id, content(1))), framed(echo(ECHO)), others=False)
        assert loop.tells
    asked.clear()
    (frame,) = await the_frames(tcp, 1)
    assert [one.command for one in answers(frame)] == [ECHO]
    assert len(asked) == 1
    assert (disk / "a").read_bytes()[:LENGTH] == content(1)


async def test_others_go_ahead_of_what_has_come(tcp, disk):
    file_id = await learnt(tcp)
    async with a_loop(tcp) as loop:
        os.eventfd_write(loop._others, 1)
        tcp.client.send(framed(writing(tcp, file_id, content(1))))
        loop.converse(others=False)
        assert loop.tells
        assert (disk / "a").read_bytes()[:LENGTH] == BEFORE
    (frame,) = await the_frames(tcp, 1)
    assert answers(frame)[0].status == 0


@kinds
async def test_what_c_has_received_in_vain_its_task_goes_on_with(tcp, asked, kind):
    file_id, client = await learnt_guarded(tcp, kind, usual)
    asked.clear()
    size = 18 * LENGTH
    async with a_loop(tcp) as loop:
        with most_bytes(size):
            frame = client.frame(writing(tcp, file_id, content(2), size - LENGTH // 2))
            loop.converse(framed(frame), others=False)
            (reply,) = await the_frames(tcp, 1)
    assert client.answers(reply)[0].status == 0xC000007F
    assert len(asked) == 1


long_asks = st.builds(
    Guarded,
    st.just(WRITE),
    st.sampled_from([0, 0, 2, 4]),
    st.sampled_from([0, 4096, 8192, 65536]),
    st.sampled_from([69632, 69632, 131072, 262144]),
    charge=st.sampled_from([4, 4, 5, 2]),
    asked=st.integers(1, 20),
    kind=st.sampled_from(["bare", "signed", "sealed", "signed forged", "signed sealed"]),
)
odd_asks = st.builds(
    lambda one, oddity, kind: Guarded(
        WRITE, one, **{"length": 69632, "charge": 2, "kind": kind, **oddity}
    ),
    st.sampled_from([0, 1, 2, 3, 4]),
    st.sampled_from(ODD),
    st.sampled_from(["bare", "signed", "sealed"]),
)
short_asks = st.builds(
    Ask, st.sampled_from([messages.READ, WRITE, LOCK]), st.sampled_from([0, 2]), st.just(4096)
)
KNOWN = [
    Guarded(WRITE, one, length=69632, charge=2, kind=kind)
    for one in (0, 2, 4)
    for kind in ("bare", "signed", "sealed")
]
some = st.one_of(long_asks, long_asks, odd_asks, short_asks)


@story
@given(st.lists(st.tuples(st.lists(some, min_size=1, max_size=5), cuts), min_size=1, max_size=8))
def test_c_changes_nothing_that_anybody_sees(core, monkeypatch, told):
    settle_time(monkeypatch)
    both(core, [(KNOWN, []), *told], GuardedScript)
