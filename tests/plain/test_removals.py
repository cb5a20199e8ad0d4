"""Files that C removes: its answers are the commands', and so is what is no plain small file."""

import errno
import fcntl
import os
import tempfile
from importlib import import_module
from math import inf
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from trio.testing import wait_all_tasks_blocked

from smbd.ntstatus import NtStatus
from smbd.removals import Removals
from smbd.vfs import Names
from smbd.vfs.at_once import AtOnce
from smbd.vfs.recycling import Recycle
from tests.commands.test_visits import ON_DISK_ID, visit
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    DELETE_ON_CLOSE,
    FILE_OPEN,
    PREVIOUS_FILE,
    answers,
)
from tests.scripted.framing import framed

from .rig import a_rig_for_visits, settle_time
from .test_known_visits import RULES

DELETES = 0x10080  # DELETE, FILE_READ_ATTRIBUTES
MANY = [f"file {number}" for number in range(60)]
TELL = (CLOSE, messages.close(PREVIOUS_FILE, 1))
FORMS = {
    "bare": {},
    "told": {"close": TELL},
    "with the id on disk": {"contexts": ON_DISK_ID},
    "both": {"close": TELL, "contexts": ON_DISK_ID},
}


def removal(name, **how):
    return visit(name, access=DELETES, options=DELETE_ON_CLOSE, share=7, **how)


@pytest.fixture
def disk(monkeypatch):
    settle_time(monkeypatch)
    monkeypatch.setattr("smbd.vfs.Root.SLOW_OPEN", inf)
    monkeypatch.setattr("smbd.vfs.root._SIGHT", inf)  # or the next one is Python's
    monkeypatch.setattr("smbd.removals._MOST_VAIN", 1 << 30)  # all are tried
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "folder").mkdir()
        for one in ("known", "first", "folder/inside", *MANY):
            (folder / one).write_bytes(one.encode() * 10)
        yield folder


def served(disk, *, native=True):
    return a_rig_for_visits(disk, native=native, at_once=True)


@pytest.fixture
async def rig(disk):
    async with served(disk) as found:
        yield found


@pytest.fixture(autouse=True)
def by_c(monkeypatch):
    """For each call of C that has removed something, the names."""
    calls, settle = [], Removals.settle

    def settled(removals):
        names = bytes(removals._names[: removals._taken.size]).split(b"\0")[:-1]
        removed = settle(removals)
        if removed:
            calls.append([name.decode() for name in names])
        return removed

    monkeypatch.setattr(Removals, "settle", settled)
    return calls


async def ask(rig, *commands):
    (frame,) = await rig.ask(rig.stage.peer.related(*commands))
    return answers(frame)


async def removed_by_c(rig, by_c, **how):
    """One of MANY that C has removed, and the answers: a rename anywhere may send it to Python."""
    for name in MANY:
        if (rig.stage.root.path / name).exists():
            by_c.clear()
            found = await ask(rig, *removal(name, **how))
            if by_c:
                return name, found
    raise AssertionError("C has removed none")


def shown(answer):
    """All that the answer to a CREATE says but the FileId."""
    return answer.body[:64] + answer.body[80:]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("native", [True, False], ids=["C", "Python"])
async def test_the_answers_tell_of_the_file_as_it_was(disk, by_c, form, native):
    how = FORMS[form]
    async with served(disk, native=native) as rig:
        for name in ["first", "folder\\inside", *MANY[:5]]:
            path = disk / name.replace("\\", "/")
            os.utime(path, ns=(1_234_567_890_123_456_789, 987_654_321_987_654_321))
            contexts = how.get("contexts", ())
            before, _ = await ask(rig, *visit(name, contexts=contexts))
            created, closed = await ask(rig, *removal(name, **how))
            assert [created.status, closed.status] == [0, 0]
            assert not path.exists()
            assert shown(created) == shown(before)
            told = before.body[8:60] if "close" in how else bytes(52)
            assert closed.body[8:60] == told
            assert created.granted == before.granted
    assert bool(by_c) is native


async def test_a_burst_of_removals_is_a_few_calls_of_c(rig, disk, by_c):
    await ask(rig, *removal("first"))
    frames = [rig.stage.peer.related(*removal(name)) for name in [*MANY, "missing"]]
    found = [answers(frame) for frame in await rig.ask(*frames)]
    assert [[one.status for one in some] for some in found[:-1]] == [[0, 0]] * len(MANY)
    assert {one.status for one in found[-1]} == {NtStatus.OBJECT_NAME_NOT_FOUND}
    assert len({some[0].file_id for some in found[:-1]}) == len(MANY)
    assert sum(map(len, by_c)) > len(MANY) // 2
    assert sorted(one.name for one in disk.iterdir()) == ["folder", "known"]
    assert rig.window.is_in_order


