"""A file with several names: a deletion is of one name, share modes and locks are the file's."""

import os
from struct import unpack_from

import pytest

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from tests.commands.story import OPEN, client
from tests.commands.test_renaming import LINK, RENAME, target
from tests.core.messages import DELETE, DELETE_ON_CLOSE

DISPOSITION, STANDARD = 13, 5
READ = Access.FILE_READ_DATA
HOWEVER = [("disposition", 0), ("on close", DELETE_ON_CLOSE)]


@pytest.fixture
def folder(tmp_path):
    """Two hard links of one file, a symbolic link to it, and a folder by two names."""
    (tmp_path / "old").write_bytes(b"data")
    os.link(tmp_path / "old", tmp_path / "new")
    (tmp_path / "symbolic").symlink_to("old")
    (tmp_path / "dir").mkdir()
    (tmp_path / "way").symlink_to("dir")
    (tmp_path / "dir" / "inner").write_bytes(b"inner")
    return tmp_path


async def delete(me, name, how):
    """Delete by name, as a client does: in the one way or the other; the handle is closed."""
    opened = await me.open(name, access=DELETE, options=dict(HOWEVER)[how], disposition=OPEN)
    if how == "disposition":
        assert await me.set(opened, DISPOSITION, b"\1") == 0
    await me.close(opened)


async def standard(me, file_id):
    """(NumberOfLinks, DeletePending)."""
    status, data = await me.query(file_id, STANDARD)
    assert status == 0
    return unpack_from("<IB", data, 16)


@pytest.mark.parametrize("how", dict(HOWEVER))
@pytest.mark.parametrize(("open_name", "deleted"), [("new", "old"), ("old", "new")])
async def test_one_of_two_names_is_deleted_while_the_other_is_open(
    folder, mock_clock, how, open_name, deleted
):
    async with client(folder) as me:
        held = await me.open(open_name, disposition=OPEN)
        await delete(me, deleted, how)
        assert not (folder / deleted).exists()
        assert (folder / open_name).exists()
        assert await me.status_of_open(open_name, READ) == 0
        assert await me.status_of_open(deleted, READ) == NtStatus.OBJECT_NAME_NOT_FOUND
        await me.close(held)
        assert (folder / open_name).read_bytes() == b"data"


@pytest.mark.parametrize("how", dict(HOWEVER))
async def test_a_symbolic_link_is_deleted_while_its_target_is_open(folder, mock_clock, how):
    async with client(folder) as me:
        held = await me.open("old", disposition=OPEN)
        await delete(me, "symbolic", how)
        assert not (folder / "symbolic").is_symlink()
        assert (folder / "old").exists()
        await me.close(held)
        assert (folder / "old").read_bytes() == b"data"


@pytest.mark.parametrize("how", dict(HOWEVER))
async def test_the_target_is_deleted_while_its_symbolic_link_is_open(folder, mock_clock, how):
    (folder / "new").unlink()
    async with client(folder) as me:
        held = await me.open("symbolic", disposition=OPEN)
        await delete(me, "old", how)
        assert not (folder / "old").exists()
        await me.close(held)
        assert (folder / "symbolic").is_symlink()


async def test_a_symbolic_link_to_a_folder_goes_alone(folder, mock_clock):
    async with client(folder) as me:
        await delete(me, "way", "disposition")
        assert not (folder / "way").is_symlink()
        assert (folder / "dir" / "inner").read_bytes() == b"inner"


async def test_a_name_waits_for_those_who_opened_it_by_that_name(folder, mock_clock):
    async with client(folder) as me:
        by_old = await me.open("old", disposition=OPEN, access=READ)
        by_new = await me.open("new", disposition=OPEN, access=READ)
        await delete(me, "old", "disposition")
        assert await me.status_of_open("old", READ) == NtStatus.DELETE_PENDING
        assert await me.status_of_open("OLD", READ) == NtStatus.DELETE_PENDING
        assert await me.status_of_open("new", READ) == 0
        await me.close(by_new)
        assert (folder / "old").exists()
        await me.close(by_old)
        assert not (folder / "old").exists()
        assert (folder / "new").read_bytes() == b"data"


async def test_a_file_reached_through_a_symbolic_link_to_its_folder_has_one_name(
    folder, mock_clock
):
    async with client(folder) as me:
        by_way = await me.open("way\\inner", disposition=OPEN, access=READ)
        await delete(me, "dir\\inner", "disposition")
        assert (folder / "dir" / "inner").exists()
        assert await me.status_of_open("way\\inner", READ) == NtStatus.DELETE_PENDING
        await me.close(by_way)
        assert not (folder / "dir" / "inner").exists()
        os.link(folder / "old", folder / "dir" / "third")
        by_way = await me.open("way\\third", disposition=OPEN, access=READ)
        await delete(me, "dir\\third", "disposition")
        assert (folder / "dir" / "third").exists(), "of three hard links, the same one"
        await me.close(by_way)
        assert not (folder / "dir" / "third").exists()


