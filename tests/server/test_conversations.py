"""A client that reads all the time has a conversation with C; others are served amid it."""

from contextlib import asynccontextmanager

import pytest
import trio

from smbd.load import Group, LoadClient, LoadError, Target, Work, at_random
from smbd.ntstatus import NtStatus
from smbd.plain import Plain
from smbd.standby import stand_by
from tests.aio.page_cache import takes_nowait
from tests.core import messages
from tests.core.messages import EXCLUSIVE, LOCK
from tests.plain.rig import the_core
from tests.scripted import connected
from tests.server.running import login_status, running

UNSIGNED = "signing = 'enabled'\n"
MIB = 1 << 20


@pytest.fixture
async def served(tmp_path, monkeypatch):
    """A server as `tsmbd serve` runs it, and how many bursts each conversation has had."""
    bursts, talk = [], Plain.converse

    def counted(plain, *args):
        done = talk(plain, *args)
        bursts.append(done.bursts)
        return done

    monkeypatch.setattr(Plain, "converse", counted)
    if not takes_nowait(tmp_path):
        pytest.skip(f"{tmp_path} has no RWF_NOWAIT reads")
    async with running(tmp_path, server=UNSIGNED) as server:
        service = server.server.service
        service.native.core = the_core()
        service.turns.standby = standing = stand_by()
        if standing is None:
            pytest.skip("this process has several epolls")
        (tmp_path / "one/load.bin").write_bytes(bytes(MIB))
        yield server, bursts
        trio.lowlevel.remove_instrument(standing)


@asynccontextmanager
async def busy(server, depth, seconds):
    """A client that reads all the time, in a thread; its operations, or why it has ended."""
    found = []

    def read():
        work = Work("read", 4096, depth, at_random(4096, MIB))
        target = Target(server.port, "share", "test", "test")
        try:
            with LoadClient(target, [Group(work, "load.bin")]) as client:
                found.append(client.run(seconds)[0].operations)
        except LoadError as error:
            found.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, read)
        yield found


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await trio.sleep(0.01)
    raise AssertionError("it does not become so")


@pytest.mark.parametrize("depth", [1, 16])
async def test_others_are_answered_amid_a_conversation(served, depth):
    server, bursts = served
    ticks = 0
    async with busy(server, depth, 1.0) as found:
        while not found:
            assert await login_status(server) == 0
            await trio.sleep(0.01)
            ticks += 1
    assert found[0] > 0
    assert sum(bursts) > 0
    assert ticks > 5


async def test_what_others_do_counts_in_a_conversation(served):
    server, bursts = served
    async with busy(server, 1, 30.0) as found:
        async with connected(server) as client:
            await client.connect()
            await until(lambda: sum(bursts) > 100)
            file_id = await client.open("load.bin")
            await client.ask(LOCK, messages.lock(file_id, (0, MIB, EXCLUSIVE)))
            await until(lambda: found)
    assert f"{NtStatus.FILE_LOCK_CONFLICT:#010x}" in str(found[0])
