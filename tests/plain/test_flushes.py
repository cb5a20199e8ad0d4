"""FLUSHes that C begins, threads carry out, and C answers; with C and without it."""

import ctypes
import errno
import os
from collections import deque
from functools import partial
from math import inf
from struct import pack_into

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from aio._readers import READERS
from aio.completion import tell
from aio.probe import Probe
from smbd.crypto import make_signer
from smbd.ntstatus import NtStatus
from smbd.observing import Observer
from smbd.state import Tables
from smbd.wire.header import Flags
from tests.commands.stage import asked
from tests.core import messages
from tests.core.messages import ASYNC, CANCEL, CLOSE, ECHO, FLUSH, READ, WRITE, answers
from tests.scripted.framing import framed

from . import threads
from .rig import a_rig, begin
from .test_plain import created, disk, reading, writing
from .threads import (
    Listener,
    Protection,
    let_go_into_a_full_socket,
    received,
    rig,
    the_rest,
)

__all__ = ["asked", "disk", "rig"]

PAGE = bytes(range(256)) * 16
NEXT, COUNT = 0, 64  # where they are in a struct job


class Held:
    """The fsyncs that C has made jobs of, until the test lets threads have them."""

    def __init__(self, monkeypatch):
        self.calls = []
        self._begun = Probe.plain_flush_begun
        monkeypatch.setattr(Probe, "plain_flush_begun", lambda *call: self.calls.append(call))

    def let_go(self):
        calls, self.calls = self.calls, []
        for call in calls:
            self._begun(*call)

    def fail(self, code):
        """End the first one, as a thread whose fsync has failed."""
        probe, owner, fd, first = self.calls.pop(0)
        job = (ctypes.c_char * (COUNT + 8)).from_address(first)
        pack_into("=Q", job, NEXT, 0)
        pack_into("=q", job, COUNT, -code)
        pack_into("=QQ", (ctypes.c_char * 16).from_address(owner.key), 0, first, first)
        probe._files[fd].inode.begin(exclusive=True, strains=True)
        tell(deque([owner]), inf)


@pytest.fixture
async def held(rig, monkeypatch):
    found = Held(monkeypatch)
    yield found
    found.let_go()


def flushing(rig, file_id, **fields):
    return rig.stage.peer.request(FLUSH, messages.flush(file_id), **fields)


async def learnt(rig, name="a", **fields):
    """A file that C knows, in a server that has flushed."""
    file_id = await rig.stage.open(name, **fields)
    await begin(rig)
    for frame in (writing(rig, file_id, PAGE), flushing(rig, file_id)):
        (reply,) = await rig.ask(frame)
        assert answers(reply)[0].status == 0
    return file_id


def the_open(rig):
    (one,) = rig.stage.service.tables.opens
    return one


async def send(rig, *frames):
    """Send one burst; the answers that come back before any thread has flushed."""
    return [answers(frame)[0] for frame in await threads.send(rig, *frames)]


async def begun(rig, held, file_id, **fields):
    """Have C begin a FLUSH: its MessageId."""
    frame, count = flushing(rig, file_id, **fields), len(held.calls)
    assert await send(rig, frame) == []
    assert len(held.calls) == count + 1
    return messages.HEADER.unpack_from(frame)[8]


def left(rig):
    """What is still counted for requests in work."""
    one = the_open(rig)
    inode = rig.stage.engine._files[one.file.fd].inode
    return one.users, one.requests, rig.transport._in_work, inode.working


async def test_one_is_answered_without_the_commands(rig, held, asked):
    file_id = await learnt(rig)
    asked.clear()
    before, one = rig.stage.engine.statistics(), the_open(rig)
    await begun(rig, held, file_id, asked=5)
    available = rig.window.available
    assert (one.users, one.requests, rig.stage.dispatch.in_work) == (1, 1, 1)
    (answer,) = await the_rest(rig, held)
    assert (answer.command, answer.status, answer.granted) == (FLUSH, 0, 5)
    assert answer.body == b"\4\0\0\0"
    assert not asked
    assert rig.window.available == available + 5
    told = rig.stage.engine.statistics().since(before)
    assert (told["fsyncs"], told["switches"], told["reads"]) == (1, 1, 0)
    assert left(rig) == (0, 0, 0, 0)


async def test_the_position_stays_and_what_was_written_is_told_of(rig, held, monkeypatch):
    file_id = await learnt(rig)
    (reply,) = await rig.ask(writing(rig, file_id, PAGE, 8192))
    assert answers(reply)[0].status == 0
    one, told = the_open(rig), []
    assert one.unreported
    monkeypatch.setattr(Tables, "changed", lambda _tables, *args: told.append(args))
    await begun(rig, held, file_id)
    assert [open_ for open_, *_ in told] == [one]
    assert not one.unreported
    await the_rest(rig, held)
    assert one.position == 8192 + 4096


async def test_a_file_that_a_create_has_made_known_is_flushed_so_too(rig, held):
    file_id = await learnt(rig)
    other = await created(rig, "a")
    assert other != file_id
    await begun(rig, held, other)
    (answer,) = await the_rest(rig, held)
    assert answer.status == 0


