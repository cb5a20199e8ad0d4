"""QUERY_DIRECTORY: a scan gives each entry once, whatever happens to the folder meanwhile."""

import pytest
from trio.testing import wait_all_tasks_blocked

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from tests.commands.story import DIRECTORY, client, names
from tests.core import messages
from tests.core.messages import QUERY_DIRECTORY

RESTART, SINGLE, INDEX, REOPEN = 1, 2, 4, 16
DOTS = [".", ".."]
THREE = 96  # bytes: room for three entries of FileNamesInformation with names this short


async def scan(me, folder, pattern="*", **wanted):
    """All names until the end, request by request; the status that ended it."""
    found = []
    while True:
        status, some = await me.list(folder, pattern, **wanted)
        if status:
            return found, status
        found += some


async def test_every_entry_comes_once_and_then_there_are_no_more(tmp_path, mock_clock):
    expected = [f"f{number:03}" for number in range(300)]
    for name in expected:
        (tmp_path / name).touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        for length in (64, THREE, 1000, 65536):
            found, status = await scan(me, folder, length=length)
            assert status == NtStatus.NO_MORE_FILES
            assert sorted(found) == DOTS + expected
            assert await me.list(folder) == (NtStatus.NO_MORE_FILES, [])
            await me.close(folder)
            folder = await me.open("", options=DIRECTORY)


async def test_a_folder_that_changes_loses_and_repeats_nothing_that_stays(tmp_path, mock_clock):
    stays = [f"stay{number}" for number in range(40)]
    goes = [f"goes{number}" for number in range(40)]
    for name in stays + goes:
        (tmp_path / name).touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        found = []
        for step in range(1000):
            status, some = await me.list(folder, length=THREE)
            if status:
                break
            found += some
            if goes:
                (tmp_path / goes.pop()).unlink()
            (tmp_path / f"new{step}").touch()
        assert status == NtStatus.NO_MORE_FILES
        assert len(found) == len(set(found))
        assert set(stays) <= set(found)


async def test_a_restart_sees_what_is_new(tmp_path, mock_clock):
    (tmp_path / "a").touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        assert await me.list(folder) == (0, [*DOTS, "a"])
        (tmp_path / "b").touch()
        assert await me.list(folder) == (NtStatus.NO_MORE_FILES, [])
        for flag in (RESTART, REOPEN):
            status, found = await me.list(folder, flags=flag)
            assert (status, sorted(found)) == (0, [*DOTS, "a", "b"])


async def test_a_pattern_holds_for_the_scan_and_a_restart_may_bring_another(tmp_path, mock_clock):
    for name in ("a.txt", "b.txt", "c.doc"):
        (tmp_path / name).touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        status, first = await me.list(folder, "*.TXT", flags=SINGLE)
        assert status == 0
        status, second = await me.list(folder, "*.doc", flags=SINGLE)
        assert status == 0
        assert sorted(first + second) == ["a.txt", "b.txt"]
        assert await me.list(folder, "*.doc", flags=RESTART) == (0, ["c.doc"])
        assert await me.list(folder, "", flags=RESTART) == (0, ["c.doc"])


async def test_one_entry_at_a_time(tmp_path, mock_clock):
    (tmp_path / "a").touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        for expected in (".", "..", "a"):
            assert await me.list(folder, flags=SINGLE) == (0, [expected])
        assert await me.list(folder, flags=SINGLE) == (NtStatus.NO_MORE_FILES, [])


async def test_an_index_says_nothing_as_on_ntfs(tmp_path, mock_clock):
    for name in "abc":
        (tmp_path / name).touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        found = [(await me.list(folder, flags=SINGLE | INDEX))[1][0] for _ in range(5)]
        assert sorted(found) == [*DOTS, *"abc"]


