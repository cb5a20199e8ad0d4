"""EAs that a client or another program can make, and that Linux or the wire has no room for."""

import errno
import os
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.vfs import acl
from smbd.wire.dtyp import Ace, Control, SecurityDescriptor
from smbd.wire.fscc import ExtendedAttribute
from tests.vfs.conftest import refused

EVERYONE = "S-1-1-0"


def ea(name: bytes, value: bytes = b"v") -> ExtendedAttribute:
    return ExtendedAttribute(name, value)


@pytest.fixture
def file(root: vfs.Root, share: Path):
    (share / "file").touch()
    with root.open("file", read=True, write=True) as file:
        yield file


@pytest.fixture
def big(file: vfs.File, monkeypatch: pytest.MonkeyPatch) -> vfs.File:
    """A file whose EA BIG has 64 KiB, which tmpfs, btrfs and xfs hold."""
    os.setxattr(file.fd, "user.BIG", b"v")
    os.setxattr(file.fd, "user.small", b"v")
    read = os.getxattr

    def getxattr(target, name, *, follow_symlinks=True):
        if name == "user.BIG":
            return bytes(65_536)
        return read(target, name, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "getxattr", getxattr)
    return file


def test_a_value_that_the_wire_cannot_say_is_left_out(big: vfs.File) -> None:
    assert vfs.list_eas(big, 1 << 20) == [ea(b"small")]
    assert vfs.information(big).ea_size == 8 + len(b"small\0v")


def test_and_is_not_said_to_be_empty(big: vfs.File) -> None:
    assert vfs.find_eas(big, [b"small"]) == [ea(b"small")]
    with refused(NtStatus.EA_TOO_LARGE):
        vfs.find_eas(big, [b"small", b"big"])


@pytest.mark.parametrize("length", [251, 255])
def test_a_name_that_linux_has_no_room_for_is_invalid(file: vfs.File, length: int) -> None:
    with refused(NtStatus.INVALID_EA_NAME):
        vfs.set_eas(file, [ea(b"first"), ea(b"n" * length)])
    assert os.listxattr(file.fd) == []
    vfs.set_eas(file, [ea(b"n" * 250)])


@pytest.mark.parametrize("name", [b"\xff\xfe", "\ud800".encode("utf-8", "surrogatepass"), b"\x80"])
def test_a_name_of_any_bytes_comes_back(file: vfs.File, name: bytes) -> None:
    vfs.set_eas(file, [ea(name)])
    assert vfs.list_eas(file, 1 << 20) == [ea(name)]
    assert vfs.find_eas(file, [name]) == [ea(name)]
    vfs.set_eas(file, [ea(name, b"")])
    assert os.listxattr(file.fd) == []


def test_nothing_is_set_of_a_list_with_a_name_that_is_kept_back(file: vfs.File) -> None:
    with refused(NtStatus.ACCESS_DENIED):
        vfs.set_eas(file, [ea(b"first"), ea(b"DOSATTRIB")])
    assert os.listxattr(file.fd) == []


def test_a_list_is_read_no_further_than_there_is_room(file: vfs.File) -> None:
    vfs.set_eas(file, [ea(b"%d" % number, b"v" * 10) for number in range(20)])
    assert len(vfs.list_eas(file, 1 << 20)) == 20
    assert len(vfs.list_eas(file, 50)) == 5


def test_no_client_makes_more_names_than_can_be_listed(
    file: vfs.File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smbd.vfs.xattrs.LARGEST_LIST", 100)
    with refused(NtStatus.EA_TOO_LARGE):
        vfs.set_eas(file, [ea(b"n%09d" % number) for number in range(10)])
    assert sum(len(name) + 1 for name in os.listxattr(file.fd)) <= 100
    vfs.set_eas(file, [ea(b"n%09d" % 0, b"")])
    vfs.set_eas(file, [ea(b"n%09d" % 11)])


def test_more_names_than_can_be_listed_do_not_close_the_file_to_all(
    file: vfs.File, monkeypatch: pytest.MonkeyPatch
) -> None:
    acl.store(file, SecurityDescriptor(EVERYONE, None, [], control=Control.DACL_PRESENT))
    vfs.set_attributes(file, 2)

    def listxattr(*_args, **_options):
        raise OSError(errno.E2BIG, "too many")

    monkeypatch.setattr(os, "listxattr", listxattr)
    known, descriptor = vfs.examine(file)
    assert known.attributes & 2
    assert descriptor is not None
    assert descriptor.owner == EVERYONE
    os.removexattr(file.fd, "user.NTACL")
    assert vfs.examine(file)[1] is None
    with refused(NtStatus.EA_TOO_LARGE):
        vfs.list_eas(file, 1000)


@pytest.fixture
def crowded(file: vfs.File, monkeypatch: pytest.MonkeyPatch) -> vfs.File:
    """A file whose extended attributes fill their place, as on ext4."""

    def setxattr(*_args, **_options):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "setxattr", setxattr)
    return file


DESCRIPTOR = SecurityDescriptor(None, None, [Ace(0, 0, 1, EVERYONE)], control=Control.DACL_PRESENT)


def test_no_room_beside_the_file_is_not_a_full_disk(crowded: vfs.File) -> None:
    with refused(NtStatus.EA_TOO_LARGE):
        vfs.set_eas(crowded, [ea(b"name")])
    with refused(NtStatus.ALLOTTED_SPACE_EXCEEDED):
        acl.store(crowded, DESCRIPTOR)


def test_nor_does_it_keep_times_and_a_mode_from_being_set(crowded: vfs.File) -> None:
    """What has no place is dropped or refused, as where a file system has no such attributes."""
    vfs.set_times(crowded, 116444736000000000, None, 116444736010000000, 116444736020000000)
    assert vfs.information(crowded).last_write_time == 116444736010000000
    vfs.set_attributes(crowded, 0x21)
    assert vfs.information(crowded).attributes & 1
    with refused(NtStatus.NOT_SUPPORTED):
        vfs.set_attributes(crowded, 0x22)


def test_and_a_full_disk_is_one(crowded: vfs.File, monkeypatch: pytest.MonkeyPatch) -> None:
    space = os.fstatvfs(crowded.fd)
    full = os.statvfs_result((*space[:4], 0, *space[5:]))
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)
    for attempt in (
        lambda: vfs.set_eas(crowded, [ea(b"name")]),
        lambda: acl.store(crowded, DESCRIPTOR),
        lambda: vfs.set_attributes(crowded, 0x22),
    ):
        with refused(NtStatus.DISK_FULL):
            attempt()
