"""A file's space, its EAs, the volume, and what reaches the disk."""

import errno
import os
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.vfs import storage
from smbd.wire.fscc import ExtendedAttribute, FileSystemAttribute, Volume
from tests.vfs.conftest import another_user, refused, stat_of

_MIB = 1 << 20


def _sizes(file: vfs.File) -> tuple[int, int]:
    told = vfs.information(file)
    return told.end_of_file, told.allocation_size


def test_the_end_of_file_moves_both_ways(root: vfs.Root, share: Path) -> None:
    (share / "file").write_bytes(b"0123456789")
    with root.open("file", read=True, write=True) as file:
        vfs.set_end_of_file(file, 4)
        assert (share / "file").read_bytes() == b"0123"
        vfs.set_end_of_file(file, 6)
        assert (share / "file").read_bytes() == b"0123\0\0"


def test_space_is_changed_only_through_an_open_for_writing(root: vfs.Root, share: Path) -> None:
    (share / "file").write_bytes(b"data")
    with root.open("file", read=True, write=False) as file:
        for attempt in (
            lambda: vfs.set_end_of_file(file, 0),
            lambda: vfs.allocate(file, 0),
            lambda: vfs.zero_range(file, 0, 4),
        ):
            with refused(NtStatus.ACCESS_DENIED):
                attempt()
    assert (share / "file").read_bytes() == b"data"


def test_allocation_ahead_leaves_the_end_and_is_given_back(root: vfs.Root) -> None:
    with root.create("file", directory=False) as file:
        os.pwrite(file.fd, b"x" * 10_000, 0)
        vfs.allocate(file, _MIB)
        assert _sizes(file) == (10_000, _MIB)
        vfs.allocate(file, _MIB)
        assert _sizes(file) == (10_000, _MIB)
        vfs.allocate(file, 10_000)
        assert _sizes(file)[0] == 10_000
        assert _sizes(file)[1] < _MIB
        vfs.allocate(file, 5_000)
        assert _sizes(file)[0] == 5_000
        vfs.allocate(file, 0)
        assert _sizes(file) == (0, 0)


def test_a_sparse_file_gives_up_what_is_zeroed(root: vfs.Root) -> None:
    with root.create("file", directory=False) as file:
        os.pwrite(file.fd, b"x" * _MIB, 0)
        assert vfs.allocated_ranges(file, 0, 2 * _MIB, 10) == [(0, _MIB)]
        vfs.set_sparse(file, sparse=True)
        vfs.zero_range(file, 65_536, 131_072)
        vfs.zero_range(file, 262_144, 262_145)
        vfs.zero_range(file, _MIB - 65_536, 10 * _MIB)
        assert _sizes(file) == (_MIB, _MIB - 131_072)
        assert vfs.allocated_ranges(file, 0, 2 * _MIB, 10) == [
            (0, 65_536),
            (131_072, _MIB - 65_536 - 131_072),
        ]
        assert vfs.allocated_ranges(file, 0, 2 * _MIB, 1) == [(0, 65_536)]
        assert vfs.allocated_ranges(file, 70_000, 1_000, 10) == []
        assert vfs.allocated_ranges(file, 65_000, 70_000, 10) == [(65_000, 536), (131_072, 3_928)]
        assert vfs.allocated_ranges(file, _MIB - 10, 10, 10) == []
        assert os.pread(file.fd, 3, 262_143) == b"x\0x"
        vfs.set_sparse(file, sparse=False)
        assert vfs.allocated_ranges(file, 70_000, 1_000, 10) == [(70_000, 1_000)]
        assert vfs.allocated_ranges(file, 2 * _MIB, 10, 10) == []


