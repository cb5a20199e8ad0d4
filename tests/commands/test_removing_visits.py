"""Compounds that open a file to delete it, and close it, as rm does: one act without an Open."""

import tempfile
from math import inf
from pathlib import Path
from struct import pack_into
from unittest.mock import patch

import pytest

from smbd.ntstatus import NtStatus, ProtocolError
from smbd.vfs.at_once import AtOnce
from smbd.vfs.place import Place
from tests.commands.stage import asked, on_stage
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    DELETE,
    DELETE_ON_CLOSE,
    FILE_OPEN,
    PREVIOUS_FILE,
)

__all__ = ["asked"]

READS, DIRECTORY = 0x120089, 1
MANY = [f"file {number}" for number in range(40)]


@pytest.fixture
def disk(monkeypatch):
    monkeypatch.setattr("smbd.vfs.Root.SLOW_OPEN", inf)  # whatever this machine does
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        for one in ("known", "first", *MANY):
            (folder / one).write_bytes(b"data")
        yield folder


@pytest.fixture
async def stage(disk):
    async with on_stage(disk, at_once=True) as stage:
        if not stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        file_id = await stage.open("known")  # a worker reads the folder
        stage.ask(CLOSE, messages.close(file_id))
        await stage.answer()
        assert [one.status for one in await removed(stage, "first")] == [0, 0]
        yield stage


def removal(name, flags=0):
    create = messages.create(
        name, access=DELETE, disposition=FILE_OPEN, options=DELETE_ON_CLOSE, share=7
    )
    return (CREATE, create), (CLOSE, messages.close(PREVIOUS_FILE, flags))


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def removed(stage, name, **how):
    stage.burst(stage.peer.related(*removal(name, **how)))
    return await stage.answers()


async def visited(stage, asked, **how):
    """What is answered for one of MANY, as a visit: others may rename something on this machine."""
    for name in MANY:
        if (stage.root.path / name).exists():
            asked.clear()
            found = await removed(stage, name, **how)
            if not asked:
                return name, found
    raise AssertionError("the commands were asked each time")


async def test_a_small_file_that_nobody_has_open_is_gone_with_the_answer(stage, disk, asked):
    count = descriptors()
    name, found = await visited(stage, asked)
    assert [one.status for one in found] == [0, 0]
    assert not (disk / name).exists()
    assert descriptors() == count
    stage.ask(CLOSE, messages.close(found[0].file_id))
    assert (await stage.answer()).status == NtStatus.FILE_CLOSED
    stage.ask(CREATE, messages.create(name.upper(), disposition=2, options=DELETE_ON_CLOSE))
    assert (await stage.answer()).status == 0  # in any spelling the name is free


async def test_its_answers_are_those_of_the_commands(stage, disk, asked):
    by_commands = await removed(stage, "file 0", flags=1)
    assert asked
    _, found = await visited(stage, asked, flags=1)
    for one, other in zip(found, by_commands, strict=True):
        assert one.body[:8] == other.body[:8]
        assert one.body[40:64] == other.body[40:64]  # sizes and attributes; the times are its own
        assert len(one.body) == len(other.body)


async def test_who_watches_the_folder_is_told(stage, asked):
    folder = await stage.open("", access=READS, options=DIRECTORY, share=7)
    for name in MANY:  # until it is a visit: the commands' removal is told too, and ends the watch
        stage.ask(CHANGE_NOTIFY, messages.change_notify(folder))
        await stage.answers()
        asked.clear()
        heard = [one for one in await removed(stage, name) if one.command == CHANGE_NOTIFY]
        (told,) = [one for one in heard if one.status != NtStatus.PENDING]  # which may come late
        assert name.encode("utf-16-le") in told.raw
        if not asked:
            return
    pytest.fail("the commands were asked each time")


@pytest.mark.parametrize("held", [{"share": 7}, {"share": 3}])
async def test_what_somebody_has_open_is_left_to_the_commands(stage, disk, asked, held):
    await visited(stage, asked)
    file_id = await stage.open("known", access=READS, disposition=FILE_OPEN, **held)
    statuses = [one.status for one in await removed(stage, "known")]
    refused = held["share"] == 3
    assert statuses == ([NtStatus.SHARING_VIOLATION] * 2 if refused else [0, 0])
    assert (disk / "known").exists()
    stage.ask(CREATE, messages.create("known", access=0x80, disposition=FILE_OPEN))
    again = await stage.answer()
    assert again.status == (0 if refused else NtStatus.DELETE_PENDING)
    stage.ask(CLOSE, messages.close(file_id))
    await stage.answer()


@pytest.mark.parametrize("what", ["large", "linked", "read-only", "folder", "gone"])
async def test_what_is_no_small_file_is_left_to_the_commands(stage, disk, asked, what):
    await visited(stage, asked)
    path, expected = disk / "other", [0, 0]
    if what == "large":
        path.write_bytes(bytes(2 << 20))
    elif what == "linked":
        path.write_bytes(b"")
        (disk / "another").hardlink_to(path)
    elif what == "read-only":
        path.touch(mode=0o444)
        expected = [NtStatus.CANNOT_DELETE] * 2
    elif what == "folder":
        path.mkdir()
    else:
        expected = [NtStatus.OBJECT_NAME_NOT_FOUND] * 2
    asked.clear()
    assert [one.status for one in await removed(stage, "other")] == expected
    assert asked
    assert path.exists() == (what == "read-only")


async def test_an_unlink_that_fails_is_left_to_the_commands(stage, disk, asked, monkeypatch):
    await visited(stage, asked)

    def fail(_place):
        raise OSError(30, "read-only")

    monkeypatch.setattr(Place, "remove_at_once", fail)
    asked.clear()
    assert [one.status for one in await removed(stage, "file 39")] == [0, 0]
    assert asked
    assert (disk / "file 39").exists()


async def test_nothing_is_removed_where_the_loop_may_not_change_names(
    stage, disk, asked, monkeypatch
):
    await visited(stage, asked)
    # The stage's own is back before the stage ends, which restores what there was before it.
    with patch.object(AtOnce, "admits", lambda *_: False):
        stage.calls.holding = True
        stage.burst(stage.peer.related(*removal("file 39")))
        assert await stage.answers() == []
        assert (disk / "file 39").exists()
        stage.calls.holding = False
        for held in stage.calls.held:
            held.finish()
        assert [one.status for one in await stage.answers()] == [0, 0]
        assert not (disk / "file 39").exists()


async def test_a_message_id_that_came_before_removes_nothing(stage, disk, asked):
    await visited(stage, asked)
    frame = bytearray(stage.peer.related(*removal("file 39")))
    for at in (0, int.from_bytes(frame[20:24], "little")):
        pack_into("<Q", frame, at + 24, int.from_bytes(frame[at + 24 : at + 32], "little") - 2)
    with pytest.raises(ProtocolError):
        stage.burst(bytes(frame))
    assert (disk / "file 39").exists()
