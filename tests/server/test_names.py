"""Names: what SMB, Unix and people each mean by one."""

import os
import unicodedata

import pytest
from smbprotocol.file_info import FileInformationClass

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition
from smbd.wire.fscc import FileClass
from smbd.wire.query_directory import QueryDirectoryFlags
from tests.server.clients import refusal
from tests.server.clients.information import link, query_raw, rename

NAMES = [
    "Grüße aus Köln, Ελληνικά и русский.txt",
    "文件夹の中の파일",
    "🦊 in the 🌲, 👩‍👩‍👧‍👦 joined.png",
    "שלום עالم",
    unicodedata.normalize("NFC", "é composed"),
    unicodedata.normalize("NFD", "é combining"),
    "percent % hash # apostrophe ' $HOME `id` ~ (x) [y] {z} & + , = @ !",
    "x" * 255,
    "ü" * 127,
]
LISTINGS = [
    FileInformationClass.FILE_DIRECTORY_INFORMATION,
    FileInformationClass.FILE_FULL_DIRECTORY_INFORMATION,
    FileInformationClass.FILE_BOTH_DIRECTORY_INFORMATION,
    FileInformationClass.FILE_NAMES_INFORMATION,
    FileInformationClass.FILE_ID_BOTH_DIRECTORY_INFORMATION,
    FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION,
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_of_any_script_goes_there_and_back(folder, client, name):
    client.put(name, name.encode())
    assert [one.name for one in folder.iterdir()] == [name]
    assert client.names() == {name}
    assert client.get(name) == name.encode()
    client.remove(name)
    assert client.names() == set()


@pytest.mark.parametrize("name", NAMES[:4], ids=ascii)
def test_what_unix_made_is_found(folder, client, name):
    (folder / name).mkdir()
    (folder / name / name).write_bytes(b"found")
    assert client.names() == {name}
    assert client.names(name) == {name}
    assert client.get(f"{name}/{name}") == b"found"


def test_composed_and_combining_are_two_names(folder, pypi):
    composed, combining = "\u00e9", "e\u0301"
    pypi.put(composed, b"one character")
    pypi.put(combining, b"two")
    assert pypi.names() == {composed, combining}
    assert pypi.get(composed) == b"one character"


@pytest.mark.parametrize(
    ("on_disk", "asked"),
    [
        ("ReadMe.txt", "README.TXT"),
        ("ÄÖÜ.txt", "äöü.TXT"),
        ("привет", "ПРИВЕТ"),
    ],
)
def test_letter_case_makes_no_difference(folder, client, on_disk, asked):
    (folder / on_disk).write_bytes(b"the same file")
    assert client.get(asked) == b"the same file"
    client.put(asked, b"changed")
    assert [one.name for one in folder.iterdir()] == [on_disk]
    assert (folder / on_disk).read_bytes() == b"changed"


def test_of_two_names_that_differ_in_case_only_each_gives_its_own(folder, client):
    (folder / "file").write_bytes(b"small")
    (folder / "FILE").write_bytes(b"capital")
    assert client.get("file") == b"small"
    assert client.get("FILE") == b"capital"


def test_characters_that_smb_cannot_say_travel_in_the_private_area(folder, pypi):
    (folder / 'what? a:b "quoted" <x|y>*').write_bytes(b"readable")
    (name,) = pypi.names()
    assert not set(name) & set('?:"<>|*\\/')
    assert pypi.get(name) == b"readable"


# What older systems, and Windows clients with half a surrogate pair, left on disk.
NO_UTF_8 = [b"latin-1 \xe4\xf6\xfc", b"half\xed\xa0\x80", b"\xff", b"cut \xe3\x81"]


@pytest.mark.parametrize("raw", NO_UTF_8, ids=ascii)
def test_a_name_that_is_no_utf8_is_listed_opened_written_and_removed(folder, client, raw):
    (folder / os.fsdecode(raw)).write_bytes(b"old disk")
    (folder / "plain").touch()
    (name,) = client.names() - {"plain"}
    assert client.get(name) == b"old disk"
    client.put(name, b"written")
    assert (folder / os.fsdecode(raw)).read_bytes() == b"written"
    client.remove(name)
    assert [one.name for one in folder.iterdir()] == ["plain"]


def test_a_folder_whose_name_is_no_utf8_is_gone_into(folder, client):
    (folder / os.fsdecode(b"\xe4")).mkdir()
    (folder / os.fsdecode(b"\xe4") / os.fsdecode(b"\xf6")).write_bytes(b"deep")
    (name,) = client.names()
    (below,) = client.names(name)
    assert client.get(f"{name}/{below}") == b"deep"


def told_name(opened, number):
    answer = query_raw(opened, number)
    if number == FileClass.ALL:
        answer = answer[96:]  # behind the parts of a fixed size
    return answer[4 : 4 + int.from_bytes(answer[:4], "little")].decode("utf-16-le")


def test_it_has_the_same_name_wherever_names_go_out(folder, pypi):
    (folder / os.fsdecode(b"gr\xfcn")).write_bytes(b"old disk")
    shown = "gr\uf0fcn"
    opened = pypi.open("", access=Access.FILE_READ_DATA)
    for kind in LISTINGS:
        for pattern in ("*", "GR?n", shown):
            entries = opened.query_directory(pattern, kind, flags=QueryDirectoryFlags.RESTART_SCANS)
            names = {one["file_name"].get_value().decode("utf-16-le") for one in entries}
            assert names - {".", ".."} == {shown}
    opened.close()
    opened = pypi.open(shown, access=Access.FILE_READ_ATTRIBUTES)
    assert told_name(opened, FileClass.ALL) == f"\\{shown}"
    assert told_name(opened, FileClass.NORMALIZED_NAME) == shown
    short = told_name(opened, FileClass.ALTERNATE_NAME)
    opened.close()
    assert short.isascii()
    assert pypi.get(short) == b"old disk"


def test_links_and_renames_take_such_names(folder, pypi):
    (folder / os.fsdecode(b"\xe4")).write_bytes(b"old disk")
    opened = pypi.open("\uf0e4", access=Access.DELETE | Access.FILE_WRITE_ATTRIBUTES)
    link(opened, "\uf0f6")
    rename(opened, "\uf0fc")
    opened.close()
    assert {os.fsencode(one.name) for one in folder.iterdir()} == {b"\xf6", b"\xfc"}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("wild*card", NtStatus.OBJECT_NAME_INVALID),
        ("quest?ion", NtStatus.OBJECT_NAME_INVALID),
        ("less<more>", NtStatus.OBJECT_NAME_INVALID),
        ('quo"te', NtStatus.OBJECT_NAME_INVALID),
        ("pi|pe", NtStatus.OBJECT_NAME_INVALID),
        ("sla/sh", NtStatus.OBJECT_NAME_INVALID),
        ("bell\a", NtStatus.OBJECT_NAME_INVALID),
        ("nul\0", NtStatus.OBJECT_NAME_INVALID),
        ("\\leading", NtStatus.INVALID_PARAMETER),
        ("x" * 256, NtStatus.OBJECT_NAME_INVALID),
        ("ü" * 128, NtStatus.OBJECT_NAME_INVALID),
    ],
    ids=ascii,
)
def test_what_is_no_name(folder, pypi, name, status):
    assert refusal(pypi.open, name, disposition=CreateDisposition.OPEN_IF) == status
    assert list(folder.iterdir()) == []


def test_a_path_longer_than_windows_would_like(folder, client):
    deep = "/".join(["directory with a long name"] * 12)
    (folder / deep).mkdir(parents=True)
    client.put(f"{deep}/file", b"far down")
    assert client.get(f"{deep}/file") == b"far down"
