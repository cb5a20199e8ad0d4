"""A listing whose plain entries C packs is byte for byte what Python makes of them."""

import os
from struct import unpack_from

import pytest

from smbd import vfs
from smbd.native.entries import PLAIN_ENTRIES
from smbd.ntstatus import NtStatus
from smbd.vfs import Root, Rules
from smbd.vfs.plain_entries import plain_entries
from smbd.wire.fscc import DIRECTORY_CLASSES, FileClass
from tests.commands.story import DIRECTORY, client
from tests.core import messages
from tests.core.messages import QUERY_DIRECTORY

DOTS = [".", ".."]
SINGLE = 2  # RETURN_SINGLE_ENTRY


@pytest.fixture(autouse=True)
def compiled():
    try:
        PLAIN_ENTRIES.load()
    except OSError as error:
        pytest.skip(f"there is no C here: {error.strerror}")


@pytest.fixture
def looked_up(monkeypatch):
    """The names of which Python is asked."""
    found, look = [], vfs.entries
    monkeypatch.setattr(
        "smbd.vfs.entries", lambda folder, some: found.extend(some) or look(folder, some)
    )
    return found


async def answers_of(path, meanwhile=lambda: None, **wanted):
    """All responses of a scan, and the status that ends it."""
    async with client(path) as me:
        folder, found = await me.open("", options=DIRECTORY), []
        while True:
            body = messages.query_directory(folder, "*", **wanted)
            answer = await me.ask(QUERY_DIRECTORY, body)
            if answer.status:
                return found, answer.status
            found.append(bytes(answer.output))
            meanwhile()


def names(responses, info_class):
    found, size = [], DIRECTORY_CLASSES[info_class]
    for data in responses:
        at = following = 0
        while not at or following:
            at += following
            (following,) = unpack_from("<I", data, at)
            (length,) = unpack_from("<I", data, at + (8 if info_class == FileClass.NAMES else 60))
            found.append(data[at + size : at + size + length].decode("utf-16-le"))
            if not following:
                break
    return found


def fill(path):
    """What is plain, and amid it what is not."""
    for number in range(40):
        (path / f"plain {number}").write_bytes(bytes(7 * number))
    for number, name in enumerate(
        [".dotted", "n" * 255, "\U0001f600", os.fsdecode(b"\xff\xfe"), "period.", 'a"b:c', "ö"]
    ):
        (path / name).write_bytes(bytes(number))
    for name in ("folder", ".dotted folder"):
        (path / name).mkdir()
    (path / "unwritable").write_bytes(b"x")
    (path / "unwritable").chmod(0o444)
    (path / "folder nobody writes").mkdir(mode=0o555)
    (path / "hollow").touch()
    os.truncate(path / "hollow", 1 << 20)
    for number in range(5):
        (path / f"described {number}").touch()
        os.setxattr(path / f"described {number}", "user.note", bytes(number))
    (path / "link").symlink_to("plain 1")
    (path / "dangling").symlink_to("nothing")
    os.mkfifo(path / "fifo")
    for name, seconds in (
        ("before 1601", -12_000_000_000),
        ("1601", -11_644_473_600),
        ("far", 9e11),
    ):
        (path / name).touch()
        os.utime(path / name, ns=(0, int(seconds) * 10**9))


@pytest.mark.parametrize("info_class", sorted(DIRECTORY_CLASSES))
async def test_each_class_says_the_same(tmp_path, mock_clock, monkeypatch, info_class):
    fill(tmp_path)
    await answers_of(tmp_path)  # from now on the folder's own LastAccessTime stays
    ways = [{"length": 700}, {"length": 15_380}, {"flags": SINGLE}]
    found = [await answers_of(tmp_path, info_class=info_class, **way) for way in ways]
    given = len([*tmp_path.iterdir()])  # not the link that dangles and the FIFO, but the DOTS
    assert [len(names(responses, info_class)) for responses, _ in found] == [given] * len(ways)
    monkeypatch.setattr(PLAIN_ENTRIES, "at_hand", lambda: None)
    assert found == [await answers_of(tmp_path, info_class=info_class, **way) for way in ways]


async def test_python_is_asked_of_what_is_not_plain_alone(tmp_path, mock_clock, looked_up):
    for number in range(300):
        (tmp_path / f"plain {number}").touch()
    found, _ = await answers_of(tmp_path, info_class=38, length=4096)
    assert len(names(found, 38)) == 302
    assert looked_up == DOTS
    looked_up.clear()
    os.setxattr(tmp_path / "plain 100", "user.note", b"")
    await answers_of(tmp_path, info_class=38, length=65536)
    assert "plain 100" in looked_up
    assert len(looked_up) <= 4


async def test_where_little_is_plain_c_is_asked_of_few(tmp_path, mock_clock, monkeypatch):
    """It would look at the first of them, each time in vain."""
    for number in range(300):
        (tmp_path / str(number)).touch()
        os.setxattr(tmp_path / str(number), "user.note", b"")
    asked, plain = [], vfs.plain_entries
    monkeypatch.setattr("smbd.vfs.plain_entries", lambda *some: asked.append(some) or plain(*some))
    await answers_of(tmp_path, info_class=38, length=1 << 20)
    assert len(asked) <= 7


async def test_what_is_gone_meanwhile_is_left_out(tmp_path, mock_clock):
    for number in range(300):
        (tmp_path / f"{number:03}").touch()

    def remove_every_second():
        for number in range(1, 300, 2):
            (tmp_path / f"{number:03}").unlink(missing_ok=True)

    found, status = await answers_of(tmp_path, remove_every_second, info_class=38, length=600)
    assert status == NtStatus.NO_MORE_FILES
    given, before = names(found, 38), names(found[:1], 38)
    assert len(given) == len(set(given))
    assert not [name for name in given[len(before) :] if int(name) % 2]
    assert {f"{number:03}" for number in range(0, 300, 2)} <= set(given)


async def test_the_first_one_that_has_no_room_is_told(tmp_path, mock_clock):
    (tmp_path / ("long" * 40)).touch()
    found, status = await answers_of(tmp_path, info_class=38, length=200)
    assert (names(found, 38), status) == (DOTS, NtStatus.INFO_LENGTH_MISMATCH)


async def test_what_c_does_not_know_of_is_not_its(tmp_path):
    (tmp_path / "a.tmp").touch()
    for rules, gives in ((Rules(), True), (Rules(hide=vfs.Names.of(["*.tmp"])), False)):
        root = Root(tmp_path, rules=rules)
        with root.open("", read=True, write=False) as folder:
            given = plain_entries(folder, ["a.tmp"], ["a.tmp"], FileClass.ID_FULL_DIRECTORY, 4096)
        assert (given is not None) == gives
        root.close()
