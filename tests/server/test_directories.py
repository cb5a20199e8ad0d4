"""QUERY_DIRECTORY ([MS-SMB2] 3.3.5.18): every entry, once, however many there are."""

from importlib import import_module

import pytest
from smbprotocol.exceptions import NoMoreFiles
from smbprotocol.file_info import FileInformationClass

from smbd.ntstatus import NtStatus
from smbd.testing import serve_in_thread
from smbd.wire.access import Access
from smbd.wire.create import CreateOptions
from tests.core import messages
from tests.core.messages import ECHO, QUERY_DIRECTORY
from tests.scripted import WINDOWS, connected, frames
from tests.server.clients import refusal

MANY = 10_000
NAMES = FileInformationClass.FILE_NAMES_INFORMATION
RESTART, SINGLE = 1, 2


def directory(pypi, name=""):
    return pypi.open(name, access=Access.FILE_READ_DATA, options=CreateOptions.DIRECTORY_FILE)


def named(entries):
    return [entry["file_name"].get_value().decode("utf-16-le") for entry in entries]


def scan(opened, pattern="*", **how):
    """All names that a handle still gives."""
    names = []
    with pytest.raises(NoMoreFiles):
        while True:
            names += named(opened.query_directory(pattern, NAMES, **how))
    return names


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A folder of ten thousand files, and their names."""
    folder = tmp_path_factory.mktemp("crowd")
    names = {f"file {number:05} with a name of some length.txt" for number in range(MANY)}
    for name in names:
        (folder / name).touch()
    with serve_in_thread(folder, read_only=True) as server:
        yield server, names


def test_ten_thousand_entries_are_listed_completely_and_looked_up_once(crowd, connect, monkeypatch):
    server, names = crowd
    asked, of_vfs = [], import_module("smbd.vfs.listing")
    look = of_vfs.read_entries
    monkeypatch.setattr(
        of_vfs, "read_entries", lambda fd, some, mask: asked.extend(some) or look(fd, some, mask)
    )
    with connect(server) as client:
        listing = client.listing()
    assert len(listing) == len(set(listing))
    assert set(listing) - {".", ".."} == names
    assert len(asked) <= 1.1 * MANY  # what does not fit into an answer is looked up for the next


async def test_a_close_right_behind_a_query_directory_takes_nothing_from_it(crowd):
    """As smbtorture's compound_find_close, whose CLOSE overtakes no listing of 8 MiB."""
    server, names = crowd
    async with connected(server, WINDOWS) as client:
        await client.connect()
        await client.ask(ECHO, asked=300)
        folder = await client.open("", access=frames.READ_ATTRIBUTES, disposition=1, options=1)
        body = messages.query_directory(folder, info_class=frames.ID_BOTH_DIRECTORY, length=8 << 20)
        query = await client.begin(QUERY_DIRECTORY, body, charge=128)
        assert (await client.close(folder)).status == 0
        listed = await client.reply(query)
        assert listed.status == 0
        assert set(frames.listed(listed)) == names | {".", ".."}


def test_an_empty_folder_has_its_two_dots(pypi):
    opened = directory(pypi)
    assert scan(opened) == [".", ".."]
    opened.close()


def test_patterns(folder, pypi):
    for name in ("one.txt", "two.txt", "three.TXT", "four.log", "five"):
        (folder / name).touch()
    for pattern, expected in (
        ("*.txt", {"one.txt", "two.txt", "three.TXT"}),
        ("*.TXT", {"one.txt", "two.txt", "three.TXT"}),
        ("t*", {"two.txt", "three.TXT"}),
        ("????.*", {"four.log"}),
        ("f???", {"five"}),
        ("FIVE", {"five"}),
        ("*", {"one.txt", "two.txt", "three.TXT", "four.log", "five", ".", ".."}),
    ):
        opened = directory(pypi)
        assert set(scan(opened, pattern)) == expected, pattern
        opened.close()