def test_a_file_that_is_not_sparse_keeps_its_space(root: vfs.Root) -> None:
    with root.create("file", directory=False) as file:
        os.pwrite(file.fd, b"x" * _MIB, 0)
        vfs.zero_range(file, 0, _MIB // 2)
        vfs.zero_range(file, 5, 5)
        vfs.zero_range(file, 2 * _MIB, 3 * _MIB)
        assert _sizes(file) == (_MIB, _MIB)
        assert os.pread(file.fd, _MIB, 0) == bytes(_MIB // 2) + b"x" * (_MIB // 2)


def test_where_the_file_system_cannot_zero_or_allocate(
    root: vfs.Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*args: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(storage.kernel, "fallocate", unsupported)
    with root.create("file", directory=False) as file:
        os.pwrite(file.fd, b"x" * 3 * _MIB, 0)
        vfs.zero_range(file, 1, 3 * _MIB - 1)
        vfs.allocate(file, 4 * _MIB)
        assert os.pread(file.fd, 4 * _MIB, 0) == b"x" + bytes(3 * _MIB - 2) + b"x"


def test_a_full_disk_is_told_and_nothing_of_it_is_taken(
    root: vfs.Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, mode: int, offset: int, length: int) -> None:
        original(fd, mode, offset, length // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    original = storage.kernel.fallocate
    with root.create("file", directory=False) as file:
        with refused(NtStatus.DISK_FULL):
            vfs.allocate(file, 1 << 60)
        monkeypatch.setattr(storage.kernel, "fallocate", full)
        with refused(NtStatus.DISK_FULL):
            vfs.allocate(file, _MIB)
        assert _sizes(file) == (0, 0)


def test_files_and_folders_are_synced_however_they_are_open(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "dir").mkdir()
    (share / "file").touch()
    synced = []
    original = os.fsync

    def noted(fd: int) -> None:
        original(fd)
        synced.append(os.fstat(fd).st_ino)

    monkeypatch.setattr(storage.os, "fsync", noted)
    expected = []
    for path in ("", "dir", "file"):
        for read in (True, False):
            with root.open(path, read=read, write=False) as file:
                vfs.sync(file)
                expected.append(file.inode)
    assert synced == expected


@pytest.mark.parametrize("read", [True, False], ids=["data", "metadata only"])
def test_eas_are_user_attributes(root: vfs.Root, share: Path, read: bool) -> None:
    (share / "file").touch()
    os.setxattr(share / "file", "user.Local", b"set by hand")
    with root.open("file", read=read, write=False) as file:
        vfs.set_eas(file, [ExtendedAttribute(b"NAME", b"\0binary\xff")])
        vfs.set_eas(file, [ExtendedAttribute(b"LOCAL", b"changed")])
        vfs.set_attributes(file, 2)
        eas = sorted(vfs.list_eas(file, 65536), key=lambda ea: ea.name)
        assert eas == [
            ExtendedAttribute(b"Local", b"changed"),
            ExtendedAttribute(b"NAME", b"\0binary\xff"),
        ]
        # 8 + "Local" + NUL + "changed" = 21, padded to 24; 8 + "NAME" + NUL + 8 bytes = 21
        assert vfs.information(file).ea_size in {24 + 21, 21 + 3 + 21}
        assert vfs.find_eas(file, [b"name"]) == [ExtendedAttribute(b"name", b"\0binary\xff")]
        assert vfs.find_eas(file, [b"missing"]) == [ExtendedAttribute(b"missing", b"")]
        vfs.set_eas(file, [ExtendedAttribute(b"name", b"")])
        vfs.set_eas(file, [ExtendedAttribute(b"never was", b"")])
        assert [ea.name for ea in vfs.list_eas(file, 65536)] == [b"Local"]
    assert os.getxattr(share / "file", "user.Local") == b"changed"


def test_what_servers_keep_for_themselves_is_no_ea(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    for name in ("user.DOSATTRIB", "user.DosStream.a:$DATA", "user.SAMBA_PAI"):
        os.setxattr(share / "file", name, b"server's")
    with stat_of(root, "file") as file:
        assert vfs.list_eas(file, 65536) == []
        assert vfs.information(file).ea_size == 0
        for name in (b"DOSATTRIB", b"dosattrib", b"DosStream.b:$DATA", b"dosstream.c"):
            assert vfs.find_eas(file, [name]) == [ExtendedAttribute(name, b"")]
            with refused(NtStatus.ACCESS_DENIED):
                vfs.set_eas(file, [ExtendedAttribute(name, b"x")])


def test_an_ea_that_goes_while_the_list_is_read_is_left_out(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "file").touch()
    os.setxattr(share / "file", "user.KEPT", b"1")
    monkeypatch.setattr(os, "listxattr", lambda *_, **__: ["user.GONE", "user.KEPT"])
    with stat_of(root, "file") as file:
        assert vfs.list_eas(file, 65536) == [ExtendedAttribute(b"KEPT", b"1")]
        assert vfs.information(file).ea_size == 8 + 5 + 1


def test_an_ea_can_be_too_large(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    with stat_of(root, "file") as file, refused(NtStatus.EA_TOO_LARGE):
        vfs.set_eas(file, [ExtendedAttribute(b"HUGE", bytes(70_000))])


def test_somebody_elses_file_keeps_its_attributes(root: vfs.Root, share: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs files of two users")
    (share / "file").touch()
    with another_user(), stat_of(root, "file") as file:
        for attempt in (
            lambda: vfs.set_attributes(file, 2),
            lambda: vfs.set_eas(file, [ExtendedAttribute(b"A", b"1")]),
            lambda: vfs.set_times(file, None, 1, 1, None),
        ):
            with refused(NtStatus.ACCESS_DENIED):
                attempt()


def _volume(root: vfs.Root) -> Volume:
    with stat_of(root, "") as top:
        return root.volume(top)


def test_the_volume_is_what_the_file_system_is(share: Path) -> None:
    with vfs.Root(share, name="data") as root:
        volume = _volume(root)
    space = os.statvfs(share)
    unit = volume.sectors_per_unit * volume.bytes_per_sector
    assert volume.label == "data"
    assert volume.file_system_name == "NTFS"
    assert volume.total_units * unit == space.f_blocks * space.f_frsize
    assert volume.caller_free_units <= volume.free_units <= volume.total_units
    assert volume.maximum_name_length == 255
    assert volume.attributes & FileSystemAttribute.CASE_PRESERVED_NAMES
    assert volume.attributes & FileSystemAttribute.UNICODE_ON_DISK
    assert not volume.attributes & FileSystemAttribute.READ_ONLY_VOLUME
    assert volume.attributes & FileSystemAttribute.NAMED_STREAMS
    with vfs.Root(share, read_only=True, name="data") as again:
        same = _volume(again)
        assert same.attributes & FileSystemAttribute.READ_ONLY_VOLUME
        assert (same.serial_number, same.guid) == (volume.serial_number, volume.guid)
    with vfs.Root(share, name="other") as other:
        assert _volume(other).serial_number != volume.serial_number
