"""What hundreds of clients leave behind when they are gone: nothing."""

import gc
import logging
import socket
import sys
import threading
from collections import Counter
from math import inf
from pathlib import Path
from struct import pack

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import smbd.testing
from smbd.commands.visit import Known
from smbd.vfs.name_set import NameSet
from smbd.vfs.names import comparison_key
from smbd.wire.fscc import FileInformation
from tests.core import messages
from tests.core.messages import (
    CREATE,
    EXCLUSIVE,
    LOCK,
    LOGOFF,
    QUERY_DIRECTORY,
    READ,
    WRITE,
)
from tests.scripted import connected

CLIENTS = 1000
AT_ONCE = 20
WHOLE = (0, 100, EXCLUSIVE)


def reset(client):
    """End the connection with a RST, as a machine does that lost its power and came back."""
    linger = pack("ii", 1, 0)
    client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def says_goodbye(client):
    file_id = await client.open("polite")
    assert (await client.ask(WRITE, messages.write(file_id, b"data"))).status == 0
    assert (await client.ask(LOGOFF)).status == 0


async def leaves_its_files_open(client):
    for name in ("one", "two", "three"):
        await client.open(name)


async def leaves_files_that_go_with_it(client):
    file_id = await client.open(f"temporary {id(client)}", options=messages.DELETE_ON_CLOSE)
    assert (await client.ask(WRITE, messages.write(file_id, bytes(5000)))).status == 0
    reset(client)


async def leaves_while_it_waits_for_a_lock(client):
    name = f"locked {id(client)}"
    one = await client.open(name, options=messages.DELETE_ON_CLOSE)
    other = await client.open(name)
    assert (await client.ask(LOCK, messages.lock(one, WHOLE))).status == 0
    await client.send(client.peer.request(LOCK, messages.lock(other, WHOLE)))
    reset(client)


async def leaves_with_requests_under_way(client):
    directory = await client.open("", access=1, options=1)
    file_id = await client.open("two")
    peer = client.peer
    await client.send(
        peer.request(QUERY_DIRECTORY, messages.query_directory(directory)),
        peer.request(CREATE, messages.create("three")),
        peer.request(READ, messages.read(file_id)),
        peer.request(WRITE, messages.write(file_id, bytes(50000))),
    )
    reset(client)


async def leaves_in_the_middle_of_a_frame(client):
    file_id = await client.open("two")
    frame = client.peer.request(WRITE, messages.write(file_id, bytes(50000)))
    await client.stream.send_all(len(frame).to_bytes(4, "big") + frame[:30000])
    reset(client)


async def leaves_in_the_middle_of_another_login(client):
    await client.send(next(client.peer.login()))
    reset(client)


WAYS = (
    says_goodbye,
    leaves_its_files_open,
    leaves_files_that_go_with_it,
    leaves_while_it_waits_for_a_lock,
    leaves_with_requests_under_way,
    leaves_in_the_middle_of_a_frame,
    leaves_in_the_middle_of_another_login,
)


async def come_and_go(server, count):
    """So many clients, some at once, each leaving in its own way; until the last is gone."""

    async def some(numbers):
        for number in numbers:
            async with connected(server) as client:
                await client.connect()
                await WAYS[number % len(WAYS)](client)

    numbers = iter(range(count))
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(some, numbers)
    while server.server.document()["sessions"] or server.server._clients:
        await trio.lowlevel.checkpoint()
    await wait_all_tasks_blocked()


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


_REMEMBERED = {NameSet, FileInformation, Known}


def objects_of_ours():
    """How many there are of each class of smbd and aio.

    Not the names of a folder, and what was told of its files, which are remembered for as long as
    nothing changes there: of 2,048 files at most.
    """
    gc.collect()
    kinds = Counter(type(one) for one in gc.get_objects())
    return {
        kind.__qualname__: count
        for kind, count in kinds.items()
        if str(kind.__module__).partition(".")[0] in {"smbd", "aio"} and kind not in _REMEMBERED
    }


@pytest.fixture
def no_log():
    """pytest keeps every record that is logged, and that is no memory of the server's."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def test_hundreds_of_clients_leave_no_descriptor_task_or_memory_behind(
    tmp_path, monkeypatch, no_log
):
    # Or a hit that is slow on a busy machine sends the next READs to threads: their ring has a
    # task and descriptors, which stay.
    monkeypatch.setattr("aio.probe.SLEPT", inf)
    monkeypatch.setattr("aio.probe.Probe.SLOW_READ", inf)
    gc.collect()  # what tests before have left, descriptors too
    async with smbd.testing.serve(tmp_path) as server:
        await come_and_go(server, CLIENTS // 2)  # what is made once and kept is there now
        tasks = trio.lowlevel.current_statistics().tasks_living
        fds, threads, objects = descriptors(), threading.active_count(), objects_of_ours()

        grown = []
        for _ in range(5):  # a worker that is started costs some hundred blocks, once
            comparison_key.cache_clear()  # it remembers the last 1,024 names, and no more
            blocks = sys.getallocatedblocks()
            await come_and_go(server, CLIENTS // 6)
            gc.collect()
            comparison_key.cache_clear()
            grown.append(sys.getallocatedblocks() - blocks)
            if grown[-1] < CLIENTS / 12:
                break

        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert descriptors() == fds
        assert threading.active_count() <= threads + 16, "workers, which are kept"
        assert objects_of_ours() == objects  # which collects garbage
        assert min(grown) < CLIENTS / 12, "not even one for two clients"

        service = server.server.service
        assert not service.sessions
        assert not list(service.tables.opens)
        assert not service.tables.files._files
        assert not server.server._admission.by_network
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"polite", "one", "two", "three"}
