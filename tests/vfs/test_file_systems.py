"""A share of several file systems is one volume to its clients: no two files have one FileId."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.vfs.file_systems import _mounts_below
from smbd.wire.fscc import FileInformation, FileSystemAttribute, Volume
from tests.vfs.conftest import refused, stat_of


@contextmanager
def mounted(place: Path, *, size: int = 1 << 20, options: str = "") -> Iterator[None]:
    """A new tmpfs there, for the length of a block."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "smbd-tests", str(place)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def told(root: vfs.Root, path: str) -> FileInformation:
    """What an open file says, which a listing must say too."""
    with stat_of(root, path) as file:
        opened = vfs.information(file)
    parent, _, name = path.rpartition("/")
    with root.open(parent, read=True, write=False) as folder:
        listed = vfs.entries(folder, [name])[0]
    assert listed is not None
    assert (listed.index_number, listed.volume_id) == (opened.index_number, opened.volume_id)
    return opened


def volume_of(root: vfs.Root, path: str) -> Volume:
    with stat_of(root, path) as file:
        return root.volume(file)


def test_equal_inode_numbers_on_two_file_systems_are_two_files(share: Path) -> None:
    with mounted(share / "one disk"), mounted(share / "other"), vfs.Root(share) as root:
        inodes = set()
        for place in ("one disk", "other"):
            (share / place / "file").touch()
            inodes.add((share / place / "file").stat().st_ino)
        assert len(inodes) == 1, "a new tmpfs counts its inodes from 1"
        files = [told(root, path) for path in ("one disk/file", "other/file")]
        folders = [told(root, path) for path in ("one disk", "other")]
        assert len({one.index_number for one in files + folders}) == 4
        assert len({one.volume_id for one in files}) == 2


def test_on_the_file_system_of_the_root_a_file_id_is_the_inode_number(share: Path) -> None:
    (share / "file").touch()
    with vfs.Root(share) as root:
        assert told(root, "file").index_number == (share / "file").stat().st_ino


def test_file_ids_are_the_same_after_a_restart_and_another_order_of_mounts(share: Path) -> None:
    def ids() -> list[tuple[int, int]]:
        with vfs.Root(share, name="data") as root:
            known = [told(root, f"{place}/file") for place in ("a", "b")]
        return [(one.index_number, one.volume_id) for one in known]

    seen = []
    for places in (("a", "b"), ("b", "a")):
        with ExitStack() as mounts:
            devices = set()
            for place in places:
                mounts.enter_context(mounted(share / place))
                (share / place / "file").touch()
                devices.add((share / place).stat().st_dev)
            seen.append(ids())
    assert seen[0] == seen[1]


def test_a_file_reached_by_two_mounts_of_one_disk_is_one(share: Path) -> None:
    with mounted(share / "b"), ExitStack() as later:
        (share / "b" / "file").touch()
        (share / "a").mkdir()
        subprocess.run(["mount", "--bind", share / "b", share / "a"], check=True)
        later.callback(subprocess.run, ["umount", share / "a"], check=True)
        with vfs.Root(share) as root:
            assert told(root, "a/file").index_number == told(root, "b/file").index_number


def test_space_serial_and_write_protection_are_those_of_the_file_asked_about(share: Path) -> None:
    with (
        mounted(share / "small", size=65536),
        mounted(share / "fixed", size=1 << 20, options=",ro"),
        vfs.Root(share) as root,
    ):
        top, small, fixed = (volume_of(root, path) for path in ("", "small", "fixed"))
        assert small.total_units * small.sectors_per_unit * small.bytes_per_sector == 65536
        assert fixed.attributes & FileSystemAttribute.READ_ONLY_VOLUME
        assert not small.attributes & FileSystemAttribute.READ_ONLY_VOLUME
        assert len({top.serial_number, small.serial_number, fixed.serial_number}) == 3
        assert told(root, "small").volume_id & 0xFFFFFFFF == small.serial_number


def test_renames_and_links_stay_on_their_disk(share: Path) -> None:
    with mounted(share / "disk"), vfs.Root(share) as root:
        (share / "file").touch()
        (share / "folder").mkdir()
        with stat_of(root, "file") as file:
            with refused(NtStatus.NOT_SAME_DEVICE):
                root.rename(file, "disk/file", replace=False)
            with refused(NtStatus.NOT_SAME_DEVICE):
                root.link(file, "disk/file", replace=False)
        with stat_of(root, "folder") as folder, refused(NtStatus.NOT_SAME_DEVICE):
            root.rename(folder, "disk/folder", replace=False)
        (share / "disk" / "there").touch()
        with stat_of(root, "file") as file:
            with refused(NtStatus.NOT_SAME_DEVICE):
                root.rename(file, "disk/there", replace=True)
            with refused(NtStatus.NOT_SAME_DEVICE):
                root.link(file, "disk/there", replace=True)
        assert sorted(path.name for path in (share / "disk").iterdir()) == ["there"]


def test_of_several_mounts_at_one_place_the_last_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = (
        b"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        b"30 20 8:2 / /srv rw - ext4 /dev/sdb rw\n"
        b"31 30 0:40 / /srv/a\\040b rw shared:1 - tmpfs tmpfs rw\n"
        b"32 31 0:41 / /srv/a\\040b rw - tmpfs tmpfs rw\n"
        b"33 20 0:42 / /srvother rw - tmpfs tmpfs rw\n"
    )
    monkeypatch.setattr(Path, "read_bytes", lambda _path: table)
    below = [(one.number, one.device, one.point) for one in _mounts_below("/srv", "30")]
    assert below == [("30", "8:2", ""), ("32", "0:41", "a b")]
