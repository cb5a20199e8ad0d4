"""A folder made from a dict is equal to it when it is read, and says what differs."""

import os
import stat
from datetime import UTC, datetime

import pytest

from smbd.content import (
    ARCHIVE,
    HIDDEN,
    READONLY,
    SYSTEM,
    File,
    Folder,
    Symlink,
    make,
    put,
    read,
    read_tree,
)

WRITTEN = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
TREE = {
    "a": {
        "b.txt": "text: \u00e4",
        "c.bin": b"\xff\x00",
        "link": Symlink("b.txt"),
        "old.txt": File(b"", mtime=WRITTEN, attributes=READONLY | HIDDEN, mode=0o444, size=5 << 30),
        "marked": File(
            "x",
            created=1e9,
            streams={"Zone.Identifier": "[ZoneTransfer]\r\n", "large": bytes(100_000)},
            eas={"COMMENT": b"\x01"},
        ),
    },
    "empty": {},
    "folder": Folder({"x": "y"}, attributes=HIDDEN, mtime=1e9, mode=0o555),
}


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    (tmp_path / "folder").exists() and (tmp_path / "folder").chmod(0o755)


def test_what_was_made_is_what_is_read(folder):
    make(folder, TREE)
    assert read_tree(folder) == TREE
    assert TREE == read_tree(folder)  # noqa: SIM300 -- a dict asks as well
    assert read_tree(folder, "a") == TREE["a"]


def test_it_is_on_the_disk_as_it_was_said(folder):
    make(folder, TREE)
    assert (folder / "a" / "b.txt").read_text("utf-8") == "text: \u00e4"
    assert (folder / "a" / "link").readlink().name == "b.txt"
    status = (folder / "a" / "old.txt").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o444, 5 << 30)
    assert status.st_blocks == 0, "its size is a hole"
    assert status.st_mtime == WRITTEN.timestamp()
    assert b"user.DOSATTRIB" in map(os.fsencode, os.listxattr(folder / "a" / "old.txt"))


@pytest.mark.parametrize(
    "other",
    [
        {"b": "text"},
        {"a": "Text"},
        {"a": b"text\0"},
        {"a": {}},
        {"a": Symlink("text")},
        {"a": "text", "b": ""},
        {"a": File("text", size=5)},
        {"a": File("text", mtime=2e9)},
        {"a": File("text", attributes=ARCHIVE | SYSTEM)},
        {"a": File("text", mode=0o600)},
        {"a": File("text", eas={"E": "v"})},
        {"a": File("text", streams={"s": ""})},
    ],
)
def test_what_differs_is_not_equal(folder, other):
    make(folder, {"a": File("text", mtime=1e9, mode=0o640)})
    assert read_tree(folder) != other
    assert other != read_tree(folder)


def test_what_is_not_said_is_not_asked(folder):
    make(folder, {"a": File("text", mtime=1e9, mode=0o640, streams={"s": "t"})})
    for said in ("text", b"text", File("text"), File("text", mtime=1e9), File(b"text", mode=0o640)):
        assert read_tree(folder) == {"a": said}


def test_the_message_of_an_assert_shows_what_nobody_expects_and_what_differs(folder):
    make(folder, {"a": "text", "b": File(b"\xff", attributes=HIDDEN, mode=0o640), "c": {}})
    found = read_tree(folder)
    assert repr(found) == "{'a': 'text', 'b': File(b'\\xff', attributes=HIDDEN), 'c': {}}"
    assert found["b"] != File(b"\xff", mode=0o600)
    assert repr(found["b"]) == "File(b'\\xff', attributes=HIDDEN, mode=0o640)"
    assert len(repr(File(bytes(1 << 20)))) < 5000


