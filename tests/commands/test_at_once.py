"""What the loop does with names and records in the burst that asks for it."""

import os
from struct import pack
from types import SimpleNamespace

import pytest

from smbd.ntstatus import NtStatus
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, DELETE_ON_CLOSE, RELATED, SET_INFO, WRITE

CREATE_NEW, OPEN, OPEN_IF, OVERWRITE_IF = 2, 1, 3, 5
DIRECTORY = 1
# An EA that servers keep to themselves.
REFUSED = [(b"ExtA", pack("<IBBH", 0, 0, 9, 1) + b"DOSATTRIB\0x")]
BASIC, RENAME, DISPOSITION, END_OF_FILE = 4, 10, 13, 20
THEN = 132_000_000_000_000_000
THEN_NS = (THEN - 116_444_736_000_000_000) * 100


def basic(write):
    return b"".join(number.to_bytes(8, "little") for number in (0, 0, write, 0, 0))


def names(folder):
    return sorted(one.name for one in folder.iterdir())


async def known(stage, folder=""):
    """A worker has read the folder."""
    stage.ask(CREATE, messages.create(f"{folder}known", disposition=OPEN_IF))
    file_id = (await stage.answer()).file_id
    stage.ask(CLOSE, messages.close(file_id))
    await stage.answer()
    stage.calls.holding = True


@pytest.mark.parametrize("disposition", [CREATE_NEW, OPEN_IF, OVERWRITE_IF])
async def test_a_file_is_made_in_the_burst_that_asks_for_it(tmp_path, disposition):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        stage.ask(CREATE, messages.create("new", disposition=disposition))
        assert len(stage.wire.frames) == 1
        answer = await stage.answer()
        assert answer.status == 0
        assert int.from_bytes(answer.body[4:8], "little") == 2  # FILE_CREATED
        assert (tmp_path / "new").exists()
        assert not stage.calls.held


async def test_a_file_is_made_and_deleted_in_one_burst(tmp_path):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        create = messages.create("new", disposition=CREATE_NEW, options=DELETE_ON_CLOSE)
        previous = messages.PREVIOUS_FILE
        parts = (CREATE, create), (CLOSE, messages.close(previous))
        stage.burst(stage.peer.compound(*parts, flags=RELATED))
        assert [one.status for one in await stage.answers()] == [0, 0]
        assert not stage.calls.held
        assert names(tmp_path) == ["known"]


async def test_the_name_is_free_as_soon_as_it_is_removed(tmp_path):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        for spelling in ("new", "NEW", "New"):
            create = messages.create(spelling, disposition=CREATE_NEW, options=DELETE_ON_CLOSE)
            stage.ask(CREATE, create)
            stage.ask(CLOSE, messages.close((await stage.answer()).file_id))
            assert (await stage.answer()).status == 0
        assert not stage.calls.held


async def test_what_is_there_in_another_spelling_is_not_made_again(tmp_path):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        await stage.open("new", disposition=CREATE_NEW)
        stage.calls.holding = False
        stage.ask(CREATE, messages.create("NEW", disposition=CREATE_NEW))
        assert (await stage.answer()).status == NtStatus.OBJECT_NAME_COLLISION
        assert names(tmp_path) == ["known", "new"]


async def test_a_file_that_cannot_get_what_it_came_with_is_gone_again(tmp_path):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        stage.ask(CREATE, messages.create("new", disposition=CREATE_NEW, contexts=REFUSED))
        assert len(stage.wire.frames) == 1
        assert (await stage.answer()).status != 0
        stage.ask(CREATE, messages.create("new", disposition=CREATE_NEW))
        assert (await stage.answer()).status == 0
        assert not stage.calls.held


