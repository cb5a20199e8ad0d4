"""What C answers, and what it leaves to the commands."""

import logging
import os
import shutil
from pathlib import Path

import pytest
from trio.testing import wait_all_tasks_blocked

from smbd import burst, known_opens, misses
from smbd.native import BURST, MOST_OPENS, Native
from smbd.ntstatus import NtStatus
from smbd.turns import Turn
from tests.commands.stage import asked
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, ECHO, LOCK, READ, WRITE, answers
from tests.scripted.framing import framed

from .rig import a_folder, a_rig, begin, the_core

__all__ = ["asked"]

KIB = 1024


@pytest.fixture
def disk(monkeypatch):
    with a_folder(monkeypatch, a=bytes(range(256)) * 4096) as folder:
        yield folder


@pytest.fixture
async def rig(disk):
    async with a_rig(disk, native=True) as found:
        yield found


def reading(rig, file_id, offset=0, length=4096, **fields):
    return rig.stage.peer.request(READ, messages.read(file_id, offset, length), **fields)


def writing(rig, file_id, data, offset=0):
    return rig.stage.peer.request(WRITE, messages.write(file_id, data, offset))


async def learnt(rig, name="a"):
    """An open of which a READ and a WRITE were answered."""
    file_id = await rig.stage.open(name)
    await begin(rig)
    await rig.ask(reading(rig, file_id), writing(rig, file_id, bytes(range(256)) * 16))
    return file_id


async def test_all_but_the_first_of_an_open_are_answered_without_the_commands(rig, asked):
    file_id = await rig.stage.open("a")
    await begin(rig)
    asked.clear()
    replies = await rig.ask(*(reading(rig, file_id, place * 4096) for place in range(16)))
    assert len(asked) == 1
    assert [one.data for (one,) in map(answers, replies)] == [bytes(range(256)) * 16] * 16
    assert (await rig.ask(writing(rig, file_id, b"x" * 4096, 8192))) != []
    assert len(asked) == 2
    (reply,) = await rig.ask(writing(rig, file_id, b"y" * 4096, 4096))
    assert answers(reply)[0].status == 0
    (reply,) = await rig.ask(reading(rig, file_id, 4096, 8192))
    assert answers(reply)[0].data == b"y" * 4096 + b"x" * 4096
    assert len(asked) == 2


@pytest.mark.parametrize("others_wait", [False, True])
async def test_a_burst_gives_way_before_its_time_where_others_wait(rig, monkeypatch, others_wait):
    """The loop's descriptor says so: it is asked behind each call, as all of them take too long."""
    file_id, (reader, writer) = await learnt(rig), os.pipe()
    rig.quick.burst.loop, rig.quick.burst.patience = reader, -1.0
    if others_wait:
        os.write(writer, b"x")
    turns = []
    monkeypatch.setattr(Turn, "_count_round", lambda _, now: turns.append(now))
    replies = await rig.ask(*(reading(rig, file_id, place * 4096) for place in range(16)))
    assert [one.data for (one,) in map(answers, replies)] == [bytes(range(256)) * 16] * 16
    assert (len(turns) >= 8) == others_wait  # behind each, or a command has the next
    os.close(reader)
    os.close(writer)


async def created(rig, name, access=0x12019F, **wanted):
    """An open that came by the socket."""
    create = messages.create(name, access=access, **wanted)
    (reply,) = await rig.ask(rig.stage.peer.request(CREATE, create))
    (answer,) = answers(reply)
    assert answer.status == 0
    return answer.file_id


async def closed(rig, file_id):
    (reply,) = await rig.ask(rig.stage.peer.request(CLOSE, messages.close(file_id)))
    assert answers(reply)[0].status == 0


@pytest.fixture
async def of_files(disk):
    """A rig whose client has read one of several files."""
    for number in range(10):
        (disk / f"{number}").write_bytes(bytes([number]) * 4096)
    async with a_rig(disk, native=True) as rig:
        file_id = await rig.stage.open("0")
        await begin(rig)
        await rig.ask(reading(rig, file_id))
        yield rig


async def test_where_files_are_read_the_first_read_of_the_next_is_plain(of_files, asked):
    rig = of_files
    for number in range(1, 10):
        file_id = await created(rig, f"{number}")
        asked.clear()
        (reply,) = await rig.ask(reading(rig, file_id))
        assert answers(reply)[0].data == bytes([number]) * 4096
        assert not asked
        await closed(rig, file_id)


async def test_so_is_a_write_and_what_it_may_not_is_refused(of_files, asked):
    rig = of_files
    # The first tells that this file system does not keep writers waiting.
    await rig.ask(writing(rig, await created(rig, "3"), b"w" * 4096))
    file_id, by_reader = await created(rig, "1"), await created(rig, "2", access=0x120089)
    asked.clear()
    (reply,) = await rig.ask(writing(rig, file_id, b"w" * 4096))
    assert answers(reply)[0].status == 0
    assert not asked
    (reply,) = await rig.ask(writing(rig, by_reader, b"w" * 4096))
    assert answers(reply)[0].status == NtStatus.ACCESS_DENIED
    root = Path(rig.stage.root.absolute_path)
    assert (root / "1").read_bytes() == b"w" * 4096
    assert (root / "2").read_bytes() == b"\2" * 4096