@pytest.mark.parametrize("kind", ["signed", "sealed"])
async def test_what_protects_the_request_protects_the_answer(rig, held, asked, kind):
    file_id = await learnt(rig)
    protection = Protection(rig, kind)
    await rig.exchange(framed(protection.protected(reading(rig, file_id))))
    asked.clear()
    assert await send(rig, protection.protected(flushing(rig, file_id))) == []
    assert not asked
    protection.leave()
    held.let_go()
    (frame,) = await rig.exchange()
    answer = protection.answer(frame)
    assert (answer.command, answer.status) == (FLUSH, 0)


async def test_a_wrong_signature_flushes_nothing(rig, held):
    file_id = await learnt(rig)
    session, channel = rig.stage.session, rig.stage.connection.channels[7]
    session.signer = channel.signer = make_signer(2, b"s" * 16)
    (answer,) = await send(rig, flushing(rig, file_id, flags=Flags.SIGNED))
    assert answer.status == NtStatus.ACCESS_DENIED
    assert not held.calls


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (errno.EIO, NtStatus.UNEXPECTED_IO_ERROR),
        (errno.ENOSPC, NtStatus.DISK_FULL),
        (errno.EDQUOT, NtStatus.DISK_FULL),
    ],
)
async def test_a_disk_that_fails_is_an_error_of_that_flush_alone(
    rig, held, monkeypatch, code, status
):
    file_id = await learnt(rig)
    before = rig.stage.engine.statistics()
    first = await begun(rig, held, file_id)
    second = await begun(rig, held, file_id)
    held.fail(code)
    (failed,) = [answers(frame)[0] for frame in received(rig)]
    (good,) = await the_rest(rig, held)
    assert (good.message_id, good.status) == (second, 0)
    assert rig.stage.engine.statistics().since(before)["fsyncs"] == 1
    assert left(rig) == (0, 0, 0, 0)
    # The commands say the same.
    real = Probe.begin_fsync

    def fails(probe, fd, done):
        return real(probe, fd, lambda _count, _: done(0, OSError(code, os.strerror(code))))

    monkeypatch.setattr(Probe, "begin_fsync", fails)
    rig.stage.dispatch.observe((Observer(),))
    (reply,) = await rig.ask(flushing(rig, file_id))
    assert (failed.message_id, failed.status) == (first, answers(reply)[0].status)
    assert failed.status == status


async def test_a_close_behind_it_leaves_it_the_file(rig, held):
    file_id = await learnt(rig)
    one = the_open(rig)
    await begun(rig, held, file_id)
    (answer,) = await send(rig, rig.stage.peer.request(CLOSE, messages.close(file_id)))
    assert (answer.command, answer.status) == (CLOSE, 0)
    assert os.fstat(one.file.fd)
    (answer,) = await the_rest(rig, held)
    assert (answer.command, answer.status) == (FLUSH, 0)
    await wait_all_tasks_blocked()
    assert one.file.fd == -1


async def test_a_cancel_does_not_end_it(rig, held):
    file_id = await learnt(rig)
    message_id = await begun(rig, held, file_id)
    cancel = rig.stage.peer.request(CANCEL, messages.EMPTY, message_id=message_id)
    assert await send(rig, cancel, cancel) == []
    (answer,) = await the_rest(rig, held)
    assert (answer.message_id, answer.status) == (message_id, 0)
    assert left(rig) == (0, 0, 0, 0)


async def test_one_that_takes_long_gets_an_interim_response(rig, held, monkeypatch):
    file_id = await learnt(rig)
    monkeypatch.setattr("smbd.misses.FOR_FILES_AFTER", -1.0)
    (interim,) = await send(rig, flushing(rig, file_id, asked=7))
    assert (interim.status, interim.granted) == (NtStatus.PENDING, 7)
    assert interim.flags & ASYNC
    (answer,) = await the_rest(rig, held)
    assert (answer.status, answer.async_id, answer.granted) == (0, interim.async_id, 0)


async def test_writes_behind_it_go_to_a_worker_until_it_has_ended(rig, held):
    file_id = await learnt(rig)
    await rig.ask(writing(rig, file_id, PAGE))
    await begun(rig, held, file_id)
    held.let_go()
    engine = rig.stage.engine
    inode = engine._files[the_open(rig).file.fd].inode
    inode.begin(exclusive=True, strains=True)  # as if it went on
    before = engine.statistics()
    replies = await rig.exchange(framed(writing(rig, file_id, PAGE)))
    assert {answers(frame)[0].command for frame in replies} == {FLUSH, WRITE}
    assert engine.statistics().since(before)["writes_deferred"] == 1
    inode.end(exclusive=True, strains=True)