def _large(path):
    path.write_bytes(bytes(2 << 20))


def _sparse(path):
    os.truncate(path, 1 << 20)


def _read_only(path):
    path.chmod(0o444)


def _linked(path):
    path.with_name("second").hardlink_to(path)


def _hidden(path):
    os.setxattr(path, "user.DOSATTRIB", b"0x2\0")


def _with_ea(path):
    os.setxattr(path, "user.author", b"me")


def _forbidden(path):
    os.setxattr(path, "user.smbd.security", b"nothing that can be read")


def _folder(path):
    path.unlink()
    path.mkdir()


def _symlink(path):
    path.unlink()
    path.symlink_to("known")


def _old(path):
    os.utime(path, (-10_000, -10_000))


def _gone(path):
    path.unlink()


ODD = [
    _large, _sparse, _read_only, _linked, _hidden, _with_ea, _forbidden, _folder, _symlink, _old,
    _gone,
]  # fmt: skip


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__.strip("_"))
async def test_what_is_no_plain_small_file_is_as_without_c(disk, by_c, make):
    found = []
    for native in (True, False):
        async with served(disk, native=native) as rig:
            name = "file 50" if native else "file 51"
            if native:
                await removed_by_c(rig, by_c, close=TELL)
            else:
                await ask(rig, *removal("first", close=TELL))
            make(disk / name)
            by_c.clear()
            told = await ask(rig, *removal(name, close=TELL))
            found.append([(one.status, one.body[:8], one.body[40:60]) for one in told])
            assert not by_c
            found[-1].append((disk / name).exists())
            (disk / "second").unlink(missing_ok=True)
    assert found[0] == found[1]


async def test_a_folder_that_nobody_may_change_is_as_without_c(rig, disk, by_c):
    await removed_by_c(rig, by_c)
    by_c.clear()
    fd = os.open(disk, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x40086602, (0x10).to_bytes(8, "little"))  # FS_IOC_SETFLAGS, immutable
    except OSError as error:
        os.close(fd)
        pytest.skip(f"this folder cannot be closed: {errno.errorcode[error.errno]}")
    try:
        found = await ask(rig, *removal("file 50"))
    finally:
        fcntl.ioctl(fd, 0x40086602, bytes(8))
        os.close(fd)
    assert {one.status for one in found} == {NtStatus.ACCESS_DENIED}
    assert (disk / "file 50").exists()
    assert not by_c


async def test_whatever_a_name_has_the_file_that_goes_is_that_of_the_commands(disk, by_c):
    names = [f"a{chr(code)}b" for code in (*range(1, 0x81), 0xE9, 0xF022, 0x20AC, 0x1F600)]
    names += [
        ".a",
        "a.",
        "a ",
        "..",
        "~",
        "a" * 63,
        "b" * 64,
        "a\\..\\file 7",
        "\\file 7",
        "file 7\\",
    ]
    left = []
    for native in (True, False):
        for name in names:
            if len(name) < 4 and not set(name) & {"/", "\\", "\0"} and name != "..":
                (disk / name).write_bytes(b"data")
        for one in ("a" * 63, "b" * 64, "file 7"):
            (disk / one).write_bytes(b"data")
        async with served(disk, native=native) as rig:
            await ask(rig, *removal("file 8" if native else "file 9"))
            statuses = [[one.status for one in await ask(rig, *removal(one))] for one in names]
        left.append((statuses, sorted({one.name for one in disk.iterdir()} - set(MANY))))
    assert left[0] == left[1]
    assert any("azb" in some for some in by_c)


async def test_what_somebody_has_open_is_the_commands(rig, disk, by_c):
    await removed_by_c(rig, by_c)
    by_c.clear()
    held = messages.create("file 50", disposition=FILE_OPEN, share=3)
    (opened,) = answers(*await rig.ask(rig.stage.peer.request(CREATE, held)))
    found = await ask(rig, *removal("file 50"))
    assert {one.status for one in found} == {NtStatus.SHARING_VIOLATION}
    assert (disk / "file 50").exists()
    await rig.ask(rig.stage.peer.request(CLOSE, messages.close(opened.file_id)))
    assert not by_c


async def test_who_watches_the_folder_is_told(rig, by_c):
    await removed_by_c(rig, by_c)
    create = messages.create("", access=0x120089, disposition=FILE_OPEN, options=1, share=7)
    (opened,) = answers(*await rig.ask(rig.stage.peer.request(CREATE, create)))
    notify = messages.change_notify(opened.file_id)
    rig.client.sendall(framed(rig.stage.peer.request(CHANGE_NOTIFY, notify)))
    await wait_all_tasks_blocked()
    frames = await rig.exchange(framed(rig.stage.peer.related(*removal("file 50"))))
    heard = [one.raw for frame in frames for one in answers(frame) if one.command == CHANGE_NOTIFY]
    assert any("file 50".encode("utf-16-le") in raw for raw in heard)
    await rig.ask(rig.stage.peer.request(CLOSE, messages.close(opened.file_id)))


