"""A client that reads all the time has a conversation with C; others are served amid it."""

from contextlib import asynccontextmanager
from itertools import count

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
    for _ in count():
        if condition():
            return
        await trio.sleep(0.01)


async def locked_out(server, found):
    """End what the busy client does: all that it reads is locked."""
    async with connected(server) as client:
        await client.connect()
        file_id = await client.open("load.bin")
        await client.ask(LOCK, messages.lock(file_id, (0, MIB, EXCLUSIVE)))
        await until(lambda: found)
    assert f"{NtStatus.FILE_LOCK_CONFLICT:#010x}" in str(found[0])


@pytest.mark.parametrize("depth", [1, 16])
async def test_others_are_answered_amid_a_conversation(served, depth):
    server, bursts = served
    async with busy(server, depth, 200.0) as found:
        await until(lambda: sum(bursts) > 0)
        for _ in range(6):
            assert await login_status(server) == 0
        assert not found, "it has been amid them"
        await locked_out(server, found)


async def test_what_others_do_counts_in_a_conversation(served):
    server, bursts = served
    async with busy(server, 1, 200.0) as found:
        await until(lambda: sum(bursts) > 100)
        await locked_out(server, found)
