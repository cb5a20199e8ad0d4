"""What is checked is still so when it is done: each story holds a worker between the two."""

import os
from struct import pack

import pytest

from smbd.ntstatus import NtStatus
from tests.commands.stage import on_stage
from tests.commands.test_renaming import LINK, RENAME, target
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, DELETE_ON_CLOSE, SET_INFO

OPEN, CREATE_NEW, OPEN_IF, OVERWRITE, OVERWRITE_IF = 1, 2, 3, 4, 5
DIRECTORY = 1
DISPOSITION = 13


class Held:
    """Requests of which the next one's worker is held: before it acts, or (early) after that."""

    def __init__(self, stage):
        self.stage = stage

    async def ask(self, command, body, *, early=False, calls=1):
        """Send a request, whose last of `calls` calls of a worker is held."""
        workers = self.stage.calls
        before = len(workers.held)
        workers.holding, workers.early = True, early
        self.stage.ask(command, body)
        for _ in range(calls - 1):
            assert await self.stage.answers() == []
            workers.held[-1].finish()
        assert await self.stage.answers() == []
        assert len(workers.held) == before + calls
        workers.holding = False
        return workers.held[-1]

    async def create(self, name, *, early=True, **wanted):
        return await self.ask(CREATE, messages.create(name, **wanted), early=early)

    async def rename(self, file_id, name, kind=RENAME, **wanted):
        """A rename or link that has been looked at and checked, and is about to be done."""
        value = target(name, replace=True)
        return await self.ask(SET_INFO, messages.set_info(file_id, kind, value), calls=2, **wanted)

    async def answered(self, call):
        """The answers that come when a held call goes on."""
        call.finish()
        return [(one.command, one.status) for one in await self.stage.answers()]


async def status(stage, command, body):
    stage.ask(command, body)
    return (await stage.answer()).status


@pytest.mark.parametrize(("name", "disposition"), [("A", OPEN_IF), ("a", OVERWRITE_IF)])
async def test_a_create_whose_file_is_deleted_before_it_is_entered_makes_another(
    tmp_path, mock_clock, name, disposition
):
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        deleted = await stage.open("a", options=DELETE_ON_CLOSE)
        create = await held.create(name, disposition=disposition)
        assert await status(stage, CLOSE, messages.close(deleted)) == 0
        assert not (tmp_path / "a").exists()
        assert await held.answered(create) == [(CREATE, 0)]
        (one,) = stage.service.tables.opens
        assert one.file.inode == (tmp_path / name).stat().st_ino, "a file with a name"