async def test_of_a_pattern_that_no_name_can_match_little_is_kept(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        (opened,) = me.stage.service.tables.opens
        before = opened.memory.size
        for flags in (RESTART, 0, RESTART):
            assert (await me.list(folder, "\u0101" * 30_000, flags=flags))[0] != 0
            assert opened.enumeration is None or len(opened.enumeration.pattern) < 300
        assert before < opened.memory.size < before + 1024


async def test_nothing_that_matches(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        for pattern in ("*.txt", "nothing", "a/b", "x" * 300):
            status, _ = await me.list(folder, pattern, flags=RESTART)
            assert status in {NtStatus.NO_SUCH_FILE, NtStatus.OBJECT_NAME_INVALID}
        await me.close(folder)
        await me.touch("dir", options=DIRECTORY)
        folder = await me.open("dir", options=DIRECTORY)
        assert await me.list(folder) == (0, DOTS)


@pytest.mark.parametrize("pattern", ["Mixed.TXT", "mixed.txt", "MIXED.TXT", "Mixed<TXT"])
async def test_a_name_is_found_in_any_spelling(tmp_path, mock_clock, pattern):
    (tmp_path / "Mixed.TXT").touch()
    (tmp_path / "other").touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        assert await me.list(folder, pattern) == (0, ["Mixed.TXT"])


async def test_an_asterisk_on_disk_is_found_by_its_name_on_the_wire(tmp_path, mock_clock):
    (tmp_path / "a*b").touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        assert await me.list(folder, "a\uf021b") == (0, ["a\uf021b"])
        assert await me.list(folder, "a?b", flags=RESTART) == (0, ["a\uf021b"])


async def test_too_little_room_for_the_next_entry(tmp_path, mock_clock):
    (tmp_path / ("long" * 20)).touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        mismatch = NtStatus.INFO_LENGTH_MISMATCH
        assert await me.list(folder, "l*", length=100) == (mismatch, [])
        assert await me.list(folder, "l*", length=200) == (0, ["long" * 20])


async def test_two_requests_at_once_share_one_scan(tmp_path, mock_clock):
    expected = [f"f{number:02}" for number in range(20)]
    for name in expected:
        (tmp_path / name).touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        me.stage.calls.holding = True
        for _ in range(8):
            me.stage.ask(QUERY_DIRECTORY, messages.query_directory(folder, length=THREE))
        done = 0
        while done < len(me.stage.calls.held):
            me.stage.calls.held[done].finish()
            done += 1
            await wait_all_tasks_blocked()
        me.stage.calls.holding = False
        answers = [one for one in await me.stage.answers() if one.status == 0]
        found = [name for answer in answers for name in names(answer.output)]
        assert len(found) == len(set(found))
        assert sorted(found) == DOTS + expected


async def test_that_there_are_no_more_needs_no_worker(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        assert await me.list(folder) == (0, DOTS)
        me.stage.calls.holding = True
        for flags in (0, SINGLE):
            assert await me.list(folder, flags=flags) == (NtStatus.NO_MORE_FILES, [])
        me.stage.calls.holding = False
        assert await me.list(folder, flags=RESTART) == (0, DOTS)


async def test_behind_a_restart_in_flight_there_are_more(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        assert await me.list(folder) == (0, DOTS)
        me.stage.calls.holding = True
        for flags in (RESTART | SINGLE, 0):
            me.stage.ask(QUERY_DIRECTORY, messages.query_directory(folder, flags=flags))
            await wait_all_tasks_blocked()
        (restart,) = me.stage.calls.held
        me.stage.calls.holding = False
        restart.finish()
        answers = sorted(await me.stage.answers(), key=lambda one: one.message_id)
        assert [names(one.output) for one in answers] == [["."], [".."]]


async def test_a_restart_that_has_too_little_room_has_begun_all_the_same(tmp_path, mock_clock):
    (tmp_path / ("long" * 20)).touch()
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        assert await me.list(folder, "l*") == (0, ["long" * 20])
        mismatch = NtStatus.INFO_LENGTH_MISMATCH
        assert await me.list(folder, "l*", length=100, flags=RESTART) == (mismatch, [])
        assert await me.list(folder, "l*") == (0, ["long" * 20])


async def test_only_what_fits_is_looked_up(tmp_path, mock_clock, monkeypatch):
    for number in range(300):
        (tmp_path / f"{number:03}\U0001f600").touch()  # longer in UTF-16 than its letters
    looked_up, look = [], vfs.entries
    monkeypatch.setattr(
        "smbd.vfs.entries", lambda folder, some: looked_up.extend(some) or look(folder, some)
    )
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        found, _ = await scan(me, folder, length=4096)
    assert len(found) == len(set(found)) == 302
    requests = 302 // (4096 // 24) + 1
    assert len(looked_up) <= 302 + requests * 20
    looked_up.clear()
    for number in range(300):
        (tmp_path / f"{number:03}\U0001f600").rename(tmp_path / f"{number:05}")
    async with client(tmp_path) as me:
        folder = await me.open("", options=DIRECTORY)
        found, _ = await scan(me, folder, length=4096)
    assert len(looked_up) == len(found) == 302


async def test_what_cannot_be_scanned(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        assert (await me.list(file))[0] == NtStatus.INVALID_PARAMETER
        folder = await me.open("", options=DIRECTORY, access=Access.FILE_READ_ATTRIBUTES)
        assert (await me.list(folder))[0] == NtStatus.ACCESS_DENIED
        folder = await me.open("", options=DIRECTORY)
        assert (await me.list(folder, info_class=99))[0] == NtStatus.INVALID_INFO_CLASS
