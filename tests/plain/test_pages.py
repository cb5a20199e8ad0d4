"""Long READs, which C passes from the page cache to the socket."""

import os
import socket

import pytest

from smbd.transport import Transport
from tests.commands.stage import asked
from tests.core import messages
from tests.core.messages import READ, answers
from tests.scripted.framing import framed

from .rig import a_folder, a_rig, begin
from .test_large import (
    LENGTH,
    ask,
    ask_each,
    content,
    learnt_guarded,
    send,
    the_frames,
    writing,
)

__all__ = ["asked"]

KIB = 1024


@pytest.fixture
def disk(monkeypatch):
    with a_folder(monkeypatch, a=b"".join(map(content, range(16)))) as folder:
        yield folder


@pytest.fixture(params=["tcp", "unix"])
async def rig(disk, request):
    async with a_rig(disk, native=True, tcp=request.param == "tcp") as found:
        yield found


def reading(rig, file_id, offset=0, length=LENGTH, **fields):
    charge = -(-length // 65536)
    request = rig.stage.peer.request
    return request(READ, messages.read(file_id, offset, length), charge=charge, asked=9, **fields)


async def learnt(rig, **how):
    """An open of which a long READ was answered."""
    rig.stage.settle(max_read=1 << 20, max_write=1 << 20)
    rig.window.high += 1000
    file_id = await rig.stage.open("a", **how)
    await begin(rig)
    (reply,) = await ask(rig, reading(rig, file_id))
    assert reply.data == content(0)
    return file_id


async def test_all_but_the_first_go_past_the_commands(rig, asked):
    file_id = await learnt(rig)
    asked.clear()
    before, available = rig.stage.engine.statistics(), rig.window.available
    replies = await ask_each(rig, *(reading(rig, file_id, n * LENGTH) for n in range(8)))
    assert [(one.command, one.status) for one in replies] == [(READ, 0)] * 8
    assert [one.data for one in replies] == [content(n) for n in range(8)]
    assert not asked
    told = rig.stage.engine.statistics().since(before)
    assert (told["hits"], told["reads"], told["bytes_read"]) == (8, 8, 8 * LENGTH)
    assert rig.window.available == available + 8 * (9 - LENGTH // 65536)
    (open_,) = rig.stage.service.tables.opens
    assert open_.position == 8 * LENGTH


async def test_what_the_socket_does_not_take_is_sent_later(disk, asked):
    async with a_rig(disk, native=True, tcp=True) as rig:
        rig.transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * KIB)
        rig.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
        file_id = await learnt(rig)
        for _ in range(4):
            replies = await ask(rig, *(reading(rig, file_id, n * LENGTH) for n in range(8)))
            assert [one.data for one in replies] == [content(n) for n in range(8)]


async def test_short_and_long_ones_are_answered_in_their_order(rig):
    file_id = await learnt(rig)
    lengths = [4 * KIB, LENGTH, 64 * KIB, LENGTH, LENGTH, 4 * KIB]
    replies = await ask(rig, *(reading(rig, file_id, n * LENGTH, m) for n, m in enumerate(lengths)))
    assert [one.data for one in replies] == [content(n)[:m] for n, m in enumerate(lengths)]


@pytest.mark.parametrize(
    ("offset", "length"), [(100, LENGTH), (0, LENGTH + 100), (15 * LENGTH + 4096, LENGTH)]
)
async def test_what_begins_or_ends_amid_a_page_is_copied(rig, asked, offset, length):
    file_id = await learnt(rig)
    asked.clear()
    (reply,) = await ask(rig, reading(rig, file_id, offset, length))
    whole = b"".join(map(content, range(16)))
    assert reply.data == whole[offset : offset + length]
    assert not asked


async def test_what_is_not_in_the_page_cache_is_the_commands(rig, disk, asked):
    file_id = await learnt(rig)
    fd = os.open(disk / "a", os.O_RDWR)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, LENGTH, LENGTH, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    asked.clear()
    (reply,) = await ask(rig, reading(rig, file_id, LENGTH))
    assert reply.data == content(1)


async def test_where_another_client_may_write_it_is_copied(rig, disk, asked):
    """It would see half of a WRITE, as the pages are the file's until they have arrived."""
    await rig.stage.open("a")
    file_id = await learnt(rig)
    asked.clear()
    await send(rig, framed(reading(rig, file_id)))
    with (disk / "a").open("r+b") as file:
        file.write(content(9))
    (frame,) = await the_frames(rig, 1)
    assert [one.data for one in answers(frame)] == [content(0)]
    assert not asked


async def test_its_own_writes_are_read(rig, asked):
    file_id = await learnt(rig)
    for turn in range(1, 4):
        await ask(rig, writing(rig, file_id, content(turn)))
        (reply,) = await ask(rig, reading(rig, file_id))
        assert reply.data == content(turn)


async def test_a_file_that_mincore_says_nothing_of_is_copied(rig, asked, monkeypatch):
    monkeypatch.setattr("aio.plain_calls.tells_the_truth", lambda _fd, _vector: False)
    file_id = await learnt(rig)
    asked.clear()
    replies = await ask_each(rig, *(reading(rig, file_id, n * LENGTH) for n in range(3)))
    assert [one.data for one in replies] == [content(n) for n in range(3)]
    assert not asked


@pytest.mark.parametrize("kind", ["signed", "sealed"])
async def test_what_is_protected_is_copied(rig, asked, kind):
    file_id, client = await learnt_guarded(rig, kind, reading)
    asked.clear()
    for turn in range(8):
        (reply,) = await client.ask(reading(rig, file_id, turn * LENGTH))
        assert reply.data == content(turn)
    assert not asked


async def test_more_than_the_messages_credits_pay_for_is_refused(rig):
    file_id, client = await learnt_guarded(rig, "sealed", reading)
    request = rig.stage.peer.request
    (reply,) = await client.ask(request(READ, messages.read(file_id, 0, LENGTH), charge=3, asked=9))
    assert reply.status == 0xC000000D


async def answered(disk, oddity, *, native):
    """What comes back for a long READ that is odd, and for one behind it."""
    async with a_rig(disk, native=native) as rig:
        file_id = await learnt(rig)
        at, bits = oddity
        odd = bytearray(reading(rig, file_id, LENGTH))
        odd[at] ^= bits
        found = await rig.ask(bytes(odd))
        if not rig.ended:
            found += await rig.ask(reading(rig, file_id, 2 * LENGTH))
        return found, rig.state


@pytest.mark.parametrize(
    "oddity",
    [(at, 0xFF) for at in (6, 8, 12, 14, 24, 32, 36, 40, *range(64, 113, 4), 66, 67, 79, 98)]
    + [(16, flag) for flag in (1, 2, 4, 8, 0x10)],
)
async def test_an_odd_one_is_answered_as_the_commands_do(disk, oddity):
    with_c, without = [await answered(disk, oddity, native=native) for native in (True, False)]
    assert with_c == without


async def test_its_turn_is_over_behind_each_where_others_wait(disk, asked, monkeypatch):
    """However quick it was: to send it takes as long as sixteen short ones.  C has all of them."""
    reader, writer = os.pipe()
    os.write(writer, b"x")
    turns, give_way = [], Transport._give_way

    def listening(transport, at):
        turns.append(at)
        return give_way(transport, at)

    monkeypatch.setattr(Transport, "_give_way", listening)
    async with a_rig(disk, native=True) as rig:
        file_id = await learnt(rig)
        asked.clear()
        rig.quick.burst.loop, rig.quick.burst.patience = reader, 0.0
        frames = [reading(rig, file_id, n * LENGTH) for n in range(4)]
        replies = await ask(rig, *frames)
    assert [one.data for one in replies] == [content(n) for n in range(4)]
    assert turns == [(len(frames[0]) + 4) * n for n in range(1, 5)]
    assert not asked
    os.close(reader)
    os.close(writer)