async def test_nothing_is_left_in_a_folder_that_waits_for_its_deletion(tmp_path):
    (tmp_path / "folder").mkdir()
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage, "folder\\")
        stage.calls.holding = False
        (tmp_path / "folder" / "known").unlink()
        doomed = {"options": DIRECTORY | DELETE_ON_CLOSE, "disposition": OPEN, "access": 0x10000}
        file_id = await stage.open("folder", **doomed)
        await stage.open("folder", options=DIRECTORY, disposition=OPEN, access=0x80)
        stage.ask(CLOSE, messages.close(file_id))  # now it waits for the other one
        await stage.answer()
        stage.calls.holding = False
        stage.ask(CREATE, messages.create("folder\\new", disposition=CREATE_NEW))
        assert (await stage.answer()).status == NtStatus.DELETE_PENDING
        assert names(tmp_path / "folder") == []


async def test_a_create_that_a_worker_has_just_opened_looks_again(tmp_path):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        create = messages.create("new", disposition=CREATE_NEW, options=DELETE_ON_CLOSE, share=7)
        stage.ask(CREATE, create)
        file_id = (await stage.answer()).file_id
        stage.calls.early = True
        # In a worker, since it is found in another spelling only.
        stage.ask(CREATE, messages.create("NEW", disposition=OPEN, access=0x80))
        assert await stage.answers() == []
        stage.calls.holding = False
        stage.ask(CLOSE, messages.close(file_id))
        assert [one.command for one in await stage.answers()] == [CLOSE]
        stage.calls.held[0].finish()
        assert (await stage.answer()).status == NtStatus.OBJECT_NAME_NOT_FOUND


@pytest.mark.parametrize("what", ["large", "linked", "moved"])
async def test_a_worker_removes_what_is_large_or_not_as_it_was(tmp_path, what):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        create = messages.create("new", disposition=CREATE_NEW, options=DELETE_ON_CLOSE)
        stage.ask(CREATE, create)
        file_id = (await stage.answer()).file_id
        if what == "large":
            (tmp_path / "new").write_bytes(bytes(2 << 20))
        elif what == "linked":
            os.link(tmp_path / "new", tmp_path / "other")
        else:
            (tmp_path / "new").rename(tmp_path / "moved")
        stage.ask(CLOSE, messages.close(file_id))
        assert await stage.answers() == []
        assert [call.name for call in stage.calls.held] == ["delete"]
        stage.calls.holding = False
        stage.calls.held[0].finish()
        assert (await stage.answer()).status == 0
        assert not (tmp_path / "new").exists()


async def test_a_file_that_is_in_use_is_removed_behind_that(tmp_path):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        create = messages.create("new", disposition=CREATE_NEW, options=DELETE_ON_CLOSE)
        stage.ask(CREATE, create)
        file_id = (await stage.answer()).file_id
        stage.ask(WRITE, messages.write(file_id, b"data"))
        await stage.answers()
        stage.calls.holding = False
        stage.ask(CLOSE, messages.close(file_id))
        assert [one.command for one in await stage.answers()] == [CLOSE]
        stage.engine.held[0].finish()
        assert [one.command for one in await stage.answers()] == [WRITE]


@pytest.mark.parametrize("by_the_handle", [True, False])
async def test_times_are_set_and_kept_in_their_burst(tmp_path, monkeypatch, by_the_handle):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        stage.ask(CREATE, messages.create("new", disposition=CREATE_NEW))
        file_id = (await stage.answer()).file_id
        stage.ask(SET_INFO, messages.set_info(file_id, BASIC, basic(THEN)))
        assert (await stage.answer()).status == 0
        if by_the_handle:  # what it writes leaves the time alone
            monkeypatch.setattr(stage.engine, "try_write", os.pwrite)
            stage.ask(WRITE, messages.write(file_id, b"data"))
            assert (await stage.answer()).status == 0
        else:
            (tmp_path / "new").write_bytes(b"data")
        assert (tmp_path / "new").stat().st_mtime_ns != THEN_NS
        stage.ask(CLOSE, messages.close(file_id, flags=1))
        answer = await stage.answer()
        assert answer.status == 0
        assert int.from_bytes(answer.body[24:32], "little") == THEN
        assert (tmp_path / "new").stat().st_mtime_ns == THEN_NS
        assert not stage.calls.held


