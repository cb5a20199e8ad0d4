"""Renames and hard links: what the folder that takes the new name has to say."""

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from tests.commands.story import DIRECTORY, client
from tests.core.messages import DELETE

RENAME, LINK = 10, 11
READ, WRITE, SHARE_DELETE = 1, 2, 4  # ShareAccess


def target(name, *, replace=False):
    raw = name.encode("utf-16-le")
    return bytes([replace]) + bytes(15) + len(raw).to_bytes(4, "little") + raw


async def test_a_folder_that_somebody_may_delete_takes_no_new_name(tmp_path, mock_clock):
    (tmp_path / "dir").mkdir()
    async with client(tmp_path) as me:
        file = await me.open("dir\\a", share=0)
        folder = await me.open("dir", access=DELETE, options=DIRECTORY)
        for kind in (RENAME, LINK):
            status = await me.set(file, kind, target("dir\\b"))
            assert status == NtStatus.SHARING_VIOLATION
        await me.close(folder)
        assert await me.set(file, RENAME, target("dir\\b")) == 0


async def test_who_shares_no_writing_in_a_folder_keeps_its_names(tmp_path, mock_clock):
    (tmp_path / "dir").mkdir()
    listing = Access.FILE_LIST_DIRECTORY
    async with client(tmp_path) as me:
        file = await me.open("a")
        folder = await me.open("dir", access=listing, share=READ | SHARE_DELETE, options=DIRECTORY)
        assert await me.set(file, RENAME, target("dir\\a")) == NtStatus.SHARING_VIOLATION
        await me.close(folder)
        # An open for attributes alone takes part in no share mode.
        await me.open("dir", access=Access.FILE_READ_ATTRIBUTES, share=0, options=DIRECTORY)
        await me.open("dir", access=listing, share=READ | WRITE, options=DIRECTORY)
        assert await me.set(file, RENAME, target("dir\\a")) == 0


async def test_a_target_that_cannot_be(tmp_path, mock_clock):
    (tmp_path / "dir").mkdir()
    (tmp_path / "there").touch()
    (tmp_path / "readonly").touch()
    (tmp_path / "readonly").chmod(0o444)
    async with client(tmp_path) as me:
        file = await me.open("a")
        held = await me.open("held")
        for name, replace, status in (
            ("none\\a", False, NtStatus.OBJECT_PATH_NOT_FOUND),
            ("none\\inner\\a", False, NtStatus.OBJECT_PATH_NOT_FOUND),
            ("there\\a", False, NtStatus.OBJECT_PATH_NOT_FOUND),
            ("there", False, NtStatus.OBJECT_NAME_COLLISION),
            ("THERE", False, NtStatus.OBJECT_NAME_COLLISION),
            ("dir", True, NtStatus.ACCESS_DENIED),
            ("readonly", True, NtStatus.ACCESS_DENIED),
            ("held", True, NtStatus.ACCESS_DENIED),
            ("", False, NtStatus.OBJECT_NAME_INVALID),
            ("b:stream", False, NtStatus.OBJECT_NAME_INVALID),
        ):
            assert await me.set(file, RENAME, target(name, replace=replace)) == status, name
        await me.close(held)
        assert await me.set(file, RENAME, target("held", replace=True)) == 0
        assert await me.set(file, RENAME, target("HELD")) == 0
        assert sorted(one.name for one in tmp_path.iterdir()) == [
            "HELD",
            "dir",
            "readonly",
            "there",
        ]


async def test_a_rename_takes_the_right_to_delete(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        await me.touch("a")
        file = await me.open("a", access=Access.GENERIC_WRITE)
        assert await me.set(file, RENAME, target("b")) == NtStatus.ACCESS_DENIED
        assert await me.set(file, LINK, target("b")) == 0
        assert (tmp_path / "b").samefile(tmp_path / "a")
