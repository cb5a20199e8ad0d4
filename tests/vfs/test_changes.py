"""Creating, renaming, linking and removing."""

import errno
import os
import stat
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.vfs import changes
from smbd.vfs.index import DirectoryIndex
from tests.vfs.conftest import content, names_in, read, refused, stat_of


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_can_be_written_and_read(root: vfs.Root, share: Path) -> None:
    with root.create("new.txt", directory=False) as file:
        os.pwrite(file.fd, b"data", 0)
        assert content(file) == b"data"
        assert (file.path, file.is_directory, file.writable) == ("new.txt", False, True)
        status = (share / "new.txt").stat()
        assert file.identity == (status.st_dev, status.st_ino)
    assert not stat.S_IMODE(status.st_mode) & 0o111


def test_a_new_folder_can_be_filled_and_listed(root: vfs.Root) -> None:
    with root.create("dir", directory=True) as folder:
        assert folder.is_directory
        assert vfs.is_empty(folder)
        root.create("dir/file", directory=False).close()
        assert names_in(folder) == ["file"]
        assert not vfs.is_empty(folder)


def test_what_is_made_or_moved_by_way_of_a_symbolic_link_says_where_it_is(
    root: vfs.Root, share: Path
) -> None:
    real = share.resolve()
    (share / "dir").mkdir()
    (share / "way").symlink_to("dir")
    with root.create("way/new", directory=False) as made:
        assert made.absolute_path == f"{real}/dir/new"
        root.rename(made, "plain", replace=False)
        assert made.absolute_path == f"{real}/plain"
        root.rename(made, "way/again", replace=False)
        assert made.absolute_path == f"{real}/dir/again"


def test_rename_moves_and_the_file_follows(root: vfs.Root, share: Path) -> None:
    (share / "dir").mkdir()
    (share / "file").write_text("data")
    with root.open("file", read=True, write=False) as file:
        root.rename(file, "DIR/renamed", replace=False)
        assert file.path == "dir/renamed"
        assert content(file) == b"data"
        root.remove(file)
    assert _names(share) == ["dir"]


def test_rename_replaces_only_when_told_to(root: vfs.Root, share: Path) -> None:
    (share / "new").write_text("new")
    (share / "Old").write_text("old")
    with stat_of(root, "new") as file:
        for spelling in ("Old", "oLD"):
            with refused(NtStatus.OBJECT_NAME_COLLISION):
                root.rename(file, spelling, replace=False)
        root.rename(file, "oLD", replace=True)
        assert file.path == "oLD"
    assert _names(share) == ["oLD"]
    assert read(root, "old") == b"new"


def test_a_rename_may_change_only_the_case(root: vfs.Root, share: Path) -> None:
    (share / "Name").write_text("data")
    (share / "Dir").mkdir()
    for old, new in (("Name", "nAME"), ("Dir", "dIR")):
        for replace in (False, True):
            with stat_of(root, old) as file:
                root.rename(file, new, replace=replace)
                assert file.path == new
                root.rename(file, new, replace=replace)
                root.rename(file, old, replace=replace)
    assert _names(share) == ["Dir", "Name"]


def test_folders_neither_replace_nor_are_replaced(root: vfs.Root, share: Path) -> None:
    (share / "dir").mkdir()
    (share / "empty").mkdir()
    (share / "file").touch()
    with stat_of(root, "file") as file, stat_of(root, "dir") as folder:
        with refused(NtStatus.ACCESS_DENIED):
            root.rename(file, "empty", replace=True)
        with refused(NtStatus.ACCESS_DENIED):
            root.rename(folder, "empty", replace=True)
        with refused(NtStatus.ACCESS_DENIED):
            root.rename(folder, "file", replace=True)
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            root.rename(folder, "empty", replace=False)
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            root.rename(folder, "", replace=True)
    assert _names(share) == ["dir", "empty", "file"]