async def test_a_closed_file_is_not_read(of_files):
    rig = of_files
    file_id = await created(rig, "1")
    await closed(rig, file_id)
    (reply,) = await rig.ask(reading(rig, file_id))
    assert answers(reply)[0].status == NtStatus.FILE_CLOSED


async def test_files_that_nobody_reads_are_soon_not_looked_at_in_advance(of_files, asked):
    rig = of_files
    opened = [await created(rig, f"{number}") for number in range(1, 10)]
    assert rig.answers_plainly == 1 + known_opens._MOST_IDLE
    asked.clear()
    await rig.ask(reading(rig, opened[-1]))
    assert len(asked) == 1
    await rig.ask(reading(rig, await created(rig, "1")))  # now the next are again
    assert [frame[12] for frame in asked] == [READ, CREATE]


async def test_credits_are_spent_and_granted_as_ever(rig):
    file_id = await learnt(rig)
    before = rig.window.available
    await rig.ask(*(reading(rig, file_id, asked=3) for _ in range(4)))
    assert rig.window.available == before + 8


async def test_bytes_and_hits_are_counted(rig):
    file_id = await learnt(rig)
    before = rig.stage.engine.statistics()
    await rig.ask(
        *(reading(rig, file_id) for _ in range(5)), writing(rig, file_id, bytes(8192), 4096)
    )
    told = rig.stage.engine.statistics().since(before)
    assert (told["hits"], told["reads"], told["bytes_read"]) == (5, 5, 5 * 4096)
    assert (told["writes"], told["writes_inline"], told["bytes_written"]) == (1, 1, 8192)
    (one,) = rig.stage.service.tables.opens
    assert one.position == 4096 + 8192
    assert one.unreported


async def test_a_frame_of_another_kind_is_in_its_place_among_them(rig, asked):
    file_id = await learnt(rig)
    asked.clear()
    frames = [reading(rig, file_id), reading(rig, file_id), rig.stage.peer.request(ECHO)]
    frames += [reading(rig, file_id, 4096), reading(rig, file_id)]
    replies = await rig.exchange(framed(*frames))
    assert [answers(one)[0].command for one in replies] == [READ, READ, ECHO, READ, READ]
    assert asked == [frames[2]]


@pytest.mark.parametrize("piece", [1, 3, 50, 116, 117, 200, 1000])
async def test_bytes_may_come_in_any_pieces(rig, piece):
    file_id = await learnt(rig)
    data = framed(*(reading(rig, file_id, place * 4096) for place in range(6)))
    replies = await rig.exchange(*(data[at : at + piece] for at in range(0, len(data), piece)))
    assert [answers(one)[0].data for one in replies] == [bytes(range(256)) * 16] * 6


async def test_more_opens_than_c_knows_are_answered_too(rig, disk):
    names = [f"file{number}" for number in range(MOST_OPENS + 4)]
    for name in names:
        (disk / name).write_bytes(name.encode() * 100)
    opens = {name: await rig.stage.open(name) for name in names}
    await begin(rig)
    for _ in range(3):
        replies = await rig.ask(*(reading(rig, one, length=100) for one in opens.values()))
        found = [answers(one)[0].data for one in replies]
        assert found == [(name.encode() * 100)[:100] for name in names]
    assert rig.answers_plainly == MOST_OPENS


async def test_a_lock_that_comes_in_the_same_burst_counts(rig):
    file_id = await learnt(rig)
    other = await _open_again(rig)
    lock = messages.lock(other, (0, 4096, messages.EXCLUSIVE | messages.FAIL_IMMEDIATELY))
    replies = await rig.ask(
        reading(rig, file_id), rig.stage.peer.request(LOCK, lock), reading(rig, file_id)
    )
    assert [answers(one)[0].status for one in replies] == [0, 0, 0xC0000054]


async def _open_again(rig):
    create = messages.create("a")
    (reply,) = await rig.ask(rig.stage.peer.request(messages.CREATE, create))
    return answers(reply)[0].file_id


async def test_replies_that_the_socket_does_not_take_leave_later(rig):
    file_id = await learnt(rig)
    frames = [reading(rig, file_id, length=64 * KIB) for _ in range(250)]
    for frame in frames:
        rig.client.sendall(framed(frame))
        await wait_all_tasks_blocked()
    assert rig.transport._unsent
    found = []
    while len(found) < len(frames):
        found += await rig.exchange()
    assert [answers(one)[0].data for one in found] == [bytes(range(256)) * 256] * len(frames)
    assert not rig.transport._unsent


async def test_replies_beyond_the_connections_memory_wait_for_their_room(rig):
    file_id = await learnt(rig)
    rig.stage.connection.memory.open(6 << 20)
    for _ in range(250):
        rig.client.sendall(framed(reading(rig, file_id, length=64 * KIB)))
        await wait_all_tasks_blocked()
    assert rig.transport.in_flight < 8 << 20
    found = []
    while len(found) < 250:
        found += await rig.exchange()


