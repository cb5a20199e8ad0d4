"""An Open that C alone goes on with is in no table, until something else is to be done."""

from importlib import import_module
from math import inf
from pathlib import Path

import pytest

from smbd.ntstatus import NtStatus
from smbd.predicted import Predicted
from smbd.standby import Standby
from smbd.state import FileTable
from tests.commands.stage import asked
from tests.commands.test_visits import visit
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, QUERY_INFO, READ, answers
from tests.scripted.framing import framed

from .test_converse import Loop, beside, converse, received
from .test_known_visits import by_python, known
from .test_predicted import ALL, EVERYTHING, READS, STANDARD, ask, commands, created, disk, fetch
from .test_predicted import rig as a_rig_that_fetches

__all__ = ["a_rig_that_fetches", "asked", "by_python", "disk"]
LEVEL_II = 1


@pytest.fixture
async def rig(a_rig_that_fetches):
    rig = a_rig_that_fetches
    rig.waits = Loop(rig.transport.fileno)
    rig.transport._standby = Standby(rig.waits.epoll.fileno())
    yield rig
    rig.transport._standby = None
    rig.waits.close()


@pytest.fixture
async def entered(rig, monkeypatch):
    """The files that have come into the tables."""
    found, add = [], FileTable.add

    def noted(table, open_):
        found.append(open_.file.path)
        return add(table, open_)

    monkeypatch.setattr(FileTable, "add", noted)
    return found


def say(rig, command, body, **fields):
    """Send a request from a thread, and wait for its answer."""
    rig.client.send(framed(rig.stage.peer.request(command, body, **fields)))
    size = int.from_bytes(received(rig.client, 4), "big")
    (answer,) = answers(received(rig.client, size))
    return answer


def say_together(rig, *commands):
    """The same of a compound."""
    rig.client.send(framed(rig.stage.peer.related(*commands)))
    size = int.from_bytes(received(rig.client, 4), "big")
    return answers(received(rig.client, size))


def open_(rig, name, **how):
    body = messages.create(name, **{"access": READS, "disposition": messages.FILE_OPEN} | how)
    return say(rig, CREATE, body)


def talk(rig, client):
    """Play a client that waits for each answer; its end is something that the loop has to do."""

    def play():
        try:
            client()
        finally:
            rig.waits.call()

    with beside(play):
        while not converse(rig)[0]:
            pass  # as smbd.standby goes on
    rig.waits.answered()


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def held(rig):
    tables, stage = rig.stage.service.tables, rig.stage
    share = next(iter(stage.session.trees.values())).share
    return (
        len(tables.opens), len(stage.session.opens), len(tables.files._files), share.opens,
        stage.connection.memory.held, len(stage.engine._files),
    )  # fmt: skip


async def test_files_that_are_fetched_one_after_the_other_come_into_no_table(rig, asked, entered):
    got, fds, before = [], descriptors(), held(rig)

    def client():
        for number in range(1, 12):
            file_id = open_(rig, f"{number}").file_id
            assert say(rig, QUERY_INFO, messages.query_info(file_id, ALL)).status == 0
            got.append(say(rig, READ, messages.read(file_id)).data)
            assert say(rig, CLOSE, messages.close(file_id)).status == 0
            assert say(rig, READ, messages.read(file_id)).status == NtStatus.FILE_CLOSED

    asked.clear()
    talk(rig, client)
    assert got == [bytes([number]) * 100 for number in range(1, 12)]
    assert commands(asked) == [CREATE, READ] * 11
    assert not entered
    assert held(rig) == before
    assert descriptors() == fds


async def test_when_others_come_it_is_in_all_of_them(rig, entered):
    opened, before = [], held(rig)
    talk(rig, lambda: opened.append(open_(rig, "1", share=0).file_id))
    (file_id,), (one,) = opened, rig.stage.service.tables.opens
    assert entered == ["1"]
    assert [mine - old for mine, old in zip(held(rig), before, strict=True)] == [
        1, 1, 1, 1, one.memory.size, 1,
    ]  # fmt: skip
    body = messages.create("1", access=READS, disposition=messages.FILE_OPEN)
    assert (await ask(rig, CREATE, body)).status == NtStatus.SHARING_VIOLATION
    assert (await ask(rig, READ, messages.read(file_id))).data == bytes([1]) * 100
    assert (await ask(rig, CLOSE, messages.close(file_id))).status == 0
    assert held(rig) == before
    assert (await fetch(rig, "1"))[1].status == 0


