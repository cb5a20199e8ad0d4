"""READs that miss the page cache, which C answers when threads have read."""

import os
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from aio.probe import Probe
from smbd.native import MOST_OPENS
from smbd.ntstatus import NtStatus
from tests.commands.stage import asked
from tests.core import messages
from tests.core.messages import ASYNC, CANCEL, CLOSE, ECHO, READ, answers
from tests.scripted.framing import framed

from .rig import begin
from .test_plain import KIB, disk, reading
from .threads import (
    Listener,
    Protection,
    let_go_into_a_full_socket,
    rig,
    send,
    the_rest,
)

__all__ = ["asked", "disk", "rig"]

PAGE = bytes(range(256)) * 16


class Held:
    """The jobs that C has made, until the test lets threads have them."""

    def __init__(self, monkeypatch):
        self.calls = []
        begun = Probe.plain_begun

        def later(probe, *args):
            self.calls.append(partial(begun, probe, *args))
            return probe._threads.jobs

        monkeypatch.setattr(Probe, "plain_begun", later)

    def let_go(self):
        calls, self.calls = self.calls, []
        for call in calls:
            call()


@pytest.fixture
async def held(rig, monkeypatch):
    # However slow this machine is, nobody is told that it takes long.
    monkeypatch.setattr("smbd.misses.FOR_FILES_AFTER", 60.0)
    monkeypatch.setattr("smbd.interims.FOR_FILES_AFTER", 60.0)
    found = Held(monkeypatch)
    yield found
    found.let_go()


def evict(rig, name="a"):
    with Path(rig.stage.root.absolute_path, name).open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


async def learnt(rig, name="a"):
    file_id = await rig.stage.open(name)
    await begin(rig)
    await rig.ask(reading(rig, file_id))
    the_open(rig)
    return file_id


def the_open(rig):
    (one,) = rig.stage.service.tables.opens
    os.posix_fadvise(one.file.fd, 0, 0, os.POSIX_FADV_RANDOM)
    return one


async def missed(rig, held, file_id, **fields):
    """Send a READ that misses: its MessageId.  A fast disk may have it at once: then once more."""
    for _ in range(50):
        evict(rig)
        frame = reading(rig, file_id, 512 * KIB, **fields)
        if not await send(rig, frame):
            assert held.calls
            return messages.HEADER.unpack_from(frame)[8]
    raise AssertionError("no READ has missed")


async def test_one_is_answered_without_the_commands(rig, held, asked):
    file_id = await learnt(rig)
    asked.clear()
    before, one = rig.stage.engine.statistics(), the_open(rig)
    await missed(rig, held, file_id, asked=5)
    available = rig.window.available
    assert (one.users, one.requests) == (1, 1)
    assert rig.stage.dispatch.in_work == 1
    assert rig.transport._in_work > 65536
    (answer,) = await the_rest(rig, held)
    assert (answer.status, answer.data, answer.granted) == (0, PAGE, 5)
    assert not asked
    assert rig.window.available == available + 5
    told = rig.stage.engine.statistics().since(before)
    assert (told["misses"], told["switches"], told["reads"] - told["hits"]) == (1, 1, 1)
    assert one.position == 512 * KIB + 4096
    assert (one.users, one.requests, rig.transport._in_work) == (0, 0, 0)


async def test_a_read_that_misses_makes_its_open_known(rig, held, asked):
    file_id = await rig.stage.open("a")
    await begin(rig)
    the_open(rig)
    evict(rig)
    await rig.ask(reading(rig, file_id, 512 * KIB))
    assert rig.answers_plainly == 1


async def test_hits_behind_it_in_its_burst_are_answered_before_it(rig, held, disk):
    (disk / "b").write_bytes(PAGE)
    cold, warm = [await rig.stage.open(name) for name in "ab"]
    await begin(rig)
    await rig.ask(reading(rig, cold), reading(rig, warm))
    frames = []
    while not held.calls:
        evict(rig)
        burst = [reading(rig, cold, 512 * KIB), reading(rig, warm), rig.stage.peer.request(ECHO)]
        frames = await send(rig, *burst, reading(rig, warm))
    assert [answers(frame)[0].command for frame in frames] == [READ, ECHO, READ]
    (answer,) = await the_rest(rig, held)
    assert answer.data == PAGE


