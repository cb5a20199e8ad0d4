"""What a client has set is stored; what the file says itself is asked at each look."""

import os
from pathlib import Path

import pytest

from smbd import vfs
from smbd.vfs import dosattrib
from tests.vfs.conftest import stat_of

_READONLY, _HIDDEN, _SYSTEM = 0x1, 0x2, 0x4
_DIRECTORY, _ARCHIVE, _NORMAL, _SPARSE = 0x10, 0x20, 0x80, 0x200
_LONG_AGO = 132_000_000_000_000_001


def _attributes(root: vfs.Root, path: str) -> int:
    with stat_of(root, path) as file:
        return vfs.information(file).attributes


def _record(path: Path) -> dosattrib.Record:
    record = dosattrib.parse(os.getxattr(path, dosattrib.NAME))
    assert record is not None
    return record


def _make_computed(share: Path) -> None:
    """A file that shows HIDDEN, READONLY and SPARSE_FILE, none of them stored."""
    (share / ".tmp").touch()
    os.truncate(share / ".tmp", 1 << 20)
    (share / ".tmp").chmod(0o444)


def _make_plain(share: Path) -> None:
    """The same file with another name, another mode and all its bytes."""
    (share / ".tmp").rename(share / "final")
    (share / "final").chmod(0o644)
    (share / "final").write_bytes(bytes(range(256)) * 4096)


@pytest.mark.parametrize("record", ["a creation time", "an attribute", "read and set"])
def test_what_a_file_shows_by_itself_goes_when_its_reason_goes(
    root: vfs.Root, share: Path, record: str
) -> None:
    _make_computed(share)
    shown = _ARCHIVE | _HIDDEN | _READONLY | _SPARSE
    assert _attributes(root, ".tmp") == shown
    with stat_of(root, ".tmp") as file:
        if record == "a creation time":
            vfs.set_times(file, _LONG_AGO, None, None, None)
        elif record == "an attribute":
            vfs.set_attributes(file, shown | _SYSTEM)
        else:
            vfs.set_attributes(file, shown)
        stored = _SYSTEM if record == "an attribute" else 0
        assert vfs.information(file).attributes == shown | stored
    _make_plain(share)
    assert _attributes(root, "final") == _ARCHIVE | stored


def test_what_a_client_has_set_stays_whatever_the_file_says(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    with stat_of(root, "file") as file:
        vfs.set_attributes(file, _ARCHIVE | _HIDDEN | _READONLY)
        vfs.set_sparse(file, sparse=True)
    (share / "file").rename(share / ".file")
    (share / ".file").chmod(0o444)
    with stat_of(root, ".file") as file:
        vfs.set_attributes(file, _ARCHIVE | _HIDDEN | _READONLY | _SYSTEM)
    (share / ".file").rename(share / "file")
    (share / "file").chmod(0o644)
    assert _attributes(root, "file") == _ARCHIVE | _HIDDEN | _READONLY | _SPARSE | _SYSTEM


def test_hidden_taken_from_a_name_with_a_dot_stays_away(root: vfs.Root, share: Path) -> None:
    (share / ".file").touch()
    with stat_of(root, ".file") as file:
        vfs.set_attributes(file, _NORMAL)
        assert vfs.information(file).attributes == _NORMAL
        vfs.set_times(file, _LONG_AGO, None, None, None)
        vfs.set_attributes(file, _SYSTEM)
        assert vfs.information(file).attributes == _SYSTEM
        vfs.set_attributes(file, _HIDDEN)
        assert vfs.information(file).attributes == _HIDDEN
    (share / ".file").rename(share / "file")
    assert _attributes(root, "file") == _HIDDEN
    assert _record(share / "file").cleared == 0


def test_clearing_readonly_of_a_mode_changes_the_mode(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    (share / "file").chmod(0o444)
    with stat_of(root, "file") as file:
        vfs.set_attributes(file, _ARCHIVE)
        assert vfs.information(file).attributes == _ARCHIVE
    assert (share / "file").stat().st_mode & 0o777 == 0o644
    (share / "file").chmod(0o444)
    assert _attributes(root, "file") == _ARCHIVE | _READONLY


def test_what_a_create_brings_was_said_by_the_client(root: vfs.Root) -> None:
    with root.create(".file", directory=False) as file:
        vfs.give_attributes(file, _HIDDEN | _ARCHIVE)
        root.rename(file, "file", replace=False)
        assert vfs.information(file).attributes == _HIDDEN | _ARCHIVE
        root.rename(file, ".file", replace=False)
        vfs.give_attributes(file, _ARCHIVE)
        assert vfs.information(file).attributes == _HIDDEN | _ARCHIVE
        root.rename(file, "file", replace=False)
        assert vfs.information(file).attributes == _ARCHIVE


def test_a_record_says_in_samba_s_words_only_what_a_client_set(root: vfs.Root, share: Path) -> None:
    _make_computed(share)
    with stat_of(root, ".tmp") as file:
        vfs.set_times(file, _LONG_AGO, None, None, None)
    assert _record(share / ".tmp") == dosattrib.Record(_ARCHIVE, _LONG_AGO)
    (share / "file").touch()
    with stat_of(root, "file") as file:
        vfs.set_attributes(file, _SYSTEM)
        assert _record(share / "file") == dosattrib.Record(_SYSTEM, None)
        birth = vfs.information(file).creation_time
    # What Samba 4.16 and later writes: version 5, flags "attributes", no creation time.
    value = bytes.fromhex("0000 0500 0500 0000 01000000 04000000 0000000000000000")
    assert os.getxattr(share / "file", dosattrib.NAME) == value
    with stat_of(root, "file") as file:
        assert vfs.information(file).creation_time == birth
        assert vfs.information(file).attributes == _SYSTEM


def test_a_folder_is_hidden_by_its_name_as_long_as_it_has_it(root: vfs.Root, share: Path) -> None:
    (share / ".dir").mkdir()
    with stat_of(root, ".dir") as folder:
        vfs.set_times(folder, _LONG_AGO, None, None, None)
    (share / ".dir").rename(share / "dir")
    assert _attributes(root, "dir") == _DIRECTORY
