"""A slow disk is slow, for the study alone and no longer; and a device's dirty limit."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from aio.compare.volumes import VolumeError, groups, limits, throttle
from tests.compare.holding import Holder, holding

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="control groups need root")

TABLE = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
BLKIO = "38 31 0:35 / /sys/fs/cgroup/io rw,relatime - cgroup cgroup rw,cpu,blkio\n"
CONTAINED = "38 31 0:35 /docker/1 /sys/fs/cgroup rw,relatime - cgroup2 cgroup rw\n"


@pytest.mark.parametrize(
    ("mounts", "own", "found"),
    [
        (
            TABLE + BLKIO,
            "7:cpu,blkio:/user/1\n3:name=systemd:/\n0::/other\n",
            (1, "/sys/fs/cgroup/io", "/sys/fs/cgroup/io/user/1"),
        ),
        (
            TABLE,
            "3:cpuset:/\n0::/user.slice/a:b\n",
            (2, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/user.slice/a:b"),
        ),
        (CONTAINED, "0::/docker/1/x\n", (2, "/sys/fs/cgroup", "/sys/fs/cgroup/x")),
    ],
)
def test_the_controller_is_found_where_it_is_mounted(
    mounts: str, own: str, found: tuple[int, str, str]
) -> None:
    hierarchy = groups.find_hierarchy(mounts, own)
    assert (hierarchy.version, str(hierarchy.top), str(hierarchy.own)) == found


def test_no_control_groups_and_a_group_out_of_sight_are_refused() -> None:
    with pytest.raises(VolumeError, match="none are mounted"):
        groups.find_hierarchy("31 23 0:28 / /sys rw - sysfs sysfs rw\n", "0::/\n")
    with pytest.raises(VolumeError, match=r"/docker/2, which is not visible"):
        groups.find_hierarchy(CONTAINED, "0::/docker/2\n")


@pytest.mark.parametrize(
    ("version", "file", "rule"),
    [(1, "blkio.throttle.read_iops_device", "7:3 200"), (2, "io.max", "7:3 riops=200")],
)
def test_each_version_is_told_in_its_own_way(
    version: int, file: str, rule: str, tmp_path: Path
) -> None:
    (tmp_path / file).touch()
    throttle.set_rule(tmp_path, version, "7:3", 200)
    assert (tmp_path / file).read_text() == rule


def test_a_rule_that_is_not_taken_is_an_error_for_the_user(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"io\.max: No such file"):
        throttle.set_rule(tmp_path / "nothing", 2, "7:3", 200)


def unified(top: Path, controllers: str, offered: str) -> groups.Hierarchy:
    (top / "cgroup.controllers").write_text(controllers)
    (top / "cgroup.subtree_control").write_text(offered)
    return groups.Hierarchy(2, top, top)


def test_version_2_offers_io_to_our_group_and_takes_it_back(tmp_path: Path) -> None:
    offered = tmp_path / "cgroup.subtree_control"
    with groups._io_offered(unified(tmp_path, "cpu io\n", "cpu\n")):
        assert offered.read_text() == "+io"
    assert offered.read_text() == "-io"
    with groups._io_offered(unified(tmp_path, "cpu io\n", "cpu io\n")):
        pass
    assert offered.read_text() == "cpu io\n"


def test_version_2_without_the_controller_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="needs the io controller"):
        with groups.group_of_ours(unified(tmp_path, "cpu memory\n", "")):
            pass


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.EROFS, "read-only"), (errno.EBUSY, "cgroupns"), (errno.EPERM, "")]
)
def test_a_container_that_may_not_make_groups_is_told_why(
    number: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(groups, "folder_of_ours", refuse)
    with pytest.raises(VolumeError, match=f"a control group of its own: .*{reason}"):
        with groups.group_of_ours(groups.Hierarchy(1, tmp_path, tmp_path)):
            pass


def test_only_this_process_and_its_descendants_are_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = os.getpid()
    parents = {ours: 1, 1: 0, 1001: ours, 1002: 1001, 1003: 1, 1004: 999_999}
    monkeypatch.setattr(groups, "_parent", parents.__getitem__)
    assert groups._family(list(parents)) == [ours, 1001, 1002]


def test_a_process_that_is_gone_has_no_parent() -> None:
    assert groups._parent(os.getpid()) == os.getppid()
    assert groups._parent(2**30) == 0


def test_a_device_that_is_not_slowed_down_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def fast(device: str, count: int) -> float:
        asked.append(count)
        return 0.004

    monkeypatch.setattr(throttle, "_time_reads", fast)
    with pytest.raises(VolumeError, match=r"/dev/loop9 is not slowed .*: 60 took 4 ms"):
        throttle.check_throttled("/dev/loop9", 200)
    monkeypatch.setattr(throttle, "_time_reads", lambda _, count: count / 200 - 0.1)
    throttle.check_throttled("/dev/loop9", 200)
    assert asked == [60, 60]


def test_a_device_that_is_none_cannot_be_throttled(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="is not here"):
        with throttle.throttled(str(tmp_path), 200):
            pass


def group_of(study: Holder) -> Path:
    return groups.current_hierarchy().top / f"smbd-compare-{study.process.pid}"


@needs_root
@pytest.mark.parametrize("kind", ["ext4", "btrfs", "overlayfs"])
def test_reads_are_as_slow_as_asked_and_the_group_goes_again(kind: str, tmp_path: Path) -> None:
    before = Path("/proc/self/cgroup").read_text()
    with holding(kind, tmp_path, reads_per_second=100) as study:
        facts = study.facts
        assert facts["name"] == f"{kind}, 100 reads/s"
        assert "100 reads/s on average" in facts["device"]
        # 80 reads take 0.8 s, less what the kernel lets go at once: 10, and what is left of the
        # slice before, 0.1 s.  On a busy machine slices are longer (seen: 0.2 s).
        assert facts["reads"] >= 80
        assert facts["seconds"] > 0.3
        group = group_of(study)
        inside = (group / "cgroup.procs").read_text().split()
        # And two children, of whom one was there before the group.
        assert len(inside) == 3
        assert str(study.process.pid) in inside
        assert all(group.name in each for each in facts["groups"])
        after = study.end()
        assert not group.exists()
        assert after["groups"] == [before] * 3


@needs_root
def test_the_group_of_a_killed_study_goes_with_the_next(tmp_path: Path) -> None:
    with holding("ext4", tmp_path, reads_per_second=100) as study:
        group = group_of(study)
        study.kill()
        assert group.is_dir()
    with holding("ext4", tmp_path, reads_per_second=100) as following:
        assert not group.exists()
        following.end()


@needs_root
@pytest.mark.parametrize("kind", ["ext4", "btrfs", "overlayfs"])
def test_a_device_of_the_study_takes_a_dirty_limit_for_as_long_as_it_is_asked(
    kind: str, tmp_path: Path
) -> None:
    with holding(kind, tmp_path) as study:
        if not study.facts["limits"]:
            pytest.skip("devices take no dirty limit before Linux 6.2")
        strict, _, taken = study.facts["limits"]
        assert strict == "1"
        # The kernel keeps it as a share of the machine's limit, which moves.
        assert 8 << 20 < int(taken) < 32 << 20
        left = study.end()["limits_left"]
        assert study.facts["limits_before"][:2] == left[:2]


def test_a_dirty_limit_is_taken_back(tmp_path: Path) -> None:
    bdi = device(tmp_path, "7:0", "loop0")
    found = limits.find_bdi("7:0", tmp_path)
    assert found == bdi
    with pytest.raises(KeyboardInterrupt), limits.dirty_limit(bdi, 1 << 24):
        assert (bdi / "strict_limit").read_text() == "1"
        assert (bdi / "max_bytes").read_text() == str(1 << 24)
        raise KeyboardInterrupt
    assert (bdi / "strict_limit").read_text() == "0\n"
    assert (bdi / "max_ratio_fine").read_text() == "1000000\n"


def test_btrfs_has_limits_of_its_own(tmp_path: Path) -> None:
    device(tmp_path, "7:0", "loop0")
    own = tmp_path / "fs/btrfs/uuid"
    (own / "devices/loop0").mkdir(parents=True)
    (own / "bdi").mkdir()
    assert limits.find_bdi("7:0", tmp_path) is None
    for name in ("strict_limit", "max_bytes"):
        (own / "bdi" / name).touch()
    assert limits.find_bdi("7:0", tmp_path) == own / "bdi"
    assert limits.find_bdi("8:0", tmp_path) is None


def test_a_limit_that_a_killed_study_left_is_lifted_and_no_other(tmp_path: Path) -> None:
    left, used = device(tmp_path, "7:0", "loop0"), device(tmp_path, "7:1", "loop1")
    (tmp_path / "block/loop1/loop").mkdir()
    for bdi in (left, used):
        (bdi / "strict_limit").write_text("1\n")
    limits.forget_limits(tmp_path)
    assert (left / "strict_limit").read_text() == "0"
    assert (left / "max_ratio").read_text() == "100"
    assert (used / "strict_limit").read_text() == "1\n"


def device(sys: Path, number: str, name: str) -> Path:
    """A loop device in a /sys of ours; where its limits are."""
    (sys / "block" / name).mkdir(parents=True)
    (sys / "block" / name / "dev").write_text(f"{number}\n")
    (sys / "dev/block").mkdir(parents=True, exist_ok=True)
    (sys / "dev/block" / number).symlink_to(sys / "block" / name)
    bdi = sys / "class/bdi" / number
    bdi.mkdir(parents=True)
    (bdi / "strict_limit").write_text("0\n")
    (bdi / "max_bytes").write_text("4866207744\n")
    (bdi / "max_ratio_fine").write_text("1000000\n")
    return bdi


def test_a_limit_that_the_kernel_refuses_is_an_error_for_the_user(tmp_path: Path) -> None:
    bdi = device(tmp_path, "7:0", "loop0")
    (bdi / "max_bytes").unlink()
    (bdi / "max_bytes").mkdir()
    with pytest.raises(VolumeError, match="no dirty limit of 16 MiB: "):
        with limits.dirty_limit(bdi, 1 << 24):
            pass
    assert (bdi / "strict_limit").read_text() == "0\n"
