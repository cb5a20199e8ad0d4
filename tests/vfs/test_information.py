"""What is said of files, and what can be changed of it: times, attributes, listings, rights."""

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.vfs import attributes as attributes_module
from smbd.vfs import change_time, dosattrib
from smbd.vfs import records as records_module
from smbd.wire.filetime import filetime_from_unix
from smbd.wire.fscc import ExtendedAttribute, FileAttribute
from tests.vfs.conftest import another_user, names_in, refused, stat_of

information_module = sys.modules["smbd.vfs.information"]  # the package has a function so called

_READONLY, _HIDDEN, _SYSTEM = 0x1, 0x2, 0x4
_DIRECTORY, _ARCHIVE, _NORMAL, _SPARSE = 0x10, 0x20, 0x80, 0x200


def _attributes(root: vfs.Root, path: str) -> int:
    with stat_of(root, path) as file:
        return vfs.information(file).attributes


def _listed(root: vfs.Root, path: str = "") -> dict[str, int]:
    """name -> attributes of what a listing shows."""
    with root.open(path, read=True, write=False) as folder:
        names = names_in(folder)
        shown = zip(names, vfs.entries(folder, names), strict=True)
        return {name: entry.attributes for name, entry in shown if entry is not None}


def test_one_look_tells_sizes_times_and_identity(root: vfs.Root, share: Path) -> None:
    (share / "file").write_bytes(b"x" * 5000)
    os.utime(share / "file", ns=(1_600_000_000_123_456_700, 1_500_000_000_765_432_100))
    status = (share / "file").stat()
    with stat_of(root, "file") as file:
        told = vfs.information(file)
        owner = vfs.ownership(file)
    assert told.end_of_file == 5000
    assert told.allocation_size == status.st_blocks * 512
    assert told.last_access_time == filetime_from_unix(1_600_000_000_123_456_700)
    assert told.last_write_time == filetime_from_unix(1_500_000_000_765_432_100)
    assert told.change_time == filetime_from_unix(status.st_ctime_ns)
    assert told.index_number == status.st_ino
    assert (told.number_of_links, told.is_directory, told.ea_size) == (1, False, 0)
    assert (owner.uid, owner.gid, owner.mode) == (status.st_uid, status.st_gid, status.st_mode)


def test_a_folder_has_no_size(root: vfs.Root, share: Path) -> None:
    (share / "dir" / "sub").mkdir(parents=True)
    with stat_of(root, "dir") as folder:
        told = vfs.information(folder)
    assert (told.end_of_file, told.allocation_size, told.number_of_links) == (0, 0, 1)
    assert told.attributes == _DIRECTORY
    assert told.is_directory


def test_without_a_record_the_file_system_speaks(root: vfs.Root, share: Path) -> None:
    for name in ("plain", ".dot", "fixed"):
        (share / name).touch()
    (share / "fixed").chmod(0o444)
    (share / ".dir").mkdir()
    (share / "holes").touch()
    os.truncate(share / "holes", 1 << 20)
    expected = {
        "plain": _ARCHIVE,
        ".dot": _ARCHIVE | _HIDDEN,
        "fixed": _ARCHIVE | _READONLY,
        ".dir": _DIRECTORY | _HIDDEN,
        "holes": _ARCHIVE | _SPARSE,
    }
    assert {name: _attributes(root, name) for name in expected} == expected
    assert _listed(root) == expected


