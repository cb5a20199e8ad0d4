"""SET_INFO of times: each on its own, and a LastWriteTime that stays though more is written."""

import os
import time
from math import inf
from struct import pack, unpack_from

import pytest

from tests.commands.story import BASIC, client
from tests.core import messages
from tests.core.messages import CLOSE, QUERY_INFO

STOP, RESUME = -1, -2
LONG_AGO = 132_000_000_000_000_000
POSTQUERY = 1  # CLOSE's flag
READ_AND_SET = 0x120189  # data and attributes to read, attributes to write


def basic(creation=0, access=0, write=0, change=0, attributes=0):
    return pack("<qqqqII", creation, access, write, change, attributes, 0)


async def times(me, file):
    status, data = await me.query(file, BASIC)
    assert status == 0
    return unpack_from("<qqqq", data)


def write_through(path):
    """What a WRITE does to the file; the stage's engine writes nothing."""
    later = path.stat().st_mtime_ns + 5_000_000_000
    path.write_bytes(b"data")
    os.utime(path, ns=(later, later))


@pytest.mark.parametrize("place", range(4))
async def test_one_time_is_set_and_the_others_stay(tmp_path, mock_clock, place):
    async with client(tmp_path) as me:
        file = await me.open("a")
        before = await times(me, file)
        wanted = [0, 0, 0, 0]
        wanted[place] = LONG_AGO
        assert await me.set(file, BASIC, basic(*wanted)) == 0
        after = await times(me, file)
        assert after[place] == LONG_AGO
        # Of the others only ChangeTime may move: something has changed.
        for other in {0, 1, 2} - {place}:
            assert after[other] == before[other]


def filetime_of_now():
    return time.time_ns() // 100 + 116_444_736_000_000_000


@pytest.mark.parametrize(("seconds", "records"), [(0, 0), (0.5, 0), (-30, 1), (30, 1)])
async def test_a_change_time_of_now_is_the_kernel_s_own(tmp_path, mock_clock, seconds, records):
    """cifs.ko says it with each time that it sets: no record is to be left in each of its files."""
    async with client(tmp_path) as me:
        file = await me.open("a")
        later, took = int(10_000_000 * seconds), inf
        while took > 2_000_000:  # a fifth of a second: it was not now, on a busy machine
            now = filetime_of_now()
            wanted = basic(write=now, change=now + later)
            assert await me.set(file, BASIC, wanted) == 0
            took = filetime_of_now() - now
        _, _, write, change = await times(me, file)
        assert write == now
        assert abs(change - now - later) < 10_000_000
        assert len(os.listxattr(tmp_path / "a")) == records
        assert await me.set(file, BASIC, basic(change=now)) == 0
        assert (await times(me, file))[3] == now, "alone it is what is asked for"


async def test_a_whole_second_is_what_is_asked_for_though_it_is_this_one(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        second = filetime_of_now() // 10_000_000 * 10_000_000
        assert await me.set(file, BASIC, basic(write=second, change=second)) == 0
        assert (await times(me, file))[2:] == (second, second)


@pytest.mark.parametrize("first", [LONG_AGO, STOP])
async def test_a_write_time_that_was_set_stays_until_it_is_let_go(tmp_path, mock_clock, first):
    async with client(tmp_path) as me:
        file = await me.open("a")
        assert await me.set(file, BASIC, basic(write=first)) == 0
        kept = (await times(me, file))[2]
        write_through(tmp_path / "a")
        assert (await times(me, file))[2] == kept
        assert await me.set(file, BASIC, basic(write=RESUME)) == 0
        assert (await times(me, file))[2] == kept
        write_through(tmp_path / "a")
        assert (await times(me, file))[2] != kept


async def test_a_time_that_nothing_has_changed_costs_neither_query_nor_close_a_worker(
    tmp_path, mock_clock
):
    async with client(tmp_path) as me:
        await me.touch("a")
        file = await me.open("a", access=READ_AND_SET)
        await me.set(file, BASIC, basic(write=LONG_AGO))
        for command, body in (
            (QUERY_INFO, messages.query_info(file, BASIC)),
            (CLOSE, messages.close(file, POSTQUERY)),
        ):
            me.stage.ask(command, body)
            assert len(me.stage.wire.frames) == 1
            assert (await me.stage.answer()).status == 0


async def test_a_close_puts_the_time_back_that_its_handle_keeps(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        await me.set(file, BASIC, basic(write=LONG_AGO))
        write_through(tmp_path / "a")
        closed = await me.close(file, POSTQUERY)
        assert unpack_from("<Q", closed.raw, 64 + 24)[0] == LONG_AGO
        file = await me.open("a")
        assert (await times(me, file))[2] == LONG_AGO


async def test_what_others_wrote_meanwhile_shows(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        mine = await me.open("a")
        await me.set(mine, BASIC, basic(write=LONG_AGO))
        other = await me.open("a")
        write_through(tmp_path / "a")
        await me.close(other)
        assert (await times(me, mine))[2] > LONG_AGO
        await me.close(mine)
        file = await me.open("a")
        assert (await times(me, file))[2] > LONG_AGO


async def test_a_time_that_another_writer_could_change_is_not_kept(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        other = await me.open("a")
        mine = await me.open("a")
        await me.set(mine, BASIC, basic(write=LONG_AGO))
        await me.close(other)
        write_through(tmp_path / "a")
        assert (await times(me, mine))[2] > LONG_AGO