async def test_those_that_have_ended_together_leave_together(rig, held):
    file_id = await learnt(rig)
    for _ in range(4):
        await missed(rig, held, file_id)
    found = await the_rest(rig, held)
    assert [answer.data for answer in found] == [PAGE] * 4


@pytest.mark.parametrize("kind", ["signed", "sealed"])
async def test_what_protects_the_request_protects_the_answer(rig, held, asked, kind):
    file_id = await rig.stage.open("a")
    protection = Protection(rig, kind)

    def protected(offset):
        return protection.protected(reading(rig, file_id, offset))

    await begin(rig)
    await rig.exchange(framed(protected(0)))
    the_open(rig)
    asked.clear()
    while not held.calls:
        evict(rig)
        await send(rig, protected(512 * KIB))
    assert not asked
    protection.leave()
    held.let_go()
    (frame,) = await rig.exchange()
    assert protection.answer(frame).data == PAGE


async def test_a_close_behind_it_leaves_it_the_file(rig, held):
    file_id = await learnt(rig)
    one = the_open(rig)
    await missed(rig, held, file_id)
    (reply,) = await send(rig, rig.stage.peer.request(CLOSE, messages.close(file_id)))
    assert answers(reply)[0].status == 0
    assert os.fstat(one.file.fd)
    (answer,) = await the_rest(rig, held)
    assert (answer.command, answer.data) == (READ, PAGE)
    assert one.file.fd == -1


async def test_a_cancel_ends_it_when_threads_have_read(rig, held):
    file_id = await learnt(rig)
    other = await missed(rig, held, file_id)
    message_id = await missed(rig, held, file_id)
    cancel = rig.stage.peer.request(CANCEL, messages.EMPTY, message_id=message_id)
    assert await send(rig, cancel, cancel) == []
    found = {answer.message_id: answer for answer in await the_rest(rig, held)}
    assert found[message_id].status == NtStatus.CANCELLED
    assert found[other].data == PAGE
    one = the_open(rig)
    assert (one.users, one.requests, rig.transport._in_work) == (0, 0, 0)


async def test_one_that_takes_long_gets_an_interim_response(rig, held, monkeypatch):
    file_id = await learnt(rig)
    monkeypatch.setattr("smbd.misses.FOR_FILES_AFTER", -1.0)
    frames = []
    while not held.calls:
        evict(rig)
        frames = await send(rig, reading(rig, file_id, 512 * KIB, asked=7))
    (interim,) = map(answers, frames)
    assert (interim[0].status, interim[0].granted) == (NtStatus.PENDING, 7)
    assert interim[0].flags & ASYNC
    (answer,) = await the_rest(rig, held)
    assert (answer.status, answer.data, answer.granted) == (0, PAGE, 0)
    assert answer.async_id == interim[0].async_id


async def test_none_is_told_of_before_its_time(rig, held):
    file_id = await learnt(rig)
    await missed(rig, held, file_id)
    assert rig.stage.dispatch.interims._wakes_at <= trio.current_time() + 60
    (answer,) = await the_rest(rig, held)
    assert not answer.flags & ASYNC


async def test_at_the_end_of_a_file_that_shrinks_there_is_less(rig, held, disk):
    file_id = await learnt(rig)
    await missed(rig, held, file_id)
    os.truncate(disk / "a", 512 * KIB + 100)
    (answer,) = await the_rest(rig, held)
    assert answer.data == PAGE[:100]
    one = the_open(rig)
    assert one.position == 512 * KIB + 100
    os.truncate(disk / "a", 1024 * KIB)
    await missed(rig, held, file_id)
    os.truncate(disk / "a", 0)
    (answer,) = await the_rest(rig, held)
    assert answer.status == NtStatus.END_OF_FILE
    assert (one.users, one.requests, rig.transport._in_work) == (0, 0, 0)


async def test_less_than_the_client_wants_at_least_is_an_error(rig, held, disk):
    file_id = await learnt(rig)
    while not held.calls:
        evict(rig)
        body = messages.read(file_id, 512 * KIB, 4096, 4000)
        await send(rig, rig.stage.peer.request(READ, body))
    os.truncate(disk / "a", 512 * KIB + 100)
    (answer,) = await the_rest(rig, held)
    assert answer.status == NtStatus.END_OF_FILE