async def test_a_command_finds_it_in_them(rig, asked, entered):
    def client():
        file_id = open_(rig, "1").file_id
        assert say(rig, READ, messages.read(file_id)).status == 0
        assert say(rig, QUERY_INFO, messages.query_info(file_id, STANDARD)).status == 0
        assert entered == ["1"]
        assert say(rig, CLOSE, messages.close(file_id, 1)).status == 0

    asked.clear()
    talk(rig, client)
    assert commands(asked) == [CREATE, QUERY_INFO, CLOSE]
    assert not list(rig.stage.service.tables.opens)


async def test_a_client_that_leaves_leaves_it_in_them(rig):
    def client():
        open_(rig, "1")
        rig.client.close()

    talk(rig, client)
    assert [one.file.path for one in rig.stage.service.tables.opens] == ["1"]


@pytest.mark.parametrize(
    "how",
    [
        {"access": EVERYTHING},
        {"access": READS | 0x10000},
        {"access": EVERYTHING, "options": messages.DELETE_ON_CLOSE},
        {"oplock": LEVEL_II},
        {"disposition": 3},
    ],
)
async def test_what_others_may_have_to_agree_with_is_in_them_at_once(rig, entered, how):
    found = []

    def client():
        open_(rig, "1", **how)
        found.extend(entered)

    talk(rig, client)
    assert found == (["1"] if "disposition" not in how else [])


async def test_a_file_that_is_open_already_is_in_them_at_once(rig, entered):
    await created(rig, "1", share=1)
    entered.clear()
    statuses = []

    def client():
        statuses.append(open_(rig, "1", access=EVERYTHING).status)
        statuses.append(open_(rig, "1").status)
        assert entered == ["1"]

    talk(rig, client)
    assert statuses == [NtStatus.SHARING_VIOLATION, 0]


async def test_a_visit_that_c_would_answer_meets_it(rig, monkeypatch, by_python, asked, entered):
    monkeypatch.setattr("smbd.vfs.Root.SLOW_OPEN", inf)
    monkeypatch.setattr("smbd.vfs.root._SIGHT", inf)
    monkeypatch.setattr(import_module("smbd.vfs.records"), "_SETTLED_NS", 0)
    commands, statuses = visit("1", access=READS), []
    await known(rig, by_python, asked, *commands)
    entered.clear()

    def client():
        statuses.append(say_together(rig, *commands)[0].status)
        open_(rig, "1", share=0)
        statuses.append(say_together(rig, *commands)[0].status)

    talk(rig, client)
    assert statuses == [0, NtStatus.SHARING_VIOLATION]
    assert entered == ["1"]


@pytest.mark.parametrize("limit", ["opens", "memory"])
async def test_it_is_refused_where_there_is_no_room(rig, limit, entered):
    opens, memory = rig.stage.service.tables.opens, rig.stage.connection.memory
    if limit == "opens":
        opens.limit = 0
    else:
        memory._most_held = memory.held
    fds, statuses = descriptors(), []
    talk(rig, lambda: statuses.append(open_(rig, "1").status))
    assert statuses == [NtStatus.INSUFFICIENT_RESOURCES]
    assert not entered
    assert descriptors() == fds


async def test_whoever_a_close_lets_go_on_has_its_turn(rig, asked, monkeypatch):
    """No kernel knows of a task that can go on: C would wait for its client."""
    turns, close = rig.stage.service.turns, Predicted.closed

    def wakes(predicted, open_):
        close(predicted, open_)
        turns.waiting += 1

    monkeypatch.setattr(Predicted, "closed", wakes)

    def client():
        file_id = open_(rig, "1").file_id
        say(rig, CLOSE, messages.close(file_id))
        rig.client.send(framed(rig.stage.peer.request(CREATE, messages.create("2"))))

    asked.clear()
    with beside(client):
        assert not converse(rig)[0]
        assert commands(asked) == [CREATE]
    turns.waiting = 0
    (answer,) = [answers(frame)[0] for frame in await rig.exchange(b"")]
    assert answer.command == CREATE