def test_a_pattern_that_nothing_matches(folder, pypi):
    (folder / "file").touch()
    opened = directory(pypi)
    assert refusal(opened.query_directory, "*.none", NAMES) == NtStatus.NO_SUCH_FILE
    opened.close()


def test_the_end_is_the_end_until_the_scan_restarts(folder, pypi):
    (folder / "file").touch()
    opened = directory(pypi)
    assert scan(opened) == [".", "..", "file"]
    assert refusal(opened.query_directory, "*", NAMES) == NtStatus.NO_MORE_FILES
    (folder / "later").touch()
    assert named(opened.query_directory("*", NAMES, flags=SINGLE | RESTART)) == ["."]
    assert set(scan(opened)) == {"..", "file", "later"}
    opened.close()


def test_one_at_a_time(folder, pypi):
    for number in range(20):
        (folder / f"{number}").touch()
    opened = directory(pypi)
    names = scan(opened, flags=SINGLE)
    assert len(names) == 22
    assert set(names) == {".", "..", *map(str, range(20))}
    opened.close()


def test_entries_that_vanish_meanwhile_do_not_stop_it(folder, pypi):
    for number in range(3000):
        (folder / f"{number:04}").touch()
    opened = directory(pypi)
    names = named(opened.query_directory("*", NAMES))
    gone = {f"{number:04}" for number in range(0, 3000, 2)}
    for name in gone:
        (folder / name).unlink()
    rest = scan(opened)
    assert len(names + rest) == len({*names, *rest})
    assert {f"{number:04}" for number in range(1, 3000, 2)} <= {*names, *rest}
    opened.close()


@pytest.mark.parametrize(
    "kind",
    [
        FileInformationClass.FILE_DIRECTORY_INFORMATION,
        FileInformationClass.FILE_FULL_DIRECTORY_INFORMATION,
        FileInformationClass.FILE_BOTH_DIRECTORY_INFORMATION,
        FileInformationClass.FILE_ID_BOTH_DIRECTORY_INFORMATION,
        FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION,
    ],
)
def test_entries_tell_what_the_files_are(folder, pypi, kind):
    (folder / "file").write_bytes(b"x" * 1234)
    (folder / "directory").mkdir()
    opened = directory(pypi)
    entries = dict(zip(named(found := opened.query_directory("*", kind)), found, strict=True))
    assert set(entries) == {".", "..", "file", "directory"}
    assert entries["file"]["end_of_file"].get_value() == 1234
    assert entries["file"]["file_attributes"].get_value() == 0x20
    assert entries["directory"]["file_attributes"].get_value() == 0x10
    if "file_id" in entries["file"].fields:
        assert entries["file"]["file_id"].get_value() == (folder / "file").stat().st_ino
    opened.close()


def test_a_file_is_not_listed(folder, pypi):
    (folder / "file").touch()
    opened = pypi.open("file", access=Access.FILE_READ_DATA)
    assert refusal(opened.query_directory, "*", NAMES) == NtStatus.INVALID_PARAMETER
    opened.close()


def test_folders_in_folders(folder, client):
    (folder / "a" / "b" / "c").mkdir(parents=True)
    (folder / "a" / "b" / "c" / "deep").write_bytes(b"down here")
    assert client.names("a/b/c") == {"deep"}
    assert client.get("a/b/c/deep") == b"down here"


def test_walking_a_tree(folder, pypi):
    for place in ("a/b", "a/c", "d"):
        (folder / place).mkdir(parents=True)
        (folder / place / "file").touch()
    found = [(at[len(pypi.path()) :], dirs, files) for at, dirs, files in pypi.call("walk", "")]
    assert sorted((at, sorted(dirs), files) for at, dirs, files in found) == [
        ("", ["a", "d"], []),
        ("a", ["b", "c"], []),
        ("a\\b", [], ["file"]),
        ("a\\c", [], ["file"]),
        ("d", [], ["file"]),
    ]