def _recycle(rig):
    rig.stage.root.recycle = Recycle(".recycle")


def _hide(rig):
    rig.stage.root.hide = Names.of(["*.tmp"])


def _lock(rig):
    rig.stage.root.read_only = True


def _lease(rig):
    lease(rig, rig.stage.root.absolute_path)


def lease(rig, place):
    leased = SimpleNamespace(keepers=True, contend=lambda *_: None)
    rig.stage.service.tables.files.directories._leased[place] = leased


def _fly(rig):
    changes = rig.stage.service.tables.files.changes
    flight = changes.flight()
    flight.begin()


OWN_RULES = [_recycle, _hide, _lock, _lease, _fly]


@pytest.mark.parametrize("rule", [*RULES, *OWN_RULES], ids=lambda rule: rule.__name__.strip("_"))
async def test_what_changes_in_the_server_is_asked_for_each_time(rig, by_c, rule):
    """Python, which knows the rule, is to answer: test_removing_visits.py says what."""
    await removed_by_c(rig, by_c)
    by_c.clear()
    rule(rig)
    await rig.exchange(framed(rig.stage.peer.related(*removal("file 50"))))
    assert not by_c
    changes = rig.stage.service.tables.files.changes
    rig.stage.service.tables.files.directories._leased.clear()
    for flight in list(changes.flights):
        changes.landed(flight)


async def test_a_lease_of_another_folder_is_of_no_concern(rig, by_c):
    await removed_by_c(rig, by_c)
    lease(rig, f"{rig.stage.root.absolute_path}/folder")
    await removed_by_c(rig, by_c)
    rig.stage.service.tables.files.directories._leased.clear()


async def test_c_removes_nothing_where_the_loop_may_change_no_names(rig, disk, by_c):
    await removed_by_c(rig, by_c)
    by_c.clear()
    with patch.object(AtOnce, "admits", lambda *_: False):
        found = await ask(rig, *removal("file 50"))
    assert [one.status for one in found] == [0, 0]
    assert not (disk / "file 50").exists()
    assert not by_c


async def test_the_names_of_the_folder_are_not_read_again(rig, disk, by_c, monkeypatch):
    making = messages.create("new", disposition=2)
    (made,) = answers(*await rig.ask(rig.stage.peer.request(CREATE, making)))
    await rig.ask(rig.stage.peer.request(CLOSE, messages.close(made.file_id)))
    name, _ = await removed_by_c(rig, by_c)
    index, reads = import_module("smbd.vfs.index"), []
    monkeypatch.setattr(index, "_DOUBT_SECONDS", inf)
    monkeypatch.setattr(index, "_read", lambda fd, read=index._read: reads.append(fd) or read(fd))
    monkeypatch.setattr(
        index, "_read_few", lambda fd, read=index._read_few: reads.append(fd) or read(fd)
    )
    name, _ = await removed_by_c(rig, by_c)
    reads.clear()
    name, _ = await removed_by_c(rig, by_c)
    anew = messages.create(name.upper(), disposition=2, options=DELETE_ON_CLOSE)
    (opened,) = answers(*await rig.ask(rig.stage.peer.request(CREATE, anew)))
    assert opened.status == 0
    assert not reads
    await rig.ask(rig.stage.peer.request(CLOSE, messages.close(opened.file_id)))


async def test_names_that_a_thread_is_changing_are_the_commands(rig, disk, by_c):
    await removed_by_c(rig, by_c)
    by_c.clear()
    rig.stage.root.standing("missing")  # which reads them
    at = disk.stat()
    names = rig.stage.root.lookup.index.get((at.st_dev, at.st_ino))
    with patch.object(names, "lock", Taken()):
        await rig.exchange(framed(rig.stage.peer.related(*removal("file 50"))))
        assert not by_c
    assert not (disk / "file 50").exists()


class Taken:
    """The lock of a folder's names that another thread gives back as soon as it is waited for."""

    def acquire(self, blocking=True):
        return blocking

    def release(self):
        pass

    __enter__ = acquire

    def __exit__(self, *_):
        pass


async def test_files_that_c_never_removes_are_soon_not_tried(rig, disk, by_c, monkeypatch):
    monkeypatch.setattr("smbd.removals._MOST_VAIN", 4)
    await removed_by_c(rig, by_c)
    tried = []
    give = Removals._give
    monkeypatch.setattr(Removals, "_give", lambda *all_: tried.append(all_) or give(*all_))
    for name in MANY[10:30]:
        os.setxattr(disk / name, "user.author", b"me")
        assert [one.status for one in await ask(rig, *removal(name))] == [0, 0]
    assert len(tried) == 4