@pytest.mark.parametrize("read", [True, False], ids=["data", "metadata only"])
@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (_NORMAL, _NORMAL),
        (0, _NORMAL),
        (_ARCHIVE, _ARCHIVE),
        (_READONLY | _HIDDEN | _SYSTEM, _READONLY | _HIDDEN | _SYSTEM),
        (_HIDDEN | _NORMAL | _DIRECTORY | 0x400, _HIDDEN),
        (0x100 | 0x1000 | 0x2000 | _ARCHIVE, 0x100 | 0x1000 | 0x2000 | _ARCHIVE),
    ],
)
def test_attributes_are_kept(
    root: vfs.Root, share: Path, read: bool, wanted: int, shown: int
) -> None:
    (share / ".file").touch()
    with root.open(".file", read=read, write=False) as file:
        before = vfs.information(file)
        vfs.set_attributes(file, wanted)
        after = vfs.information(file)
    assert after.attributes == shown
    assert after.creation_time == before.creation_time
    assert _listed(root) == {".file": shown}


def test_a_folder_stays_one(root: vfs.Root, share: Path) -> None:
    (share / "dir").mkdir()
    with stat_of(root, "dir") as folder:
        vfs.set_attributes(folder, _HIDDEN | _READONLY)
        assert vfs.information(folder).attributes == _DIRECTORY | _HIDDEN | _READONLY
        vfs.set_attributes(folder, _NORMAL)
        assert vfs.information(folder).attributes == _DIRECTORY
    record = dosattrib.parse(os.getxattr(share / "dir", "user.DOSATTRIB"))
    assert record is not None
    assert record.attributes == _DIRECTORY


def test_a_young_file_is_described_once_and_its_first_record_is_seen(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "young").touch()
    with stat_of(root, "young") as file:
        raw = information_module.raw_status_of(file.fd)
        # As a clock that ticks slowly has it: no status tells of the record.
        monkeypatch.setattr(information_module, "raw_status_of", lambda _: raw)
        told = vfs.information(file)
        assert vfs.information(file) is told
        vfs.set_attributes(file, _HIDDEN)
        assert vfs.information(file).attributes == _HIDDEN
        os.removexattr(share / "young", "user.DOSATTRIB")
        assert vfs.information(file) == told


