"""What a file system says and SMB has no room for is bounded: one odd file hides no other."""

import os
from pathlib import Path

import pytest

from aio import kernel
from smbd import vfs
from smbd.vfs import change_time, dosattrib, volume
from smbd.wire import create, fscc
from smbd.wire.close import pack_close_response
from smbd.wire.filetime import (
    LAST_FILETIME,
    filetime_from_timespec,
    filetime_from_unix,
    unix_from_filetime,
)
from smbd.wire.fscc import FileView
from tests.vfs.conftest import stat_of

_MOST = {"q": (1 << 63) - 1, "Q": (1 << 64) - 1, "I": (1 << 32) - 1}
_TIMES = ("atime", "btime", "ctime", "mtime")


def _pack_everything(known: fscc.FileInformation) -> None:
    """Every place of the protocol that shows a file."""
    for number in fscc.DIRECTORY_CLASSES:
        _, count = fscc.pack_directory_entries(number, [("name", known, 0)], 65536)
        assert count == 1
    for query in fscc.FILE_QUERIES.values():
        query.pack(FileView(known))
    pack_close_response(known)
    create.pack_create_response(0, 1, known, 1, 1)


@pytest.mark.parametrize("seconds", [-(1 << 63), -(1 << 40), -1, 0, 1 << 41, (1 << 63) - 1])
def test_a_time_is_within_what_a_filetime_can_say(seconds: int) -> None:
    expected = min(max(seconds * 10**7 + filetime_from_unix(0), 0), LAST_FILETIME)
    assert filetime_from_timespec(seconds, 999) == pytest.approx(expected, abs=10)
    assert 0 <= filetime_from_unix(seconds * 10**9) <= LAST_FILETIME


@pytest.mark.parametrize("extreme", ["least", "most"])
def test_a_file_of_extremes_is_listed_opened_and_closed(
    root: vfs.Root, share: Path, monkeypatch: pytest.MonkeyPatch, extreme: str
) -> None:
    (share / "odd").touch()
    statx = kernel.statx

    def odd(*args: object, **wanted: object) -> object:
        status = statx(*args, **wanted)
        most = extreme == "most"
        changes = dict.fromkeys(_TIMES, _MOST["q"] if most else -_MOST["q"] - 1)
        changes |= dict.fromkeys(("size", "blocks", "ino"), _MOST["Q"] if most else 0)
        return status._replace(**changes, nlink=_MOST["I"] if most else 0)

    monkeypatch.setattr(kernel, "statx", odd)
    with root.open("", read=True, write=False) as top:
        entry = vfs.entries(top, ["odd"])[0]
    with stat_of(root, "odd") as file:
        opened = vfs.information(file)
    assert entry is not None
    for known in (entry, opened):
        _pack_everything(known)
        assert known.end_of_file <= LAST_FILETIME
        assert known.allocation_size <= LAST_FILETIME


def test_a_file_of_the_year_71000_is_listed_with_the_last_time_there_is(
    root: vfs.Root, share: Path
) -> None:
    (share / "far").touch()
    os.utime(share / "far", (1 << 41, 1 << 41))
    if (share / "far").stat().st_mtime < 1 << 41:
        pytest.skip("this file system cuts times itself")
    with root.open("", read=True, write=False) as top:
        (entry,) = vfs.entries(top, ["far"])
    assert entry is not None
    assert entry.last_write_time == LAST_FILETIME
    _pack_everything(entry)


def test_a_time_that_is_none_in_a_record_counts_as_not_set(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    with stat_of(root, "file") as file:
        birth = vfs.information(file).creation_time
        for far in (1 << 63, (1 << 64) - 1):
            os.setxattr(share / "file", dosattrib.NAME, dosattrib.pack(0x20, far))
            assert vfs.information(file).creation_time == birth
    stored = change_time._RECORD.pack((1 << 64) - 1, 0)
    assert change_time.still_valid(stored, 0) is None


def test_the_last_time_there_is_can_be_set(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    with stat_of(root, "file") as file:
        vfs.set_times(file, LAST_FILETIME, LAST_FILETIME, LAST_FILETIME, LAST_FILETIME)
        told = vfs.information(file)
    assert told.creation_time == LAST_FILETIME
    assert unix_from_filetime(LAST_FILETIME) > 0
    _pack_everything(told)


def test_a_volume_without_limits_is_shown(root: vfs.Root, monkeypatch: pytest.MonkeyPatch) -> None:
    most = _MOST["Q"]
    limitless = os.statvfs_result((4096, 4096, most, most, most, most, most, most, 0, most))
    monkeypatch.setattr(volume.os, "fstatvfs", lambda _fd: limitless)
    with stat_of(root, "") as top:
        told = root.volume(top)
    assert told.total_units == told.free_units == told.caller_free_units == LAST_FILETIME
    for query in fscc.FILE_SYSTEM_QUERIES.values():
        query.pack(told)