async def test_what_comes_in_the_same_burst_is_answered_in_front_of_it_and_behind(rig, held, asked):
    file_id = await learnt(rig)
    asked.clear()
    found = await send(rig, reading(rig, file_id), flushing(rig, file_id))
    assert [one.command for one in found] == [READ]
    assert (len(held.calls), asked) == (1, [])
    assert [one.command for one in await the_rest(rig, held)] == [FLUSH]
    # With more behind it the commands have it.
    frames = await rig.exchange(framed(flushing(rig, file_id), rig.stage.peer.request(ECHO)))
    assert {answers(frame)[0].command for frame in frames} == {FLUSH, ECHO}
    assert not held.calls


async def test_more_than_may_be_in_work_are_refused(rig, held):
    file_id = await learnt(rig)
    rig.stage.dispatch._most_in_work = 2
    for _ in range(2):
        await begun(rig, held, file_id)
    (refused,) = await send(rig, flushing(rig, file_id))
    assert refused.status == NtStatus.INSUFFICIENT_RESOURCES
    assert [one.status for one in await the_rest(rig, held)] == [0, 0]


async def test_a_read_of_the_same_file_is_counted_apart(rig, held, monkeypatch):
    file_id = await learnt(rig)
    before, reads = rig.stage.engine.statistics(), []
    monkeypatch.setattr(
        Probe,
        "plain_begun",
        lambda probe, *args, real=Probe.plain_begun: reads.append(partial(real, probe, *args)),
    )
    for _ in range(50):
        os.posix_fadvise(the_open(rig).file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if not await send(rig, reading(rig, file_id, 512 << 10)):
            break
    assert reads, "no READ has missed"
    await begun(rig, held, file_id)
    for read in reads:
        read()
    found = await the_rest(rig, held)
    assert {(one.command, one.status) for one in found} == {(READ, 0), (FLUSH, 0)}
    told = rig.stage.engine.statistics().since(before)
    assert (told["fsyncs"], told["reads"] - told["hits"], told["switches"]) == (1, 1, 2)
    assert left(rig) == (0, 0, 0, 0)
    assert the_open(rig).position == (512 << 10) + 4096


async def test_who_may_not_write_is_refused_as_ever(rig, held):
    reader = await rig.stage.open("a", access=0x120089)
    await learnt(rig)
    await rig.ask(reading(rig, reader))
    (answer,) = await send(rig, flushing(rig, reader))
    assert answer.status == NtStatus.ACCESS_DENIED
    assert not held.calls


async def test_those_of_an_old_channel_sequence_are_counted_as_such(rig, held):
    file_id = await learnt(rig)
    one = the_open(rig)
    await begun(rig, held, file_id)
    one.follow_sequence(1, replay=False)
    assert (one.requests, one.earlier_requests) == (0, 1)
    await the_rest(rig, held)
    assert (one.requests, one.earlier_requests, one.users) == (0, 0, 0)


async def test_a_socket_that_is_full_gets_the_answer_later(rig, held):
    file_id = await learnt(rig)
    await begun(rig, held, file_id)
    await let_go_into_a_full_socket(rig, held)
    rig.transport._blocked = False
    rig.transport.flush()
    (frame,) = await rig.exchange()
    assert answers(frame)[0].status == 0


async def test_all_are_the_commands_as_soon_as_somebody_looks_on(rig, held):
    file_id = await learnt(rig)
    await begun(rig, held, file_id)
    listener = Listener()
    rig.stage.dispatch.observe((listener,))
    found = await send(rig, flushing(rig, file_id))
    assert not held.calls[1:]
    found += await the_rest(rig, held)
    assert [(one.command, one.status) for one in found] == [(FLUSH, 0)] * 2
    assert listener.told == [(FLUSH, 0)] * 2


async def test_a_connection_that_is_lost_waits_for_its_threads(rig, held):
    file_id = await learnt(rig)
    await begun(rig, held, file_id)
    one = the_open(rig)
    rig.client.close()
    await wait_all_tasks_blocked()
    assert rig.stage.dispatch.in_work == 1
    assert os.fstat(one.file.fd)
    held.let_go()
    with trio.fail_after(60):
        await rig.stage.dispatch.end()
    assert (rig.stage.dispatch.in_work, rig.transport._in_work) == (0, 0)


async def test_the_end_of_the_server_waits_for_it_and_answers(rig, held):
    file_id = await learnt(rig)
    await begun(rig, held, file_id)
    ended = trio.Event()

    async def finish():
        await rig.stage.dispatch.finish()
        ended.set()

    rig.stage.nursery.start_soon(finish)
    await wait_all_tasks_blocked()
    assert not ended.is_set()
    held.let_go()
    with trio.fail_after(60):
        await ended.wait()
    assert [answers(frame)[0].status for frame in received(rig)] == [0]


async def test_without_threads_in_c_the_commands_flush(disk, monkeypatch, asked):
    monkeypatch.setattr(READERS, "at_hand", lambda: None)
    async with a_rig(disk, native=True) as rig:
        file_id = await rig.stage.open("a")
        await begin(rig)
        await rig.ask(reading(rig, file_id), reading(rig, file_id))
        asked.clear()
        for _ in range(2):
            (reply,) = await rig.ask(flushing(rig, file_id))
            assert answers(reply)[0].status == 0
        assert len(asked) == 2
