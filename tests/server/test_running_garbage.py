"""Garbage collection holds the loop: it must not look through all that clients have open."""

import gc
import subprocess
import sys
from collections import Counter

import pytest
import trio
import trio.testing

import smbd.testing
from smbd.connection import Connection
from smbd.request import Request
from smbd.session import Session
from smbd.state import Open
from smbd.state.files import FileState
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CREATE,
    EXCLUSIVE,
    LOCK,
    QUERY_DIRECTORY,
    READ,
    WRITE,
)
from tests.scripted import connected


def test_what_one_collection_has_seen_no_later_one_looks_at():
    program = """
import gc
from smbd.server.running import settle

settle()
held = [[] for _ in range(100_000)]
gc.collect()
assert len(gc.get_objects()) < 1000, len(gc.get_objects())
held += [[] for _ in range(100_000)]  # enough for a collection that nobody asked for
assert len(gc.get_objects()) < 60_000, len(gc.get_objects())
cycle = []
cycle.append(cycle)
del cycle
assert gc.collect() >= 1
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# One request waits.  More stand for others like them (smbd.repeats): how many depends on which of
# them were answered at once, and that is up to the machine.
HELD = {Connection: 1, Session: 1, Open: 2, FileState: 2}
REQUESTS = range(1, 7)


def of_the_client():
    kinds = {*HELD, Request}
    return Counter(type(one) for one in gc.get_objects() if type(one) in kinds)


@pytest.mark.parametrize("dropped", [False, True], ids=["hung up", "dropped"])
async def test_a_connection_that_ends_leaves_nothing_to_collect(tmp_path, dropped):
    async with smbd.testing.serve(tmp_path) as server:
        gc.collect()
        gc.disable()
        try:
            async with connected(server) as client:
                await client.connect()
                file_id = await client.open("file", options=messages.DELETE_ON_CLOSE)
                folder = await client.open("", options=1)
                await client.ask(WRITE, messages.write(file_id, bytes(5000)))
                await client.ask(READ, messages.read(file_id))
                await client.ask(QUERY_DIRECTORY, messages.query_directory(folder))
                await client.ask(LOCK, messages.lock(file_id, (0, 10, EXCLUSIVE)))
                await client.ask(CREATE, messages.create("no folder/file"))
                watch = client.peer.request(CHANGE_NOTIFY, messages.change_notify(folder))
                await client.send(watch)
                await client.answers()
                held = of_the_client()
                assert held.pop(Request) in REQUESTS
                assert held == HELD
                if dropped:
                    await client.send(bytes(64))
                    assert await client.hung_up()
            with trio.fail_after(240):
                while server.server._clients:
                    await trio.testing.wait_all_tasks_blocked(0.001)
            assert not of_the_client()
        finally:
            gc.enable()
