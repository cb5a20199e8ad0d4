"""Volumes are made, seen by nobody else, and gone afterwards, whatever ends the study."""

import errno
import os
import shutil
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from aio import kernel
from aio.compare.mount_table import parse_mounts
from aio.compare.volumes import (
    KINDS,
    VolumeError,
    devices,
    leftovers,
    made_volume,
    making,
    own_mount_namespace,
    user_volume,
)
from tests.compare.holding import eventually, holding, image_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture(autouse=True)
def stay_in_this_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a test here go further than it means to."""

    def refuse() -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(making, "unshare_mounts", refuse)


def mounted_here(folder: str) -> bool:
    table = parse_mounts(Path("/proc/self/mountinfo").read_text())
    return any(mount.point.startswith(folder) for mount in table)


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_a_volume_holds_files_is_seen_by_its_study_alone_and_ends_with_it(
    kind: str, tmp_path: Path
) -> None:
    with holding(kind, tmp_path) as study:
        facts = study.facts
        assert facts["name"] == kind
        assert facts["file_system"] == kind
        assert "file\n" in facts["children_see"]
        assert (facts["loop"] is None) == (kind == "tmpfs")
        assert not mounted_here(str(tmp_path))
        assert list(Path(facts["folder"]).glob("*")) == []  # seen from outside
        assert list((tmp_path / "images").iterdir()) == []  # the image has no name
        if facts["loop"]:
            assert str(tmp_path / "images") in (image_of(facts["loop"]) or "")
            assert f"{facts['loop']} (" in facts["device"]
            assert f"an image in {tmp_path / 'images'}, " in facts["device"]
        study.end()
        assert list((tmp_path / "points").iterdir()) == []
        if facts["loop"]:
            assert eventually(lambda: str(tmp_path) not in (image_of(facts["loop"]) or ""))
        assert study.process.wait() == 0


@needs_root
@pytest.mark.parametrize("kind", ["ext4", "overlayfs"])
def test_an_interrupted_study_unmounts(kind: str, tmp_path: Path) -> None:
    with holding(kind, tmp_path) as study:
        assert study.end("interrupt")["interrupted"]
        assert list((tmp_path / "points").iterdir()) == []
        assert eventually(lambda: str(tmp_path) not in (image_of(study.facts["loop"]) or ""))


@needs_root
@pytest.mark.parametrize("kind", ["ext4", "overlayfs"])
def test_a_killed_study_leaves_no_mount_no_device_and_no_image(kind: str, tmp_path: Path) -> None:
    with holding(kind, tmp_path) as study:
        study.kill()
    # Its children, who saw the mounts too, are gone by now.
    assert eventually(lambda: str(tmp_path) not in (image_of(study.facts["loop"]) or ""))
    assert not mounted_here(str(tmp_path))
    assert list((tmp_path / "images").iterdir()) == []
    (point,) = (tmp_path / "points").iterdir()
    assert list(point.iterdir()) == []
    leftovers.remove_leftovers(tmp_path / "points")
    assert list((tmp_path / "points").iterdir()) == []


@needs_root
def test_a_volume_in_which_a_file_is_open_goes_with_that_file(tmp_path: Path) -> None:
    with holding("ext4", tmp_path) as study:
        study.end("busy")
        assert list((tmp_path / "points").iterdir()) == []
    assert eventually(lambda: str(tmp_path) not in (image_of(study.facts["loop"]) or ""))


@needs_root
def test_two_studies_do_not_meet(tmp_path: Path) -> None:
    with holding("ext4", tmp_path) as one, holding("tmpfs", tmp_path) as other:
        assert one.facts["folder"] != other.facts["folder"]
        other.end()
        assert [str(each) for each in (tmp_path / "points").iterdir()] == [one.facts["folder"]]
        one.end()


def test_a_folder_of_the_user_is_what_it_is(tmp_path: Path) -> None:
    with user_volume(tmp_path) as volume:
        found = volume.describe()
        with volume.throttled():
            pass
        assert volume.dirty_limit(1 << 20) is None
    assert (found.name, found.folder, found.made) == (str(tmp_path), str(tmp_path), False)
    assert found.reads_per_second is None
    assert found.device


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "nothing"):
        with pytest.raises(VolumeError, match="is no folder"), user_volume(tmp_path / name):
            pass


@pytest.mark.parametrize("kind", KINDS)
def test_without_root_nothing_is_made(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(VolumeError, match=f"{kind} must be mounted, which needs root"):
        with made_volume(kind, tmp_path):
            pass
    with pytest.raises(VolumeError, match="needs root"):
        own_mount_namespace()


def test_a_container_that_may_not_unshare_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    with pytest.raises(VolumeError, match=r"--privileged\): Operation not permitted"):
        with made_volume("ext4", tmp_path):
            pass


def test_a_namespace_is_not_entered_beside_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    with pytest.raises(RuntimeError, match="threads already"):
        own_mount_namespace()


def test_memory_is_no_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(VolumeError, match="no disk"):
        with made_volume("tmpfs", tmp_path, reads_per_second=200):
            pass


def test_an_image_that_does_not_fit_is_refused_before_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="MiB left, and an image there needs"):
        with making.mounted_image("ext4", tmp_path, 1 << 60):
            pass
    with pytest.raises(VolumeError, match="No such file"):
        with making.mounted_image("ext4", tmp_path / "nothing", 1 << 20):
            pass


@needs_root
def test_a_file_system_without_its_maker_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    if not Path("/dev/loop-control").exists():
        pytest.skip("there are no loop devices")
    with pytest.raises(VolumeError, match=r"mkfs\.xfs is not installed"):
        with making.mounted_image("xfs", tmp_path, 1 << 20):
            pass


@needs_root
def test_what_the_maker_says_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"ext4 cannot be made: |no loop device"):
        with making.mounted_image("ext4", tmp_path, 4096):
            pass


def test_without_loop_devices_there_is_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aio.compare.volumes.loops.CONTROL", str(tmp_path / "nothing"))
    with pytest.raises(VolumeError, match=r"no loop device is to be had .*--privileged"):
        with making.mounted_image("ext4", tmp_path, 1 << 20):
            pass


@needs_root
def test_a_file_system_that_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"nosuchfs cannot be mounted here: "):
        with making._mounted("none", tmp_path, "nosuchfs"):
            pass


def test_what_cannot_be_mounted_or_unmounted_is_an_oserror_with_its_name(tmp_path: Path) -> None:
    for call in (
        lambda: kernel.unmount(tmp_path / "nothing"),
        lambda: kernel.mount("none", tmp_path / "nothing", "tmpfs", "size=4096"),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.filename == os.fsencode(tmp_path / "nothing")
        assert caught.value.errno in {errno.ENOENT, errno.EPERM}


def test_leftovers_of_the_living_and_what_is_in_use_stay(tmp_path: Path) -> None:
    dead, used = tmp_path / "smbd-compare-1", tmp_path / "smbd-compare-2"
    dead.mkdir()
    used.mkdir()
    (used / "file").touch()
    (tmp_path / "other").mkdir()
    with leftovers.folder_of_ours(tmp_path) as ours:
        leftovers.remove_leftovers(tmp_path)
        with leftovers.folder_of_ours(tmp_path) as second:
            assert {each.name for each in tmp_path.iterdir()} == {
                "other",
                used.name,
                ours.name,
                second.name,
            }
    assert {each.name for each in tmp_path.iterdir()} == {"other", used.name}


def test_the_mount_table_is_read_with_its_escapes() -> None:
    (first, second) = parse_mounts(
        "36 35 98:0 /sub\\040dir /mnt/a\\040b rw,noatime master:1 - ext3 /dev/root rw,errors=x\n"
        "37 35 0:41 / /merged rw - overlay overlay rw,lowerdir=/l,upperdir=/u\\054v,workdir=/w\n"
    )
    assert (first.number, first.device, first.root, first.point) == (
        36,
        "98:0",
        "/sub dir",
        "/mnt/a b",
    )
    assert (first.kind, first.source, first.options) == ("ext3", "/dev/root", ("rw", "errors=x"))
    assert second.option("upperdir") == "/u,v"
    assert second.option("index") is None


def test_a_partition_is_told_with_its_disk(tmp_path: Path) -> None:
    disk = tmp_path / "devices/sda"
    (disk / "queue").mkdir(parents=True)
    (disk / "queue/rotational").write_text("1\n")
    (disk / "queue/scheduler").write_text("none [mq-deadline] kyber\n")
    (disk / "queue/nr_requests").write_text("64\n")
    (disk / "queue/read_ahead_kb").write_text("128\n")
    (disk / "sda1").mkdir()
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    (numbers / "8:1").symlink_to(disk / "sda1")
    assert devices.block_device("8:1", numbers) == (
        "/dev/sda1 (rotational, scheduler mq-deadline, 64 requests, read-ahead 128 KiB)"
    )


def test_a_mapped_device_names_those_below_and_an_image_its_folder(tmp_path: Path) -> None:
    (tmp_path / "253:0/slaves/nvme0n1p3").mkdir(parents=True)
    assert devices.block_device("253:0", tmp_path) == "/dev/253:0 on nvme0n1p3"
    (tmp_path / "7:3/loop").mkdir(parents=True)
    (tmp_path / "7:3/loop/backing_file").write_text("/nowhere/image (deleted)\n")
    (tmp_path / "7:3/loop/dio").write_text("0\n")
    assert devices.block_device("7:3", tmp_path) == (
        "/dev/7:3, an image in /nowhere, cached there once more, on an unknown device"
    )


def test_what_is_no_block_device_has_no_number(tmp_path: Path) -> None:
    assert devices.device_number(str(tmp_path)) is None
    assert devices.device_number(str(tmp_path / "nothing")) is None
