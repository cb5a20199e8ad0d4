"""Visits that C answers: as without C, and only of what is as it was."""

import os
import tempfile
from dataclasses import replace
from importlib import import_module
from math import inf
from pathlib import Path
from time import monotonic, sleep

import pytest

from smbd.ntstatus import NtStatus
from smbd.observing import Observer
from smbd.vfs import Root
from tests.commands.stage import asked
from tests.commands.test_visits import ALL, ON_DISK_ID, READS, TELL_AND_CLOSE, ask, visit
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, LOGOFF, TREE_DISCONNECT, answers
from tests.scripted.framing import framed

from .rig import a_rig_for_visits, settle_time, the_core
from .test_converse import Loop, beside

__all__ = ["asked"]
PAUSE = 0.3  # seconds: no status takes so long
NAMES = ["file", "folder", "folder\\inside", "other"]
STAT = visit("file", ask(ALL), close=TELL_AND_CLOSE)
OPEN = visit("file", access=READS)
FORMS = {
    "stat": lambda name: visit(name, ask(ALL), close=TELL_AND_CLOSE),
    "open": lambda name: visit(name, access=READS),
    "with the id on disk": lambda name: visit(name, ask(ALL), contexts=ON_DISK_ID),
}


@pytest.fixture
def disk(monkeypatch):
    settle_time(monkeypatch)
    monkeypatch.setattr("smbd.vfs.Root.SLOW_OPEN", inf)
    monkeypatch.setattr("smbd.vfs.root._SIGHT", inf)  # or the next visit is Python's
    monkeypatch.setattr(import_module("smbd.vfs.records"), "_SETTLED_NS", 0)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "folder").mkdir()
        for one in ("file", "other", "folder/inside", "known"):
            (folder / one).write_bytes(one.encode() * 100)
        yield folder


def served(disk, *, native=True, core=None):
    return a_rig_for_visits(disk, native=native, core=core)


@pytest.fixture
async def rig(disk):
    async with served(disk) as found:
        yield found


@pytest.fixture
def by_python(monkeypatch):
    """The visits that Python has answered, or tried to."""
    calls, visits = [], import_module("smbd.visits")
    pay = visits.pay
    monkeypatch.setattr(visits, "pay", lambda *args: calls.append(args) or pay(*args))
    return calls


async def look(rig, *commands):
    (frame,) = await rig.ask(rig.stage.peer.related(*commands))
    return answers(frame)


async def known(rig, by_python, asked, *commands):
    """Have C answer such a visit from now on.

    A rename anywhere on this machine may send one to Python.
    """
    for _ in range(50):
        by_python.clear()
        asked.clear()
        found = await look(rig, *commands)
        if not by_python and not asked:
            return found
    raise AssertionError("C has answered none")


def told(answers_):
    """All that they say but the FileIds."""
    return [
        (
            one.status,
            one.command,
            one.body[:64] + one.body[80:] if one.command == CREATE else one.body,
        )
        for one in answers_
    ]


@pytest.mark.parametrize("form", FORMS)
async def test_c_says_what_the_commands_say(rig, by_python, asked, form):
    for name in NAMES:
        (first, second, third) = [await look(rig, *FORMS[form](name)) for _ in range(3)]
        mine = await known(rig, by_python, asked, *FORMS[form](name))
        assert told(first) == told(second) == told(third) == told(mine)
        assert first[0].file_id != mine[0].file_id
        assert [one.granted for one in mine] == [one.granted for one in first]
        ids = [one.message_id for one in mine]
        assert ids == list(range(ids[0], ids[0] + len(mine)))


async def test_a_burst_of_visits_and_others_is_answered_as_without_c(disk, by_python, asked):
    peers = []
    for native in (True, False):
        async with served(disk, native=native) as rig:
            if native:
                for name in NAMES:
                    await known(rig, by_python, asked, *FORMS["stat"](name))
            else:
                for name in NAMES:
                    await look(rig, *FORMS["stat"](name))
            frames = [
                rig.stage.peer.related(*FORMS["stat"](name))
                for name in ["file", "missing", "folder", "other", "file", "folder\\inside"] * 5
            ]
            by_python.clear()
            found = await rig.ask(*frames)
            peers.append([told(answers(frame)) for frame in found])
            assert rig.window.is_in_order
            if native:
                assert len(by_python) < len(frames) // 2
    assert peers[0] == peers[1]