async def test_share_modes_are_asked_whatever_the_name(folder, mock_clock):
    async with client(folder) as me:
        await me.open("old", disposition=OPEN, share=0)
        for name in ("new", "symbolic"):
            assert await me.status_of_open(name, READ) == NtStatus.SHARING_VIOLATION


async def test_queries_tell_of_the_links_that_stay_and_of_ones_own_mark(folder, mock_clock):
    async with client(folder) as me:
        old = await me.open("old", disposition=OPEN)
        new = await me.open("new", disposition=OPEN)
        symbolic = await me.open("symbolic", disposition=OPEN)
        assert await standard(me, new) == (2, False)
        assert await me.set(symbolic, DISPOSITION, b"\1") == 0
        assert await standard(me, symbolic) == (2, True)
        assert await me.set(old, DISPOSITION, b"\1") == 0
        assert await standard(me, old) == (1, True)
        assert await standard(me, new) == (1, False)
        assert await me.set(new, DISPOSITION, b"\1") == 0
        assert await standard(me, new) == (0, True)
        (folder / "new").unlink()
        (folder / "old").unlink()
        assert await standard(me, new) == (0, True), "removed behind our back: never below none"
        assert await me.set(new, DISPOSITION, b"\0") == 0
        assert await standard(me, new) == (0, False)


@pytest.mark.parametrize("kind", [RENAME, LINK])
async def test_a_name_marked_for_deletion_gets_no_other_name(folder, mock_clock, kind):
    async with client(folder) as me:
        old = await me.open("old", disposition=OPEN)
        new = await me.open("new", disposition=OPEN)
        assert await me.set(old, DISPOSITION, b"\1") == 0
        assert await me.set(old, kind, target("third")) == NtStatus.ACCESS_DENIED
        assert await me.set(new, kind, target("third")) == 0
        assert await me.set(new, kind, target("old", replace=True)) == NtStatus.ACCESS_DENIED
        await me.close(old)
        assert not (folder / "old").exists()
        assert (folder / "third").read_bytes() == b"data"


async def test_a_rename_moves_the_one_name_and_all_who_opened_it_by_that(folder, mock_clock):
    async with client(folder) as me:
        mover, by_old = [await me.open("old", disposition=OPEN) for _ in range(2)]
        by_new = await me.open("new", disposition=OPEN)
        assert await me.set(mover, RENAME, target("moved")) == 0
        await me.close(mover)
        assert await me.set(by_old, DISPOSITION, b"\1") == 0
        assert await me.status_of_open("moved", READ) == NtStatus.DELETE_PENDING
        assert await me.status_of_open("new", READ) == 0
        await me.close(by_old)
        await me.close(by_new)
        assert sorted(one.name for one in folder.iterdir() if one.is_file()) == ["new"]


async def test_a_name_may_be_replaced_while_the_file_is_open_by_another_name(folder, mock_clock):
    (folder / "third").write_bytes(b"third")
    async with client(folder) as me:
        by_new = await me.open("new", disposition=OPEN)
        third = await me.open("third", disposition=OPEN)
        assert await me.set(third, RENAME, target("new", replace=True)) == NtStatus.ACCESS_DENIED
        assert await me.set(third, RENAME, target("old", replace=True)) == 0
        assert (folder / "old").read_bytes() == b"third"
        assert (folder / "new").read_bytes() == b"data"
        await me.close(by_new)


async def test_two_names_renamed_to_one_are_one(folder, mock_clock):
    async with client(folder) as me:
        old = await me.open("old", disposition=OPEN)
        new = await me.open("new", disposition=OPEN)
        assert await me.set(old, RENAME, target("new", replace=True)) == 0
        assert not (folder / "old").exists()
        assert await me.set(old, DISPOSITION, b"\1") == 0
        assert await standard(me, new) == (0, True)
        await me.close(old)
        assert (folder / "new").exists()
        await me.close(new)
        assert not (folder / "new").exists()


def test_two_names_renamed_to_one_are_one_to_another_share_too(folder):
    with (
        vfs.Root(folder) as mine,
        vfs.Root(folder) as others,
        mine.open("old", read=True, write=False) as old,
        others.open("new", read=True, write=False) as new,
    ):
        assert not new.is_by_link_of(old)
        mine.rename(old, "new", replace=True)
        assert new.is_by_link_of(old)
        with others.open("new", read=True, write=False) as later:
            assert old.is_by_link_of(later)
