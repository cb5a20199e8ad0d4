"""Many clients at once, on one file and on several."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from math import inf

import pytest

from smbd.ntstatus import NtStatus
from smbd.testing import serve_in_thread
from smbd.wire.create import CreateDisposition, CreateOptions
from tests.server.clients import CLIENTS, PypiClient, refusal

BLOCK = 65536
WRITERS = 8


def all_at_once(stories):
    """Run callables in a thread each; their results."""
    with ThreadPoolExecutor(len(stories)) as executor:
        return [running.result() for running in [executor.submit(story) for story in stories]]


@pytest.fixture
def writers(server):
    with ExitStack() as stack:
        yield [stack.enter_context(PypiClient(server)) for _ in range(WRITERS)]


def test_writers_of_one_file_each_write_their_part(folder, writers):
    data = os.urandom(BLOCK * WRITERS * 8)

    def write(number):
        opened = writers[number].open("file")
        for start in range(number * BLOCK, len(data), WRITERS * BLOCK):
            assert opened.write(data[start : start + BLOCK], start) == BLOCK
        opened.close()

    all_at_once([lambda number=number: write(number) for number in range(WRITERS)])
    assert (folder / "file").read_bytes() == data


def test_writers_of_the_same_part_leave_one_of_them_whole(folder, writers):
    def write(number):
        opened = writers[number].open("file")
        for _ in range(20):
            opened.write(bytes([number]) * BLOCK, 0)
        opened.close()

    all_at_once([lambda number=number: write(number) for number in range(WRITERS)])
    data = (folder / "file").read_bytes()
    assert data == data[:1] * BLOCK


def test_readers_beside_a_writer_see_each_block_before_or_after(monkeypatch, writers):
    """While all of them are carried out in the loop, as they are unless one of them may wait.

    Beside a WRITE in a worker a READ sees what the file system lets it see: ext4, half of it.
    """
    for name, value in ("aio.gate.QUIET", inf), ("aio.gate._LOOK_AGAIN", inf):
        monkeypatch.setattr(name, value)
    monkeypatch.setattr("aio.gate.Gate.slow", lambda *_: False)
    monkeypatch.setattr("aio.gate._is_close_to_dirty_limit", lambda: False)
    for name in ("aio.probe.Probe.SLOW_READ", "aio.probe.Probe.SLOW_WRITE", "aio.probe.SLEPT"):
        monkeypatch.setattr(name, inf)
    writer = writers[0].open("file")
    writer.write(bytes(BLOCK))

    def write():
        for number in range(50):
            writer.write(bytes([number]) * BLOCK)

    def read(client):
        opened = client.open("file")
        for _ in range(50):
            data = opened.read(0, BLOCK)
            assert data == data[:1] * BLOCK
        opened.close()

    all_at_once([write, *(lambda client=client: read(client) for client in writers[1:])])
    writer.close()


@pytest.mark.parametrize("engine", ["nowait", "threads", "sync"])
def test_writers_of_several_files_with_all_three_clients(folder, engine):
    with serve_in_thread(folder, engine=engine) as server:

        def round_trips(name, connect, number):
            with connect(server, "2.1") as client:
                for turn in range(3):
                    data = os.urandom(200_000)
                    client.put(f"{name} {number} {turn}", data)
                    assert client.get(f"{name} {number} {turn}") == data

        all_at_once(
            [
                lambda name=name, connect=connect, number=number: round_trips(name, connect, number)
                for name, connect in CLIENTS.items()
                for number in range(2)
            ]
        )
    assert len(list(folder.iterdir())) == 18


def test_of_many_that_create_one_name_one_wins(folder, writers):
    def create(client):
        return refusal(client.open, "file", disposition=CreateDisposition.CREATE)

    outcomes = all_at_once([lambda client=client: create(client) for client in writers])
    assert sorted(outcomes) == [0] + [NtStatus.OBJECT_NAME_COLLISION] * (WRITERS - 1)


def test_of_many_that_want_it_alone_one_wins(folder, writers):
    def take(client):
        return refusal(client.open, "file", sharing=0)

    outcomes = all_at_once([lambda client=client: take(client) for client in writers])
    assert sorted(outcomes) == [0] + [NtStatus.SHARING_VIOLATION] * (WRITERS - 1)


def test_creating_and_deleting_side_by_side(folder, writers):
    def churn(client):
        for number in range(10):
            client.open(f"{number % 3}", options=CreateOptions.DELETE_ON_CLOSE).close()

    def carry_on(client):
        for _ in range(20):
            status = refusal(churn, client)
            assert status in {0, NtStatus.DELETE_PENDING, NtStatus.SHARING_VIOLATION}

    all_at_once([lambda client=client: carry_on(client) for client in writers[:4]])
    assert list(folder.iterdir()) == []


def test_requests_of_one_connection_overtake_each_other(folder, pypi):
    """Twenty READs in flight, answered in any order, each with its own data."""
    data = os.urandom(20 * BLOCK)
    (folder / "file").write_bytes(data)
    opened = pypi.open("file")
    tree = opened.tree_connect
    asked = []
    for number in reversed(range(20)):
        request, finish = opened.read(number * BLOCK, BLOCK, send=False)
        sent = pypi.connection.send(request, tree.session.session_id, tree.tree_connect_id)
        asked.append((number, finish, sent))
    for number, finish, sent in asked:
        assert finish(sent) == data[number * BLOCK : (number + 1) * BLOCK]
    opened.close()