def test_a_folder_cannot_move_into_itself(root: vfs.Root, share: Path) -> None:
    (share / "dir" / "sub").mkdir(parents=True)
    with stat_of(root, "dir") as folder:
        with refused(NtStatus.INVALID_PARAMETER):
            root.rename(folder, "dir/sub/dir", replace=False)
        with refused(NtStatus.OBJECT_PATH_NOT_FOUND):
            root.rename(folder, "missing/dir", replace=False)
    with stat_of(root, "") as top, refused(NtStatus.ACCESS_DENIED):
        root.rename(top, "elsewhere", replace=False)


def test_open_files_below_a_renamed_folder_find_their_new_place(
    root: vfs.Root, share: Path
) -> None:
    (share / "dir" / "sub").mkdir(parents=True)
    (share / "dir" / "sub" / "file").write_text("x")
    (share / "dir" / "other").write_text("x")
    with (
        stat_of(root, "dir") as folder,
        stat_of(root, "dir/sub/file") as file,
        stat_of(root, "dir/other") as other,
    ):
        root.rename(folder, "moved", replace=False)
        root.refresh(file)
        assert file.path == "moved/sub/file"
        root.rename(file, "moved/up", replace=False)
        root.remove(other)
    assert _names(share / "moved") == ["sub", "up"]


def test_a_name_that_became_another_files_is_left_alone(root: vfs.Root, share: Path) -> None:
    (share / "name").write_text("mine")
    with root.open("name", read=True, write=False) as file:
        (share / "name").unlink()
        (share / "name").write_text("somebody else's")
        for attempt in (
            lambda: root.remove(file),
            lambda: root.rename(file, "other", replace=False),
            lambda: root.link(file, "other", replace=False),
            lambda: root.refresh(file),
        ):
            with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
                attempt()
        assert content(file) == b"mine"
    assert (share / "name").read_text() == "somebody else's"