def test_what_already_is_costs_no_record(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    with stat_of(root, "file") as file:
        told = vfs.information(file)
        vfs.set_attributes(file, _ARCHIVE)
        vfs.set_times(file, told.creation_time, None, told.last_write_time, told.change_time)
    assert os.listxattr(share / "file") == []


def test_clearing_readonly_lets_the_owner_write_again(root: vfs.Root, share: Path) -> None:
    (share / "fixed").touch()
    (share / "fixed").chmod(0o444)
    if os.geteuid() == 0:
        os.chown(share / "fixed", 65534, 65534)
    with another_user():
        with stat_of(root, "fixed") as file:
            vfs.set_attributes(file, _HIDDEN)
            assert vfs.information(file).attributes == _HIDDEN
        root.open("fixed", read=True, write=True).close()


def test_times_are_kept_to_the_100_ns(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    creation = 132_000_000_000_000_001
    access = 132_111_111_111_111_117
    write = 132_222_222_222_222_229
    for read in (True, False):
        with root.open("file", read=read, write=False) as file:
            vfs.set_times(file, creation, access, write, None)
            told = vfs.information(file)
            assert told.creation_time == creation
            assert told.last_access_time == access
            assert told.last_write_time == write
            assert told.change_time > write
            vfs.set_times(file, None, None, write + 1, None)
            vfs.set_times(file, None, access + 2, None, None)
            vfs.set_times(file, creation + 3, None, None, None)
            vfs.set_attributes(file, _SYSTEM)
            told = vfs.information(file)
            assert told.creation_time == creation + 3
            assert told.last_access_time == access + 2
            assert told.last_write_time == write + 1
            assert told.attributes == _SYSTEM


def test_a_change_time_that_was_set_holds_until_something_changes(
    root: vfs.Root, share: Path
) -> None:
    (share / "file").touch()
    for read in (True, False):
        with root.open("file", read=read, write=False) as file:
            vfs.set_times(file, None, None, 132_222_222_222_222_229, 132_333_333_333_333_331)
            told = vfs.information(file)
            assert told.last_write_time == 132_222_222_222_222_229
            assert told.change_time == 132_333_333_333_333_331
            assert told.ea_size == 0
    now = (share / "file").stat().st_ctime_ns
    record = os.getxattr(share / "file", change_time.NAME)
    assert change_time.still_valid(record, now) == 132_333_333_333_333_331
    assert change_time.still_valid(record, now + 1_000_000_000) is None
    assert change_time.still_valid(b"damaged", now) is None


def test_a_listing_leaves_out_what_smb_cannot_serve(root: vfs.Root, share: Path) -> None:
    (share / "dir").mkdir()
    (share / "dir" / "file").write_text("12345")
    os.setxattr(share / "dir" / "file", "user.DOSATTRIB", dosattrib.pack(_SYSTEM, 1))
    os.mkfifo(share / "fifo")
    (share / "inside").symlink_to("dir/file")
    (share / "folder").symlink_to("dir")
    (share / "outside").symlink_to("/etc/passwd")
    (share / "dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        at = os.open(share, os.O_PATH)
        listener.bind(f"/proc/self/fd/{at}/socket")
        os.close(at)
    assert _listed(root) == {"dir": _DIRECTORY, "inside": _SYSTEM, "folder": _DIRECTORY}
    with root.open("", read=True, write=False) as top:
        inside = vfs.entries(top, ["inside"])[0]
        assert inside is not None
        assert inside.end_of_file == 5
        assert inside.index_number == (share / "dir" / "file").stat().st_ino
        assert vfs.entries(top, ["gone"])[0] is None
        assert not vfs.is_empty(top)


def test_dot_and_dot_dot_stay_in_the_share(root: vfs.Root, share: Path) -> None:
    (share / "dir" / "sub").mkdir(parents=True)
    top_inode = share.stat().st_ino
    dir_inode = (share / "dir").stat().st_ino
    for path, here, above in (("", top_inode, top_inode), ("dir", dir_inode, top_inode)):
        with root.open(path, read=True, write=False) as folder:
            told = vfs.entries(folder, [".", ".."])
        assert [entry.index_number for entry in told if entry] == [here, above]


def test_ten_thousand_entries_are_listed_with_all_their_names(root: vfs.Root, share: Path) -> None:
    names = {f"file{number}.txt" for number in range(10_000)}
    for name in names:
        os.close(os.open(share / name, os.O_CREAT | os.O_WRONLY))
    assert set(_listed(root)) == names


def test_two_listings_of_one_open_folder_do_not_disturb_each_other(
    root: vfs.Root, share: Path
) -> None:
    for number in range(2000):
        (share / str(number)).touch()
    with root.open("", read=True, write=False) as top:
        with os.scandir(top.fd) as elsewhere:
            next(elsewhere)
            assert len(names_in(top)) == 2000
        assert len(names_in(top)) == 2000
    with stat_of(root, "") as top:
        assert len(names_in(top)) == 2000
    with stat_of(root, "1") as file, refused(NtStatus.INVALID_PARAMETER):
        names_in(file)


def test_only_a_user_that_may_remove_is_told_so(root: vfs.Root, share: Path) -> None:
    share.chmod(0o755)
    for name, mode in (("sticky", 0o1777), ("open", 0o777), ("shut", 0o755)):
        (share / name).mkdir()
        (share / name / "file").touch()
        (share / name).chmod(mode)
    if os.geteuid() != 0:
        pytest.skip("needs files of two users")
    with another_user():
        removable = {}
        for path in ("sticky/file", "open/file", "shut/file", "open", ""):
            with stat_of(root, path) as file:
                removable[path] = vfs.may_remove(file)
    assert removable == {
        "sticky/file": False,
        "open/file": True,
        "shut/file": False,
        "open": False,
        "": False,
    }


@pytest.fixture
def no_user_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without extended attributes, which vfat and old tmpfs are."""

    def unsupported(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    for call in ("setxattr", "getxattr", "listxattr", "removexattr"):
        monkeypatch.setattr(attributes_module.os, call, unsupported)


@pytest.mark.usefixtures("no_user_attributes")
def test_where_nothing_can_be_stored_readonly_is_the_mode(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    (share / "file").chmod(0o664)
    with stat_of(root, "file") as file:
        vfs.set_attributes(file, _READONLY | _ARCHIVE)
        assert vfs.information(file).attributes == _READONLY | _ARCHIVE
        assert (share / "file").stat().st_mode & 0o777 == 0o444
        vfs.set_attributes(file, _ARCHIVE)
        assert vfs.information(file).attributes == _ARCHIVE
        vfs.set_attributes(file, _NORMAL)
        vfs.set_times(file, 1, None, None, None)
        with refused(NtStatus.NOT_SUPPORTED):
            vfs.set_attributes(file, _HIDDEN)
        with refused(NtStatus.NOT_SUPPORTED):
            vfs.set_sparse(file, sparse=True)
        assert vfs.list_eas(file, 65536) == []
        with refused(NtStatus.NOT_SUPPORTED):
            vfs.set_eas(file, [ExtendedAttribute(b"A", b"1")])
    (share / ".dot").touch()
    with stat_of(root, ".dot") as file:
        vfs.set_attributes(file, _HIDDEN | _ARCHIVE)
        assert vfs.information(file).attributes == FileAttribute.HIDDEN | FileAttribute.ARCHIVE


@pytest.fixture
def listed(root: vfs.Root, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The files whose extended attributes are listed from now on, as often as they are."""
    with stat_of(root, "") as folder:
        if not folder.dates_records:
            pytest.skip("here a change of extended attributes may not show")
    calls: list[object] = []
    list_them = os.listxattr

    def listxattr(target: str, *, follow_symlinks: bool = True) -> list[str]:
        calls.append(target)
        return list_them(target, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "listxattr", listxattr)
    monkeypatch.setattr(records_module, "_remembered", {})
    return calls


def test_records_are_remembered_until_the_file_has_changed(
    root: vfs.Root, share: Path, listed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "_SETTLED_NS", -(1 << 62))
    (share / "file").touch()
    for attributes in (_HIDDEN | _ARCHIVE, _SYSTEM | _ARCHIVE, _ARCHIVE):
        _wait_for_another_tick(share)
        _set(root, "file", attributes)
        before = len(listed)
        for _ in range(3):
            assert _attributes(root, "file") == attributes
        assert len(listed) == before + 1
    _wait_for_another_tick(share)
    os.setxattr(share / "file", dosattrib.NAME, dosattrib.pack(_SYSTEM, None))  # another program
    assert _attributes(root, "file") == _SYSTEM


def test_records_of_a_file_that_has_changed_lately_are_not_remembered(
    root: vfs.Root, share: Path, listed: list[object]
) -> None:
    (share / "file").touch()
    for number in range(1, 4):
        assert _attributes(root, "file") == _ARCHIVE
        assert len(listed) == number


def test_records_that_cannot_be_read_are_asked_for_again(
    root: vfs.Root, share: Path, listed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(records_module, "_SETTLED_NS", -(1 << 62))
    (share / "file").touch()
    os.setxattr(share / "file", dosattrib.NAME, dosattrib.pack(_SYSTEM, None))
    with monkeypatch.context() as patched:
        patched.setattr(os, "getxattr", broken)
        assert _attributes(root, "file") == _ARCHIVE
    assert _attributes(root, "file") == _SYSTEM


def _set(root: vfs.Root, path: str, attributes: int) -> None:
    with stat_of(root, path) as file:
        vfs.set_attributes(file, attributes)


def _wait_for_another_tick(folder: Path) -> None:
    """Until a change gets another time than the one before."""
    probe = folder / "probe"
    probe.touch()
    first = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == first:
        os.utime(probe)