async def test_the_end_of_the_peer_ends_it(rig):
    file_id = await learnt(rig)
    await rig.exchange(framed(reading(rig, file_id)))
    rig.client.close()
    await wait_all_tasks_blocked()
    assert rig.ended


async def test_nothing_is_known_of_a_signed_connection(rig):
    """Its requests could not be answered; so it takes no memory."""
    rig.stage.session.signing_required = False
    file_id = await rig.stage.open("a")
    await begin(rig)
    await rig.ask(reading(rig, file_id, flags=messages.SIGNED))
    assert rig.quick is None


async def test_an_engine_that_does_not_probe_answers_by_itself(disk):
    async with a_rig(disk, native=True, engine="sync") as rig:
        file_id = await rig.stage.open("a")
        await begin(rig)
        await rig.ask(reading(rig, file_id), reading(rig, file_id))
        assert rig.quick is None


async def test_a_call_that_waited_is_told_to_the_engine(rig, monkeypatch):
    file_id = await learnt(rig)
    rig.quick.burst.slow = 0.0, 0.0, 0.0
    told = []
    monkeypatch.setattr(
        "aio.probe.Probe.plain_read_waited", lambda _, took, ended: told.append(took < ended)
    )
    monkeypatch.setattr(
        "aio.probe.Probe.plain_write_waited",
        lambda _, _fd, length, took, ended: told.append((length, took < ended)),
    )
    await rig.ask(reading(rig, file_id), reading(rig, file_id))
    await rig.ask(writing(rig, file_id, bytes(8192)))
    assert told[0] is True
    assert told[-1] == (8192, True)


async def test_a_call_at_work_on_the_file_keeps_writes_out_of_the_loop(rig, asked):
    file_id = await learnt(rig)
    (one,) = rig.stage.service.tables.opens
    inode = rig.stage.engine._files[one.file.fd].inode
    asked.clear()
    with inode.at_work(exclusive=True):
        await rig.ask(writing(rig, file_id, bytes(4096)))
        assert len(asked) == 1
    await rig.ask(writing(rig, file_id, bytes(4096)))
    assert len(asked) == 1


async def test_a_part_of_a_page_is_written_where_the_file_has_nothing_of_it(rig, asked, disk):
    (disk / "a").write_bytes(b"")
    file_id = await rig.stage.open("a")
    await begin(rig)
    await rig.ask(writing(rig, file_id, b"x"))
    asked.clear()
    for data, offset, by_commands in (
        (b"y" * 10, 0, True),  # over what is there: the page may have to be read
        (b"y" * 4086, 10, True),  # amid a page
        (b"z" * 100, 4096, False),  # the next page
        (b"z" * 100, 12288, True),  # behind a gap in one that was begun
        (b"z" * 5000, 16384, True),
    ):
        (reply,) = await rig.ask(writing(rig, file_id, data, offset))
        assert answers(reply)[0].status == 0
        assert (len(asked) == 1) is by_commands, offset
        asked.clear()
    expected = b"y" * 4096 + b"z" * 100 + bytes(12288 - 4196) + b"z" * 100
    assert (disk / "a").read_bytes() == expected + bytes(16384 - 12388) + b"z" * 5000


@pytest.mark.parametrize(("level", "by_c"), [(9, True), (1, False)], ids=["batch", "level II"])
async def test_who_alone_may_cache_a_file_writes_without_the_commands(rig, asked, level, by_c):
    file_id = await rig.stage.open("a", oplock=level)
    await begin(rig)
    await rig.ask(writing(rig, file_id, bytes(4096)))
    if not by_c:  # its own write takes it, and the next one would find nothing
        other = await created(rig, "a", oplock=level)
        await rig.ask(writing(rig, other, bytes(4096)))
        await created(rig, "a", oplock=level)
    asked.clear()
    await rig.ask(writing(rig, file_id, bytes(4096)))
    assert (not asked) is by_c


def test_both_languages_lay_the_state_out_alike():
    core = the_core()
    at = core.ffi.offsetof
    assert at("struct burst", "at") == burst.STATE_AT
    assert at("struct burst", "made") == burst.CALL.size
    assert at("struct burst", "out") == burst.STATE_AT + burst.STATE.size
    assert at("struct fast_open", "flush") == burst.DONE.size - 8  # its first
    last, following = at("struct fast_open", "last_position"), at("struct fast_open", "session_id")
    assert following - last == misses._FINISHED.size


def test_without_c_the_log_says_why(monkeypatch, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(BURST, "_loaded", None)  # and as it was, after the test
    native = Native()
    native.load()
    assert native.core is None
    assert caplog.messages == [
        "READ and WRITE without C: no C compiler (cc, gcc or clang) to build it with"
    ]


def test_the_environment_keeps_c_away(monkeypatch):
    monkeypatch.setenv("AIO_EXTENSIONS", "off")
    monkeypatch.setattr(Native, "load", lambda _: pytest.fail("it was loaded"))
    Native().start()