def test_a_file_moved_out_of_the_share_is_out_of_reach(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    with stat_of(root, "file") as file:
        (share / "file").rename(share.parent / "file")
        with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
            root.remove(file)
    assert (share.parent / "file").exists()


def test_remove_takes_files_links_and_empty_folders(root: vfs.Root, share: Path) -> None:
    (share / "full").mkdir()
    (share / "full" / "file").write_text("kept")
    (share / "link").symlink_to("full/file")
    (share / "folder-link").symlink_to("full")
    (share / "empty").mkdir()
    with stat_of(root, "full") as folder, refused(NtStatus.DIRECTORY_NOT_EMPTY):
        root.remove(folder)
    for path in ("link", "folder-link", "empty"):
        with stat_of(root, path) as file:
            root.remove(file)
    with stat_of(root, "") as top, refused(NtStatus.ACCESS_DENIED):
        root.remove(top)
    assert _names(share) == ["full"]
    assert read(root, "full/file") == b"kept"


def test_hard_links(root: vfs.Root, share: Path) -> None:
    (share / "file").write_text("data")
    (share / "Other").write_text("other")
    (share / "dir").mkdir()
    with stat_of(root, "file") as file, stat_of(root, "dir") as folder:
        root.link(file, "dir/link", replace=False)
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            root.link(file, "OTHER", replace=False)
        root.link(file, "OTHER", replace=True)
        root.link(file, "other", replace=True)
        assert vfs.information(file).number_of_links == 3
        with refused(NtStatus.FILE_IS_A_DIRECTORY):
            root.link(folder, "no", replace=False)
        with refused(NtStatus.ACCESS_DENIED):
            root.link(file, "dir", replace=True)
    assert _names(share) == ["dir", "file", "other"]
    assert read(root, "dir/link") == read(root, "other") == b"data"


def test_renaming_onto_another_link_of_the_file_leaves_one(root: vfs.Root, share: Path) -> None:
    (share / "one").write_text("data")
    os.link(share / "one", share / "two")
    with stat_of(root, "one") as file:
        root.rename(file, "two", replace=True)
        assert file.path == "two"
    assert _names(share) == ["two"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_where_the_kernel_cannot_promise_not_to_replace(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def unsupported(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(changes.kernel, "renameat2", unsupported)
    (share / "file").write_text("data")
    (share / "dir" / "sub").mkdir(parents=True)
    with stat_of(root, "file") as file, stat_of(root, "dir") as folder:
        root.rename(file, "FILE", replace=False)
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            root.rename(folder, "FILE", replace=False)
        root.rename(file, "dir/moved", replace=False)
        root.rename(folder, "DIR", replace=False)
        with refused(NtStatus.INVALID_PARAMETER):
            root.rename(folder, "DIR/sub/dir", replace=False)
    assert _names(share) == ["DIR"]
    assert _names(share / "DIR") == ["moved", "sub"]


def test_a_target_that_appears_at_the_last_moment_is_not_replaced(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "file").write_text("mine")
    original = changes.kernel.renameat2
    for without_flags in (False, True):

        def late(
            *args: object,
            without_flags: bool = without_flags,
            **kwargs: object,
        ) -> None:
            (share / "target").write_text("somebody else's")
            if without_flags:
                raise OSError(errno.EINVAL, "no flags")
            original(*args, **kwargs)  # type: ignore[arg-type]

        (share / "target").unlink(missing_ok=True)
        monkeypatch.setattr(changes.kernel, "renameat2", late)
        with stat_of(root, "file") as file, refused(NtStatus.OBJECT_NAME_COLLISION):
            root.rename(file, "target", replace=False)
        assert (share / "target").read_text() == "somebody else's"
        assert (share / "file").read_text() == "mine"


def test_on_a_file_system_that_ignores_case_itself_the_case_can_still_change(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vfat, or a casefold folder of ext4: the new spelling already finds the old entry."""
    (share / "name").write_text("data")
    status = (share / "name").stat()

    def exists(*args: object, **kwargs: object) -> None:
        raise FileExistsError(errno.EEXIST, "File exists")

    with stat_of(root, "name") as file:
        monkeypatch.setattr(changes.kernel, "renameat2", exists)
        monkeypatch.setattr(changes.Entry, "status", lambda _entry: status)
        root.rename(file, "NAME", replace=False)
        assert file.path == "NAME"
    assert _names(share) == ["NAME"]


def test_a_name_taken_or_a_folder_gone_since_the_look_is_told(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "dir").mkdir()
    (share / "file").touch()
    monkeypatch.setattr(DirectoryIndex, "find", lambda _folder, _name: None)
    for directory in (True, False):
        with refused(NtStatus.OBJECT_NAME_COLLISION):
            root.create("file", directory=directory)

    def leave(_folder: DirectoryIndex, _name: str) -> None:
        (share / "dir").rmdir()

    monkeypatch.setattr(DirectoryIndex, "find", leave)
    with refused(NtStatus.OBJECT_PATH_NOT_FOUND):
        root.create("dir/new", directory=False)


def test_a_link_that_cannot_take_its_place_leaves_nothing_behind(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "file").write_text("data")
    (share / "target").write_text("kept")

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(changes.Entry, "rename", full)
    with stat_of(root, "file") as file, refused(NtStatus.DISK_FULL):
        root.link(file, "target", replace=True)
    assert _names(share) == ["file", "target"]
    assert (share / "target").read_text() == "kept"


def test_a_replacement_that_fails_leaves_both_files_with_their_own_spelling(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "file").write_text("data")
    (share / "Target").write_text("kept")

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(changes.Entry, "rename", full)
    with stat_of(root, "file") as file:
        for replace in (root.rename, root.link):
            with refused(NtStatus.DISK_FULL):
                replace(file, "tARGET", replace=True)
        assert file.path == "file"
    assert _names(share) == ["Target", "file"]
    assert (share / "Target").read_text() == "kept"


def test_only_the_file_that_was_looked_at_is_replaced(root: vfs.Root, share: Path) -> None:
    (share / "file").write_text("data")
    (share / "target").write_text("looked at")
    looked_at = root.standing("TARGET")
    (share / "target").rename(share / "away")
    (share / "target").write_text("somebody else's")
    with stat_of(root, "file") as file:
        for replace in (root.rename, root.link):
            with pytest.raises(vfs.MovedError):
                replace(file, "target", replace=True, over=looked_at)
        assert (share / "target").read_text() == "somebody else's"
        root.rename(file, "target", replace=True, over=root.standing("target"))
    assert read(root, "target") == b"data"
    assert root.standing("file") is None


def test_a_move_by_link_whose_old_name_stays_takes_the_new_one_back(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "file").write_text("data")
    unlink = os.unlink

    def unsupported(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EINVAL, "no flags")

    def unlink_new_ones(name: str, **kwargs: int) -> None:
        if name == "file":
            raise PermissionError(errno.EPERM, "append-only folder")
        unlink(name, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(changes.kernel, "renameat2", unsupported)
    monkeypatch.setattr(os, "unlink", unlink_new_ones)
    with stat_of(root, "file") as file, refused(NtStatus.ACCESS_DENIED):
        root.rename(file, "moved", replace=False)
    assert _names(share) == ["file"]


def test_a_symbolic_link_that_was_opened_is_not_mistaken_for_what_it_leads_to(
    root: vfs.Root, share: Path
) -> None:
    (share / "file").write_text("data")
    (share / "link").symlink_to("file")
    with stat_of(root, "link") as link, stat_of(root, "file") as file:
        assert link.is_symlink
        assert not file.is_symlink
        (share / "link").unlink()
        with refused(NtStatus.OBJECT_NAME_NOT_FOUND):
            root.remove(link)
        (share / "file").rename(share / "moved")
        (share / "file").symlink_to("moved")
        root.remove(file)
        assert _names(share) == ["file"], "the file itself, wherever it was moved"


def test_opens_by_one_name_are_told_from_those_by_another(root: vfs.Root, share: Path) -> None:
    (share / "dir").mkdir()
    (share / "dir" / "one").touch()
    (share / "way").symlink_to("dir")
    with (
        stat_of(root, "dir/one") as one,
        stat_of(root, "way/one") as by_way,
        vfs.Root(share / "dir") as inner,
        stat_of(inner, "one") as from_within,
    ):
        assert one.is_by_link_of(by_way)
        os.link(share / "dir" / "one", share / "two")
        with stat_of(root, "two") as two:
            assert one.is_by_link_of(by_way)
            assert by_way.is_by_link_of(from_within)
            assert not one.is_by_link_of(two)
            assert not two.is_by_link_of(by_way)
            (share / "dir" / "one").unlink()
            assert not two.is_by_link_of(by_way), "the last link, but not the one that was opened"
        assert (
            from_within.absolute_path == one.absolute_path == str(share.resolve() / "dir" / "one")
        )


def test_a_file_that_went_or_lost_its_name_to_another_link_says_where_it_was(
    root: vfs.Root, share: Path
) -> None:
    real = share.resolve()
    (share / "dir").mkdir()
    (share / "way").symlink_to("dir")
    for name in ("dir/file", "dir/plain", "dir/at (deleted)"):
        (share / name).write_text("data")
    (share / "other").hardlink_to(share / "dir/plain")
    (share / "dir/link").symlink_to("file")
    with stat_of(root, "way/link") as link, stat_of(root, "way/file") as file:
        assert (link.place, link.place_of_name) == (f"{real}/dir/file", f"{real}/dir/link")
        root.rename(link, "way/new", replace=False)
        assert (link.path, link.place_of_name) == ("way/new", f"{real}/dir/new")
        root.remove(link)
        assert link.place_of_name == f"{real}/dir/new"
        root.remove(file)
        assert file.place == file.place_of_name == f"{real}/dir/file"
    with stat_of(root, "way/at (deleted)") as odd:
        assert odd.place == f"{real}/dir/at (deleted)"
        root.remove(odd)
        assert odd.place == f"{real}/dir/at (deleted)"
    with stat_of(root, "dir/plain") as moved:
        root.rename(moved, "other", replace=True)
        assert moved.place == f"{real}/other"