async def test_times_that_cannot_be_set_are_refused_in_their_burst(tmp_path):
    (tmp_path / "file").touch()
    async with on_stage(tmp_path, at_once=True) as stage:
        file_id = await stage.open("file", disposition=OPEN)
        stage.calls.holding = True
        temporary_folder = bytes(32) + (0x10).to_bytes(8, "little")
        stage.ask(SET_INFO, messages.set_info(file_id, BASIC, temporary_folder))
        assert (await stage.answer()).status == NtStatus.INVALID_PARAMETER


async def test_the_size_that_it_has_is_no_change(tmp_path):
    (tmp_path / "file").write_bytes(b"data")
    os.utime(tmp_path / "file", ns=(THEN_NS, THEN_NS))
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("file", disposition=OPEN)
        stage.calls.holding = True
        for size, answered in ((4, True), (3, False)):
            size_data = size.to_bytes(8, "little")
            stage.ask(SET_INFO, messages.set_info(file_id, END_OF_FILE, size_data))
            assert len(stage.wire.frames) == answered
            assert len(await stage.answers()) == answered
            assert (tmp_path / "file").stat().st_mtime_ns == THEN_NS
        assert [call.name for call in stage.calls.held] == ["set_end_of_file"]


async def test_a_mark_for_deletion_is_set_taken_off_and_obeyed_in_the_burst(tmp_path):
    async with on_stage(tmp_path, at_once=True) as stage:
        await known(stage)
        stage.ask(CREATE, messages.create("new", disposition=CREATE_NEW))
        file_id = (await stage.answer()).file_id
        for mark in (b"\1", b"\0", b"\1"):
            stage.ask(SET_INFO, messages.set_info(file_id, DISPOSITION, mark))
            assert (await stage.answer()).status == 0
        stage.ask(CLOSE, messages.close(file_id))
        assert (await stage.answer()).status == 0
        assert not stage.calls.held
        assert names(tmp_path) == ["known"]


async def test_a_read_only_file_is_not_marked(tmp_path):
    (tmp_path / "file").touch(mode=0o444)
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("file", disposition=OPEN, access=0x10000)
        stage.ask(SET_INFO, messages.set_info(file_id, DISPOSITION, b"\1"))
        assert (await stage.answer()).status == NtStatus.CANNOT_DELETE


async def test_a_mark_waits_for_a_change_of_the_same_file(tmp_path):
    (tmp_path / "file").touch()
    async with on_stage(tmp_path, at_once=True) as stage:
        file_id = await stage.open("file", disposition=OPEN)
        stage.calls.holding = True
        new = bytes(16) + (2).to_bytes(4, "little") + "b".encode("utf-16-le") + bytes(4)
        stage.ask(SET_INFO, messages.set_info(file_id, RENAME, new))
        await stage.answers()
        for info_class, data in ((DISPOSITION, b"\1"), (BASIC, basic(THEN))):
            stage.ask(SET_INFO, messages.set_info(file_id, info_class, data))
            assert await stage.answers() == []
        stage.calls.holding = False
        stage.calls.held[0].finish()
        assert [one.status for one in await stage.answers()] == [0, 0, 0]


async def test_a_record_on_the_disk_is_a_worker_s_but_a_durable_handle_has_none(tmp_path):
    async with on_stage(tmp_path, at_once=True) as stage:
        file_id = await stage.open("file", disposition=CREATE_NEW)
        (open_,) = stage.service.tables.opens
        stage.service.records = object()
        for persistent, answered in ((False, True), (True, False)):
            open_.durable = SimpleNamespace(persistent=persistent)
            stage.ask(SET_INFO, messages.set_info(file_id, DISPOSITION, b"\0"))
            assert len(stage.wire.frames) == answered
            open_.durable = None
            assert [one.status for one in await stage.answers()] == [0]