async def test_an_open_whose_file_is_deleted_before_it_is_entered_finds_none(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        deleted = await stage.open("a", options=DELETE_ON_CLOSE)
        create = await held.create("a", disposition=OVERWRITE)
        assert await status(stage, CLOSE, messages.close(deleted)) == 0
        assert await held.answered(create) == [(CREATE, NtStatus.OBJECT_NAME_NOT_FOUND)]


async def test_a_new_file_that_others_delete_before_it_is_entered_is_made_again(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        other = await stage.open("other", options=DELETE_ON_CLOSE)
        create = await held.create("a", disposition=CREATE_NEW)
        # Nobody can open it before it is whole, but another file can take its place.
        over = messages.set_info(other, RENAME, target("a", replace=True))
        assert await status(stage, SET_INFO, over) == 0
        assert await status(stage, CLOSE, messages.close(other)) == 0
        assert not (tmp_path / "a").exists()
        assert await held.answered(create) == [(CREATE, 0)]
        assert (tmp_path / "a").exists()


async def test_a_create_that_comes_while_a_worker_deletes_gets_no_dying_file(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        deleted = await stage.open("a", options=DELETE_ON_CLOSE)
        create = await held.create("a", disposition=OVERWRITE_IF)
        close = await held.ask(CLOSE, messages.close(deleted))
        create.finish()
        assert await stage.answers() == [], "it waits"
        assert sorted(await held.answered(close)) == [(CREATE, 0), (CLOSE, 0)]
        assert (tmp_path / "a").exists()


@pytest.mark.parametrize("kind", [RENAME, LINK])
async def test_nothing_is_replaced_that_somebody_opens_before_it_is_done(
    tmp_path, mock_clock, kind
):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "source").write_bytes(b"new")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        source = await stage.open("source", disposition=OPEN)
        rename = await held.rename(source, "target", kind)
        stage.ask(CREATE, messages.create("target", disposition=OPEN, share=0))
        assert await stage.answers() == [], "it waits for the end of the rename"
        assert (tmp_path / "target").read_bytes() == b"old"
        rename.finish()
        renamed, opened = await stage.answers()
        assert (renamed.command, renamed.status) == (SET_INFO, 0)
        # The source's open shares everything, but the new one shares nothing.
        assert (opened.command, opened.status) == (CREATE, NtStatus.SHARING_VIOLATION)
        assert (tmp_path / "target").read_bytes() == b"new"


async def test_a_create_that_has_opened_what_is_then_replaced_opens_what_replaces_it(
    tmp_path, mock_clock
):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "source").write_bytes(b"new")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        source = await stage.open("source", disposition=OPEN)
        create = await held.create("TARGET", disposition=OPEN)
        rename = target("target", replace=True)
        assert await status(stage, SET_INFO, messages.set_info(source, RENAME, rename)) == 0
        assert await held.answered(create) == [(CREATE, 0)]
        inodes = {one.file.inode for one in stage.service.tables.opens}
        assert inodes == {(tmp_path / "target").stat().st_ino}


async def test_a_target_that_was_opened_first_is_not_replaced(tmp_path, mock_clock):
    (tmp_path / "target").write_bytes(b"old")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        source = await stage.open("source")
        value = messages.set_info(source, RENAME, target("target", replace=True))
        look = await held.ask(SET_INFO, value, early=True)
        await stage.open("target", disposition=OPEN, share=0)
        assert await held.answered(look) == [(SET_INFO, NtStatus.ACCESS_DENIED)]
        assert (tmp_path / "target").read_bytes() == b"old"


@pytest.mark.parametrize("kind", [RENAME, LINK])
async def test_a_target_that_has_become_another_file_is_looked_at_again(tmp_path, mock_clock, kind):
    (tmp_path / "target").write_bytes(b"old")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        source = await stage.open("source")
        rename = await held.rename(source, "target", kind)
        (tmp_path / "target").unlink()
        (tmp_path / "another").touch()  # lest the inode be the same
        (tmp_path / "target").write_bytes(b"somebody else's")
        (tmp_path / "target").chmod(0o444)
        assert await held.answered(rename) == [(SET_INFO, NtStatus.ACCESS_DENIED)]
        assert (tmp_path / "target").read_bytes() == b"somebody else's"


async def test_a_target_that_becomes_readonly_at_the_last_moment_stays(tmp_path, mock_clock):
    (tmp_path / "target").write_bytes(b"old")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        source = await stage.open("source")
        rename = await held.rename(source, "target")
        (tmp_path / "target").chmod(0o444)
        assert await held.answered(rename) == [(SET_INFO, NtStatus.ACCESS_DENIED)]
        assert (tmp_path / "target").read_bytes() == b"old"


async def test_a_free_name_that_is_taken_at_the_last_moment_is_looked_at_again(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        source = await stage.open("source")
        rename = await held.rename(source, "target")
        await stage.open("target", share=0)
        assert await held.answered(rename) == [(SET_INFO, NtStatus.ACCESS_DENIED)]
        assert (tmp_path / "source").exists()


async def test_two_renames_of_one_name_come_one_after_the_other(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        first, second = await stage.open("a"), await stage.open("a")
        rename = await held.rename(first, "b")
        stage.ask(SET_INFO, messages.set_info(second, RENAME, target("c")))
        assert await stage.answers() == []
        assert await held.answered(rename) == [(SET_INFO, 0), (SET_INFO, 0)]
        assert [one.name for one in tmp_path.iterdir()] == ["c"]
        assert {one.file.path for one in stage.service.tables.opens} == {"c"}


async def test_a_close_that_deletes_waits_for_a_rename_and_deletes_the_new_name(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        file = await stage.open("a", options=DELETE_ON_CLOSE)
        rename = await held.rename(file, "b")
        stage.ask(CLOSE, messages.close(file))
        assert await stage.answers() == []
        assert sorted(await held.answered(rename)) == [(CLOSE, 0), (SET_INFO, 0)]
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    (tmp_path / "dir" / "sub" / "file").write_bytes(b"data")
    (tmp_path / "way").symlink_to("dir/sub")
    return tmp_path


@pytest.mark.parametrize("path", ["dir\\sub\\file", "way\\file"])
async def test_nothing_is_opened_in_a_folder_while_that_is_renamed(tree, mock_clock, path):
    async with on_stage(tree) as stage:
        held = Held(stage)
        folder = await stage.open("dir", options=DIRECTORY)
        rename = await held.rename(folder, "moved")
        stage.ask(CREATE, messages.create(path, disposition=OPEN))
        assert await stage.answers() == []
        rename.finish()
        renamed, opened = await stage.answers()
        assert (renamed.command, renamed.status) == (SET_INFO, 0)
        assert (opened.command, opened.status) == (CREATE, NtStatus.OBJECT_PATH_NOT_FOUND)


@pytest.mark.parametrize("path", ["dir\\sub\\FILE", "way\\FILE"])
async def test_an_open_that_a_rename_of_the_folder_overtakes_finds_the_path_gone(
    tree, mock_clock, path
):
    async with on_stage(tree) as stage:
        held = Held(stage)
        folder = await stage.open("dir", options=DIRECTORY)
        create = await held.create(path, disposition=OPEN)
        rename = messages.set_info(folder, RENAME, target("moved"))
        assert await status(stage, SET_INFO, rename) == 0
        assert await held.answered(create) == [(CREATE, NtStatus.OBJECT_PATH_NOT_FOUND)]


async def test_a_file_made_in_a_folder_that_moves_is_known_by_its_new_path(tree, mock_clock):
    async with on_stage(tree) as stage:
        held = Held(stage)
        folder = await stage.open("dir", options=DIRECTORY)
        create = await held.create("dir\\sub\\new", disposition=CREATE_NEW)
        rename = messages.set_info(folder, RENAME, target("moved"))
        assert await status(stage, SET_INFO, rename) == 0
        assert await held.answered(create) == [(CREATE, 0)]
        paths = {one.file.path for one in stage.service.tables.opens}
        assert paths == {"moved", "moved/sub/new"}


async def test_a_rename_into_a_folder_waits_for_the_folders_own(tree, mock_clock):
    async with on_stage(tree) as stage:
        held = Held(stage)
        folder, file = await stage.open("dir", options=DIRECTORY), await stage.open("a")
        rename = await held.rename(folder, "moved")
        stage.ask(SET_INFO, messages.set_info(file, RENAME, target("dir\\sub\\a")))
        assert await stage.answers() == []
        assert await held.answered(rename) == [
            (SET_INFO, 0),
            (SET_INFO, NtStatus.OBJECT_PATH_NOT_FOUND),
        ]


async def test_nothing_is_made_in_a_folder_between_the_look_and_the_mark(tmp_path, mock_clock):
    (tmp_path / "dir").mkdir()
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        folder = await stage.open("dir", options=DIRECTORY)
        mark = await held.ask(SET_INFO, messages.set_info(folder, DISPOSITION, b"\1"), early=True)
        stage.ask(CREATE, messages.create("dir\\new", disposition=CREATE_NEW))
        assert await stage.answers() == []
        assert await held.answered(mark) == [(SET_INFO, 0), (CREATE, NtStatus.DELETE_PENDING)]
        assert await status(stage, CLOSE, messages.close(folder)) == 0
        assert not (tmp_path / "dir").exists()


@pytest.mark.parametrize("kind", [RENAME, LINK])
async def test_nothing_is_moved_into_a_folder_that_waits_for_its_deletion(
    tmp_path, mock_clock, kind
):
    (tmp_path / "dir").mkdir()
    async with on_stage(tmp_path) as stage:
        file, folder = await stage.open("a"), await stage.open("dir", options=DIRECTORY)
        assert await status(stage, SET_INFO, messages.set_info(folder, DISPOSITION, b"\1")) == 0
        moved = messages.set_info(file, kind, target("dir\\a"))
        assert await status(stage, SET_INFO, moved) == NtStatus.DELETE_PENDING
        created = messages.create("dir\\b", options=DIRECTORY)
        assert await status(stage, CREATE, created) == NtStatus.DELETE_PENDING
        assert list((tmp_path / "dir").iterdir()) == []


async def test_a_mark_waits_for_what_is_on_its_way_into_the_folder(tmp_path, mock_clock):
    (tmp_path / "dir").mkdir()
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        rename = await held.rename(await stage.open("a"), "dir\\a")
        folder = await stage.open("dir", options=DIRECTORY)
        stage.ask(SET_INFO, messages.set_info(folder, DISPOSITION, b"\1"))
        assert await stage.answers() == []
        assert await held.answered(rename) == [
            (SET_INFO, 0),
            (SET_INFO, NtStatus.DIRECTORY_NOT_EMPTY),
        ]


async def test_who_shares_no_writing_is_not_overwritten_beneath(tmp_path, mock_clock):
    (tmp_path / "a").write_bytes(b"data")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        body = messages.create("a", disposition=OVERWRITE, access=0x80)
        overwrite = await held.ask(CREATE, body, calls=2)
        stage.ask(CREATE, messages.create("a", disposition=OPEN, share=1, access=1))
        assert await stage.answers() == [], "until it is overwritten nobody reads it"
        assert await held.answered(overwrite) == [(CREATE, 0), (CREATE, 0)]


async def test_a_file_of_another_name_is_opened_while_a_name_of_it_is_deleted(tmp_path, mock_clock):
    (tmp_path / "a").write_bytes(b"data")
    os.link(tmp_path / "a", tmp_path / "b")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        deleted = await stage.open("a", disposition=OPEN, options=DELETE_ON_CLOSE)
        close = await held.ask(CLOSE, messages.close(deleted))
        stage.ask(CREATE, messages.create("b", disposition=OPEN))
        assert sorted(await held.answered(close)) == [(CREATE, 0), (CLOSE, 0)]
        assert (tmp_path / "b").read_bytes() == b"data"


class Counted:
    """A share's workers, whose calls are counted."""

    def __init__(self, workers):
        self.workers = workers
        self.calls = 0

    def run_for(self, *args):
        self.calls += 1
        return self.workers.run_for(*args)

    run_long = run_for


@pytest.mark.parametrize("disposition", [OPEN_IF, OVERWRITE_IF])
async def test_many_who_make_or_overwrite_one_name_at_once_cost_each_its_own(
    tmp_path, mock_clock, disposition
):
    async with on_stage(tmp_path) as stage:
        counted = stage.share.workers = Counted(stage.calls)
        body = messages.create("a", disposition=disposition)
        stage.burst(*(stage.peer.request(CREATE, body) for _ in range(60)))
        answers = await stage.answers()
        assert [one.status for one in answers] == [0] * 60
        assert counted.calls <= 2 * 60, "to open, and to overwrite"


async def test_many_changes_of_one_file_at_once_cost_each_its_own_and_hold_up_no_open(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        file = await stage.open("a")
        counted = stage.share.workers = Counted(stage.calls)
        names = [messages.set_info(file, RENAME, target(f"b{number}")) for number in range(30)]
        basic = messages.set_info(file, 4, pack("<QQQQII", 0, 0, 0, 0, 2, 0))
        frames = [(SET_INFO, body) for body in [*names, *[basic] * 30]]
        stage.burst(*(stage.peer.request(*frame) for frame in frames))
        assert [one.status for one in await stage.answers()] == [0] * 60
        assert counted.calls <= 30 * 2 + 30
        assert len(list(tmp_path.iterdir())) == 1


async def test_what_waits_in_a_queue_goes_when_its_connection_does(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        await held.create("a")
        for _ in range(3):
            stage.ask(CREATE, messages.create("a"))
        assert await stage.answers() == []
    assert not stage.service.tables.files.queues
    assert stage.service.tables.files.changes.flights == {}