async def test_a_disk_that_fails_is_an_error(rig, held):
    file_id = await learnt(rig)
    one = the_open(rig)
    await missed(rig, held, file_id)
    kept = os.dup(one.file.fd)
    unreadable = os.open(os.devnull, os.O_WRONLY)
    os.dup2(unreadable, one.file.fd)
    os.close(unreadable)
    (answer,) = await the_rest(rig, held)
    os.dup2(kept, one.file.fd)
    os.close(kept)
    assert answer.status not in {0, NtStatus.END_OF_FILE}
    assert (one.users, one.requests, rig.transport._in_work) == (0, 0, 0)


async def test_a_socket_that_is_full_gets_the_answers_later(rig, held):
    file_id = await learnt(rig)
    await missed(rig, held, file_id)
    await let_go_into_a_full_socket(rig, held)
    assert rig.transport._unsent > 4096
    rig.transport._blocked = False
    rig.transport.flush()
    (answer,) = [answers(frame)[0] for frame in await rig.exchange()]
    assert answer.data == PAGE


async def test_more_than_may_be_in_work_are_refused(rig, held):
    file_id = await learnt(rig)
    rig.stage.dispatch._most_in_work = 2
    await missed(rig, held, file_id)
    await missed(rig, held, file_id)
    evict(rig)
    refused = []
    while not refused:
        evict(rig)
        for frame in await send(rig, reading(rig, file_id, 512 * KIB)):
            refused += [one for one in answers(frame) if one.status]
    assert refused[0].status == NtStatus.INSUFFICIENT_RESOURCES
    found = await the_rest(rig, held)
    assert [answer.data for answer in found] == [PAGE, PAGE]


async def test_those_of_an_old_channel_sequence_are_counted_as_such(rig, held):
    file_id = await learnt(rig)
    one = the_open(rig)
    await missed(rig, held, file_id)
    one.follow_sequence(1, replay=False)
    assert (one.requests, one.earlier_requests) == (0, 1)
    found = await send(rig, reading(rig, file_id, channel_sequence=1))
    evict(rig)
    found += await send(rig, reading(rig, file_id, 256 * KIB, channel_sequence=1))
    held.let_go()
    found += await rig.exchange()
    assert [answers(frame)[0].data for frame in found] == [PAGE] * 3
    assert (one.requests, one.earlier_requests, one.users) == (0, 0, 0)


async def test_opens_whose_reads_are_in_flight_stay_known(rig, held, disk):
    for number in range(MOST_OPENS + 1):
        (disk / str(number)).write_bytes(PAGE * 2)
    opens = [await rig.stage.open(str(number)) for number in range(MOST_OPENS + 1)]
    await begin(rig)
    for number, file_id in enumerate(opens[:-1]):
        count = len(held.calls)
        await send(rig, reading(rig, file_id))
        while len(held.calls) == count:
            evict(rig, str(number))
            await send(rig, reading(rig, file_id))
    known = [one.volatile_id for one in rig.quick._known]
    (reply,) = await send(rig, reading(rig, opens[-1], 4096))
    assert answers(reply)[0].data == PAGE
    assert [one.volatile_id for one in rig.quick._known] == known
    assert len(await the_rest(rig, held)) == MOST_OPENS


async def test_all_are_the_commands_as_soon_as_somebody_looks_on(rig, held):
    file_id = await learnt(rig)
    for _ in range(2):
        await missed(rig, held, file_id)
    listener = Listener()
    rig.stage.dispatch.observe((listener,))
    found = await the_rest(rig, held)
    assert [answer.data for answer in found] == [PAGE, PAGE]
    assert listener.told == [(READ, 0)] * 2


async def test_a_connection_that_is_lost_waits_for_its_threads(rig, held):
    file_id = await learnt(rig)
    await missed(rig, held, file_id)
    rig.client.close()
    await wait_all_tasks_blocked()
    assert rig.stage.dispatch.in_work == 1
    held.let_go()
    with trio.fail_after(240):
        await rig.stage.dispatch.end()
    assert rig.stage.dispatch.in_work == 0
    assert rig.transport._in_work == 0