def test_what_is_there_takes_more_and_keeps_its_own(folder):
    make(folder, {"a": {"b": "1"}})
    make(folder, {"a": {"c": "2"}})
    assert read_tree(folder) == {"a": {"b": "1", "c": "2"}}
    with pytest.raises(FileExistsError) as caught:
        make(folder, {"a": {"b": "3"}})
    assert caught.value.filename == "a/b"
    with pytest.raises(FileExistsError):
        make(folder, {"a": {"b": {}}})
    assert read_tree(folder) == {"a": {"b": "1", "c": "2"}}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], "a tree must be a dict, not list"),
        ({"a": {"b": 3}}, "a/b: an entry must be text, bytes, a dict, File, Folder or Symlink"),
        ({"a": {"b/c": ""}}, "'b/c' in a: a name has no slash; a dict in the dict is a folder"),
        ({"..": ""}, "no file can have this name"),
        ({"a": {"": ""}}, "no file can have this name"),
        ({".SMBD-streams": {}}, "no file can have this name"),
        ({"x" * 256: ""}, "longer than the 255 bytes of a name"),
        ({3: ""}, "a name must be a string"),
        ({"a": "\ud800"}, "a: surrogates not allowed"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(folder, tree, message):
    whole = {"first": "x", **tree} if isinstance(tree, dict) else tree
    with pytest.raises((TypeError, ValueError)) as caught:
        make(folder, whole)
    assert message in str(caught.value)
    assert not any(folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": 3}, "a file's data must be str or bytes, not int"),
        ({"data": "abc", "size": 2}, "size: 2 is less than the 3 bytes of data"),
        ({"size": -1}, "size: must be from 0"),
        ({"mode": 0o10000}, "mode: must be from 0 to 4095"),
        ({"attributes": 0x400}, "attributes: 0x400 has others than READONLY, HIDDEN"),
        ({"mtime": "yesterday"}, "mtime: must be seconds of Unix time or a datetime"),
        ({"mtime": datetime(2001, 1, 1)}, "mtime: needs a time zone"),  # noqa: DTZ001
        ({"eas": ["E"]}, "eas: must be a dict"),
        ({"streams": {"s": 3}}, "streams: 's' must be str or bytes, not int"),
        ({"mtim": 3}, "mtim: unknown; known are mtime, created"),
    ],
)
def test_a_file_that_cannot_be_says_so_where_it_is_written(arguments, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        File(**arguments)
    assert message in str(caught.value)


def test_a_stream_with_a_name_that_cannot_be_is_told_with_its_file(folder):
    with pytest.raises(OSError, match="no stream can have the name 'a:b'") as caught:
        make(folder, {"f": File(streams={"a:b": ""})})
    assert caught.value.filename == "f"


def test_a_tree_may_be_deep(folder):
    tree: dict = {"end": "x"}
    for _ in range(400):
        tree = {"d": tree}
    make(folder, tree)
    found = read_tree(folder)
    for _ in range(400):
        assert list(found) == ["d"]
        found = found["d"]
    assert found == {"end": "x"}


def test_one_file_is_written_and_read(folder):
    put(folder, "a/b/c.txt", "text")
    assert read(folder, "a/b/c.txt") == read(folder, "A/B/C.TXT") == b"text"
    put(folder, "a/b/c.txt", File(b"new", attributes=SYSTEM, mode=0o640))
    put(folder, "a/b/c.txt", "newer")
    put(folder, "a/b/c.txt", "its", stream="s")
    expected = File("newer", attributes=SYSTEM, mode=0o640, streams={"s": "its"})
    assert read_tree(folder) == {"a": {"b": {"c.txt": expected}}}
    assert read(folder, "a/b/c.txt", stream="s") == b"its"
    put(folder, "a/d", {"e": Symlink("../b/c.txt")})
    assert read(folder, "a/d/e") == b"newer"


def test_what_is_not_there_is_told_by_its_path(folder):
    with pytest.raises(FileNotFoundError) as caught:
        read(folder, "a/b")
    assert caught.value.filename == "a/b"
    with pytest.raises(FileNotFoundError):
        read_tree(folder, "a")
    put(folder, "f", "")
    with pytest.raises(FileNotFoundError):
        read(folder, "f", stream="s")
    with pytest.raises(NotADirectoryError):
        read_tree(folder, "f")
    with pytest.raises(IsADirectoryError):
        read(folder, "")
    for wrong in ("/etc/passwd", "../f", "a//b", ""):
        with pytest.raises(ValueError):
            put(folder, wrong, "")


def test_a_link_out_of_the_folder_is_made_but_not_followed(folder):
    make(folder, {"out": Symlink("/etc/passwd"), "nowhere": Symlink("gone")})
    assert read_tree(folder) == {"out": Symlink("/etc/passwd"), "nowhere": Symlink("gone")}
    with pytest.raises(PermissionError):
        read(folder, "out")


def test_more_data_than_a_test_wants_is_not_read(folder, monkeypatch):
    monkeypatch.setattr("smbd.content.reading.MOST", 1000)
    make(folder, {"a": bytes(600), "b": bytes(600)})
    with pytest.raises(ValueError, match="more than"):
        read_tree(folder)
    with pytest.raises(ValueError, match="more than"):
        put(folder, "c", File(size=1001))
        read(folder, "c")


def test_data_behind_a_hole_is_found(folder):
    with (folder / "f").open("wb") as file:
        file.seek(5 << 20)
        file.write(b"end")
        file.truncate(9 << 20)
    expected = bytes(5 << 20) + b"end"
    assert read_tree(folder) == {"f": File(expected, size=9 << 20)}
    assert read_tree(folder) != {"f": File(expected, size=8 << 20)}
