"""What SET_INFO sets, QUERY_INFO and the disk both tell ([MS-FSCC] 2.4)."""

import re

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.create import CreateOptions
from smbd.wire.filetime import filetime_from_unix
from smbd.wire.fscc import FileAttribute
from tests.server.clients import refusal
from tests.server.clients.information import basic, set_basic, set_end_of_file, standard

THEN = 126_256_466_296_543_217  # 2001-02-03 04:03:49.6543217, as FILETIME
EARLIER = 125_911_583_999_999_990  # 1999-12-31 23:59:59.999999
ATTRIBUTES = Access.FILE_READ_ATTRIBUTES | Access.FILE_WRITE_ATTRIBUTES
SETTABLE = [
    FileAttribute.READONLY,
    FileAttribute.HIDDEN,
    FileAttribute.SYSTEM,
    FileAttribute.ARCHIVE,
    FileAttribute.HIDDEN | FileAttribute.SYSTEM | FileAttribute.READONLY,
]


def attributes(opened):
    return basic(opened)["file_attributes"].get_value()


def time_of(opened, name):
    return basic(opened)[name].get_value()


def test_times_are_set_and_kept(folder, pypi):
    opened = pypi.open("file")
    set_basic(opened, last_access_time=EARLIER, last_write_time=THEN, creation_time=EARLIER)
    opened.close()
    stat = (folder / "file").stat()
    assert filetime_from_unix(stat.st_mtime_ns) == THEN
    assert filetime_from_unix(stat.st_atime_ns) == EARLIER
    opened = pypi.open("file", access=ATTRIBUTES)
    assert time_of(opened, "last_write_time") == THEN
    assert time_of(opened, "last_access_time") == EARLIER
    assert time_of(opened, "creation_time") == EARLIER
    opened.close()


@pytest.mark.parametrize("name", ["last_access_time", "last_write_time", "creation_time"])
def test_a_time_that_is_not_named_stays(pypi, name):
    opened = pypi.open("file")
    names = ["last_access_time", "last_write_time", "creation_time"]
    set_basic(opened, **dict.fromkeys(names, EARLIER))
    set_basic(opened, **{name: THEN})
    for each in names:
        assert time_of(opened, each) == (THEN if each == name else EARLIER)
    opened.close()


def test_times_to_100_nanoseconds(folder, pypi):
    pypi.put("file", b"")
    nanoseconds = 1_234_567_890_123_456_700
    pypi.call("utime", "file", ns=(nanoseconds, nanoseconds + 100))
    stat = pypi.call("stat", "file")
    assert (stat.st_atime_ns, stat.st_mtime_ns) == (nanoseconds, nanoseconds + 100)
    assert (folder / "file").stat().st_mtime_ns == nanoseconds + 100


def test_a_folder_has_times_too(folder, pypi):
    (folder / "directory").mkdir()
    opened = pypi.open("directory", access=ATTRIBUTES, options=CreateOptions.DIRECTORY_FILE)
    set_basic(opened, last_write_time=THEN, creation_time=EARLIER)
    assert time_of(opened, "last_write_time") == THEN
    assert time_of(opened, "creation_time") == EARLIER
    opened.close()
    assert filetime_from_unix((folder / "directory").stat().st_mtime_ns) == THEN


def test_writing_moves_the_write_time(pypi):
    opened = pypi.open("file")
    set_basic(opened, last_write_time=THEN)
    opened.close()
    opened = pypi.open("file")
    opened.write(b"later")
    assert time_of(opened, "last_write_time") > THEN
    opened.close()


@pytest.mark.parametrize("wanted", SETTABLE, ids=hex)
def test_attributes_are_set_and_kept(folder, pypi, wanted):
    opened = pypi.open("file")
    set_basic(opened, file_attributes=wanted)
    assert attributes(opened) == wanted
    opened.close()
    opened = pypi.open("file", access=ATTRIBUTES)
    assert opened.file_attributes == attributes(opened) == wanted
    set_basic(opened, file_attributes=FileAttribute.NORMAL)
    assert attributes(opened) == FileAttribute.NORMAL
    opened.close()


def test_attributes_of_a_folder(folder, pypi):
    (folder / "directory").mkdir()
    opened = pypi.open("directory", access=ATTRIBUTES)
    set_basic(opened, file_attributes=FileAttribute.HIDDEN | FileAttribute.DIRECTORY)
    assert attributes(opened) == FileAttribute.HIDDEN | FileAttribute.DIRECTORY
    opened.close()


def test_samba_sees_the_same(folder, pypi, samba):
    pypi.open("file", attributes=FileAttribute.HIDDEN | FileAttribute.SYSTEM).close()
    assert re.search(r"^  file +AHS +0 ", samba.run("ls file"), re.MULTILINE)
    samba.run("setmode file -hs", "setmode file +r")
    opened = pypi.open("file", access=ATTRIBUTES)
    assert attributes(opened) == FileAttribute.READONLY | FileAttribute.ARCHIVE
    opened.close()


def test_a_file_is_no_directory_by_attribute(pypi):
    opened = pypi.open("file")
    status = refusal(set_basic, opened, file_attributes=FileAttribute.DIRECTORY)
    assert status == NtStatus.INVALID_PARAMETER
    opened.close()


def test_the_right_to_write_attributes_is_needed(pypi):
    opened = pypi.open("file", access=Access.FILE_READ_DATA | Access.FILE_READ_ATTRIBUTES)
    assert refusal(set_basic, opened, last_write_time=THEN) == NtStatus.ACCESS_DENIED
    opened.close()


@pytest.mark.parametrize("size", [0, 1, 4096, 5000, 10_000, 1 << 33])
def test_the_end_of_a_file_moves_either_way(folder, pypi, size):
    data = b"0123456789" * 500
    (folder / "file").write_bytes(data)
    opened = pypi.open("file")
    set_end_of_file(opened, size)
    assert standard(opened)["end_of_file"].get_value() == size
    got = opened.read(0, 8192) if size else b""
    assert got == (data[:size] + bytes(8192))[: min(size, 8192)]
    opened.close()
    assert (folder / "file").stat().st_size == size


def test_the_right_to_write_is_needed_to_truncate(folder, pypi):
    (folder / "file").write_bytes(b"data")
    opened = pypi.open("file", access=Access.FILE_READ_DATA)
    assert refusal(set_end_of_file, opened, 0) == NtStatus.ACCESS_DENIED
    opened.close()
    assert (folder / "file").read_bytes() == b"data"


def test_sizes_and_links_are_told(folder, pypi):
    (folder / "file").write_bytes(b"x" * 10_000)
    (folder / "twin").hardlink_to(folder / "file")
    opened = pypi.open("file")
    told = standard(opened)
    assert told["end_of_file"].get_value() == 10_000
    assert told["allocation_size"].get_value() >= 10_000
    assert told["number_of_links"].get_value() == 2
    assert told["directory"].get_value() is False
    assert told["delete_pending"].get_value() is False
    opened.close()


def test_how_much_room_there_is(folder, pypi, samba):
    volume = pypi.call("stat_volume", "")
    assert 0 < volume.caller_available_size <= volume.total_size
    assert "blocks available" in samba.run("ls")
