"""What has lain in a recycle folder for long goes, and nothing else, whatever lies around it."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from smbd import vfs
from smbd.vfs.expiry import Expired, find_expired, remove_expired

LONG_AGO, LATER = 0.0, time.time() + 86400


@pytest.fixture
def root(tmp_path: Path):
    with vfs.Root(tmp_path) as root:
        yield root


def found(root: vfs.Root, before: float = LATER) -> list[Expired]:
    return [one for one in find_expired(root, ".recycle", before) if one is not None]


def emptied(root: vfs.Root) -> list[str]:
    """Remove what is found; the places that are gone."""
    return sorted(one.place for one in found(root) if remove_expired(root, one, LATER))


def names_below(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*")}


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_files_go_first_and_folders_when_they_are_empty(root, tmp_path):
    made(tmp_path, "stays", ".recycle/a", ".recycle/d/e/b")
    bin_ = tmp_path / ".recycle"
    assert emptied(root) == [str(bin_ / "a"), str(bin_ / "d/e/b")]
    assert emptied(root) == [str(bin_ / "d/e")]
    assert emptied(root) == [str(bin_ / "d")]
    assert emptied(root) == []
    assert names_below(tmp_path) == {"stays", ".recycle"}


def test_what_has_not_lain_there_for_long_stays_however_old_its_data_is(root, tmp_path):
    made(tmp_path, ".recycle/a")
    (tmp_path / ".recycle/empty").mkdir()
    os.utime(tmp_path / ".recycle/a", (0, 0))
    assert not found(root, LONG_AGO)
    (one, _) = found(root)
    assert not remove_expired(root, one, LONG_AGO)
    assert names_below(tmp_path) == {".recycle", ".recycle/a", ".recycle/empty"}


def test_it_is_found_in_any_spelling_and_no_other_folder_is(root, tmp_path):
    made(tmp_path, ".Recycle/a", "d/.recycle/b", ".recycled/c")
    assert emptied(root) == [str(tmp_path / ".Recycle/a")]


def test_no_symbolic_link_is_followed_or_removed(root, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    made(outside, "a")
    made(tmp_path, "inside/a", ".recycle/file")
    (tmp_path / ".recycle/out").symlink_to(outside)
    (tmp_path / ".recycle/in").symlink_to(tmp_path / "inside")
    (tmp_path / ".recycle/to file").symlink_to(outside / "a")
    os.mkfifo(tmp_path / ".recycle/pipe")
    assert emptied(root) == [str(tmp_path / ".recycle/file")]
    assert names_below(outside) == {"a"}
    assert names_below(tmp_path / ".recycle") == {"out", "in", "to file", "pipe"}


def test_a_recycle_folder_that_is_a_symbolic_link_is_none(root, tmp_path):
    made(tmp_path, "precious/a")
    (tmp_path / ".recycle").symlink_to("precious")
    assert not found(root)


def test_a_folder_that_becomes_a_symbolic_link_meanwhile_is_left_alone(root, tmp_path):
    made(tmp_path, ".recycle/d/a", "precious/a")
    (one,) = found(root)
    (tmp_path / ".recycle/d").rename(tmp_path / "elsewhere")
    (tmp_path / ".recycle/d").symlink_to(tmp_path / "elsewhere")
    assert not remove_expired(root, one, LATER)
    assert (tmp_path / "elsewhere/a").exists()


def test_another_file_of_that_name_stays(root, tmp_path):
    made(tmp_path, ".recycle/a")
    (one,) = found(root)
    (tmp_path / ".recycle/a").rename(tmp_path / "came back")
    assert not remove_expired(root, one, LATER)
    made(tmp_path, ".recycle/a")
    assert not remove_expired(root, one, LATER)
    assert names_below(tmp_path) == {".recycle", ".recycle/a", "came back"}


def test_a_folder_that_is_filled_meanwhile_stays(root, tmp_path):
    (tmp_path / ".recycle/d").mkdir(parents=True)
    (one,) = found(root)
    made(tmp_path, ".recycle/d/a")
    with pytest.raises(OSError, match="not empty"):
        remove_expired(root, one, LATER)


def test_a_file_system_below_has_one_of_its_own_and_one_in_a_recycle_folder_is_left(root, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    mounts = [tmp_path / "mount", tmp_path / ".recycle/mount"]
    for mount in mounts:
        mount.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "test", mount], check=True)
    try:
        made(tmp_path, "mount/.recycle/deep/file", ".recycle/mount/file")
        assert emptied(root) == [str(tmp_path / "mount/.recycle/deep/file")]
    finally:
        for mount in mounts:
            subprocess.run(["umount", "-l", mount], check=True)