async def test_file_ids_come_once(rig, by_python, asked):
    await known(rig, by_python, asked, *STAT)
    frames = [rig.stage.peer.related(*STAT) for _ in range(300)]
    found = [answers(frame)[0].file_id for frame in await rig.ask(*frames)]
    assert len(set(found)) == 300
    assert len({one[:8] for one in found}) == len({one[8:] for one in found}) == 300


def _written(path):
    path.write_bytes(b"longer" * 1000)


def _replaced(path):
    path.with_name("new").write_bytes(b"new")
    path.with_name("new").rename(path)


def _hidden(path):
    os.setxattr(path, "user.DOSATTRIB", b"0x2\0")


CHANGES = {
    "written": _written,
    "replaced": _replaced,
    "removed": Path.unlink,
    "closed to writers": lambda path: path.chmod(0o400),
    "dated": lambda path: os.utime(path, (1, 1)),
    "hidden": _hidden,
    "linked": lambda path: path.with_name("second").hardlink_to(path),
    "a link": lambda path: (path.unlink(), path.symlink_to("other")),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_file_that_another_program_has_changed_is_looked_at_anew(
    rig, disk, by_python, asked, change
):
    before = told(await known(rig, by_python, asked, *STAT))
    CHANGES[change](disk / "file")
    after = await look(rig, *STAT)
    assert by_python or asked
    assert told(after) != before
    (opened,) = answers(*await rig.ask(rig.stage.peer.request(*STAT[0])))
    assert opened.status == after[0].status
    assert opened.status or opened.body[:64] == after[0].body[:64]


async def test_a_file_that_somebody_has_open_is_the_commands(rig, by_python, asked):
    await known(rig, by_python, asked, *STAT)
    held = messages.create("file", disposition=messages.FILE_OPEN, share=0)
    (opened,) = answers(*await rig.ask(rig.stage.peer.request(CREATE, held)))
    assert opened.status == 0
    reading = visit("file", access=READS)
    found = await look(rig, *STAT), await look(rig, *reading)
    assert [one.status for one in found[0]] == [0, 0, 0]
    assert found[1][0].status == NtStatus.SHARING_VIOLATION
    assert by_python
    await rig.ask(rig.stage.peer.request(CLOSE, messages.close(opened.file_id)))
    await known(rig, by_python, asked, *STAT)


async def test_the_files_that_are_open_are_told_by_their_inodes(rig):
    inodes = rig.stage.service.tables.files.inodes
    assert sum(inodes) == 1
    request = rig.stage.peer.request
    creates = [request(CREATE, messages.create(name)) for name in ("file", "file", "file:stream")]
    opened = [answers(frame)[0].file_id for frame in await rig.exchange(framed(*creates))]
    assert sum(inodes) == 3
    for file_id in opened:
        await rig.ask(request(CLOSE, messages.close(file_id)))
    assert sum(inodes) == 1


def tree_of(rig):
    (tree,) = rig.stage.session.trees.values()
    return tree


def _suspend(rig):
    rig.stage.session.suspended = True


def _bar(rig):
    tree_of(rig).barred = True


def _step_down(rig):
    rig.stage.session.identity = replace(rig.stage.session.identity)


def _lower(rig):
    tree_of(rig).maximal_access = 0x1200A9


def _require(rig):
    rig.stage.session.signing_required = True


def _encrypt(rig):
    rig.stage.session.encrypt = True


def _encrypt_tree(rig):
    tree_of(rig).encrypt = True


def _limit(rig):
    rig.stage.service.tables.opens.limit = len(rig.stage.service.tables.opens)


def _fill(rig):
    rig.stage.connection.memory.open(rig.stage.connection.memory.held)


def _cover(rig):
    rig.stage.root._look_again_at = 0.0
    rig.stage.root._is_covered = lambda: True


def _pause(rig):
    rig.stage.root._cached_again_at = monotonic() + 3600


def _change(rig):
    rig.stage.service.tables.files.changes.begin([(1, 1)])


def _queue(rig):
    rig.stage.service.tables.files.queues.join((rig.stage.root, "file"))


def _observe(rig):
    rig.stage.dispatch.observe((Observer(),))


RULES = [
    _suspend, _bar, _step_down, _lower, _require, _encrypt, _encrypt_tree, _limit, _fill, _cover,
    _pause, _change, _queue, _observe,
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.strip("_"))
async def test_what_changes_in_the_server_is_asked_for_each_time(rig, by_python, asked, rule):
    """Python, which knows the rule, is to answer: test_visits.py says what."""
    await known(rig, by_python, asked, *STAT)
    burst = rig.quick.burst
    rule(rig)
    burst.visited = 0
    await rig.exchange(framed(rig.stage.peer.related(*STAT)))
    assert not burst.visited


@pytest.mark.parametrize("command", [LOGOFF, TREE_DISCONNECT])
async def test_behind_the_end_of_a_session_there_are_no_visits(rig, by_python, asked, command):
    await known(rig, by_python, asked, *STAT)
    request = rig.stage.peer.request
    end, last = request(command, messages.EMPTY), rig.stage.peer.related(*STAT)
    await rig.ask(end)
    (found,) = await rig.ask(last)
    assert answers(found)[0].status in {
        NtStatus.USER_SESSION_DELETED, NtStatus.NETWORK_NAME_DELETED,
    }  # fmt: skip


async def test_no_byte_of_a_visit_goes_unseen(disk, by_python, asked):
    """What differs from the form in any bit is answered as without C."""
    core = the_core()
    async with served(disk) as pattern:
        size = len(pattern.stage.peer.related(*STAT))
    wrong = [at for at in range(4, size) if not 24 <= at < 32]
    while wrong:
        async with served(disk, core=core) as mine, served(disk, native=False) as other:
            for rig in (mine, other):
                await look(rig, *STAT)
            await known(mine, by_python, asked, *STAT)
            while other.window.low < mine.window.low:
                await look(other, *STAT)
            while wrong and not mine.hung_up:
                at = wrong.pop()
                found = []
                for rig in (mine, other):
                    frame = bytearray(rig.stage.peer.related(*STAT))
                    frame[at] ^= 1 << at % 8
                    frames = await rig.exchange(framed(bytes(frame)))
                    found.append(([told(answers(one)) for one in frames], rig.hung_up))
                assert found[0] == found[1], at


async def test_what_has_no_room_or_comes_out_of_order_is_as_without_c(rig, by_python, asked):
    await known(rig, by_python, asked, *STAT)
    first, second = (rig.stage.peer.related(*STAT) for _ in range(2))
    found = await rig.exchange(framed(second, first))
    assert [answers(frame)[0].status for frame in found] == [0, 0]
    assert rig.window.is_in_order
    await rig.exchange(framed(first))
    assert rig.hung_up


async def test_a_visit_that_took_long_is_told_to_the_share(rig, by_python, asked, monkeypatch):
    await known(rig, by_python, asked, *STAT)
    waited = []
    monkeypatch.setattr(Root, "waited", lambda _, *times: waited.append(times))
    rig.quick.burst.slow = 0.0, 0.0, 0.0, 0.0
    by_python.clear()
    await rig.ask(rig.stage.peer.related(*STAT))
    assert not by_python
    assert len(waited) == 1


async def test_a_connection_has_forms_without_end(rig, by_python, asked):
    for length in range(60):
        for _ in range(3):
            found = await look(rig, *visit("file", ask(ALL, length=1000 + length)))
            assert [one.status for one in found] == [0, 0, 0]
    await known(rig, by_python, asked, *STAT)


async def test_what_the_client_pauses_is_no_wait_of_the_file_system(
    rig, by_python, asked, monkeypatch
):
    took = []

    def waited(_root, began, ended=None):
        took.append((monotonic() if ended is None else ended) - began)

    monkeypatch.setattr(Root, "waited", waited)
    await known(rig, by_python, asked, *OPEN)
    took.clear()
    rig.client.sendall(framed(rig.stage.peer.related(*OPEN)))
    loop = Loop(rig.transport.fileno)
    began = monotonic()
    with beside(lambda: (sleep(PAUSE), loop.call())):
        rig.transport._habit.is_plain = True
        assert rig.transport.converse(loop.epoll.fileno(), began + 60)
    loop.close()
    assert monotonic() - began > PAUSE > sum(took) > 0
