"""A server of `smbd.testing` goes away and comes back, from tests of every kind."""

import asyncio
import socket
import threading

import pytest
import trio
import trio.lowlevel

from smbd.config import Address
from smbd.testing import serve, serve_asyncio, serve_in_thread
from smbd.testing.ports import Ports
from tests.scripted import clients
from tests.scripted.caching import BATCH, durable_v2, reconnect_v2
from tests.testing.test_serve import can_connect, round_trip

GUID, PERSISTENT = b"create guid 16 b", 2


def test_it_goes_away_and_comes_back_on_the_same_port(tmp_path):
    with serve_in_thread(tmp_path) as server:
        port = server.port
        assert round_trip(server) == b"data"
        server.stop()
        assert not server.is_running
        assert not can_connect(server)
        server.start()
        assert server.port == port
        assert round_trip(server) == b"data"
        server.restart()
        assert round_trip(server) == b"data"


def test_what_is_done_already_does_no_harm(tmp_path):
    with serve_in_thread(tmp_path) as server:
        before = server.server
        server.start()
        assert server.server is before
        server.stop()
        server.stop()
        with pytest.raises(RuntimeError, match="stopped"):
            assert server.server


def test_nobody_else_gets_its_port_meanwhile(tmp_path):
    with serve_in_thread(tmp_path) as server:
        server.stop()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((server.host, server.port))


async def test_in_its_own_loop_it_is_awaited(tmp_path):
    async with serve(tmp_path) as server:
        with pytest.raises(RuntimeError, match=r"use astop\(\)"):
            server.stop()
        await server.astop()
        assert not can_connect(server)
        await server.astart()
        await server.arestart()
        assert await trio.to_thread.run_sync(round_trip, server) == b"data"


async def test_a_thread_of_trio_may_stop_a_server_of_the_loop(tmp_path):
    async with serve(tmp_path) as server:
        await trio.to_thread.run_sync(server.stop)
        assert not server.is_running


async def test_in_another_trio_loop_both_forms_work(tmp_path):
    with serve_in_thread(tmp_path) as server:
        server.restart()
        await server.arestart()
        assert await trio.to_thread.run_sync(round_trip, server) == b"data"


def test_in_asyncio_both_forms_work(tmp_path):
    async def test():
        async with serve_asyncio(tmp_path) as server:
            server.restart()
            await server.arestart()
            assert await asyncio.to_thread(round_trip, server) == b"data"
        return server

    assert not can_connect(asyncio.run(test()))


def test_asyncio_is_told_what_to_use(tmp_path):
    async def test():
        async with serve(tmp_path):
            pass

    with pytest.raises(RuntimeError, match="asyncio's: use `async with serve_asyncio"):
        asyncio.run(test())


async def test_trio_is_told_what_to_use(tmp_path):
    with pytest.raises(RuntimeError, match=r"trio's: use `async with serve\("):
        async with serve_asyncio(tmp_path):
            pass


def test_cancelling_a_task_of_asyncio_ends_its_server(tmp_path):
    seen, before = [], set(threading.enumerate())  # of other tests some are left

    async def use(serves):
        async with serve_asyncio(tmp_path) as server:
            seen.append(server)
            serves.set()
            await asyncio.sleep(60)

    async def test(*, amid_its_start):
        serves = asyncio.Event()
        task = asyncio.create_task(use(serves))
        await (asyncio.sleep(0) if amid_its_start else serves.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(test(amid_its_start=False))
    asyncio.run(test(amid_its_start=True))
    assert not any(map(can_connect, seen))
    assert not [one for one in set(threading.enumerate()) - before if "smbd" in one.name]


def test_what_is_raised_in_a_block_of_asyncio_comes_out_as_it_is(tmp_path):
    async def test():
        async with serve_asyncio(tmp_path):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(test())


async def test_a_hook_sees_every_start_in_the_servers_loop(tmp_path):
    here, seen = trio.lowlevel.current_trio_token(), []

    def hook(running):
        seen.append((running, trio.lowlevel.current_trio_token()))

    with serve_in_thread(tmp_path) as server:
        server.at_each_start(hook)
        await server.arestart()
        assert [running for running, _ in seen][1] is server.server
        assert len(seen) == 2
        assert here not in {token for _, token in seen}
        assert server.in_loop(trio.lowlevel.current_trio_token) is seen[0][1]
        with pytest.raises(ZeroDivisionError):
            server.in_loop(lambda: 1 / 0)


async def test_a_call_into_a_server_that_has_ended_says_so(tmp_path):
    with serve_in_thread(tmp_path) as server:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        server.start()
    with pytest.raises(RuntimeError, match="has ended"):
        server.in_loop(int)


async def test_persistent_handles_are_there_after_a_restart_if_wanted(tmp_path):
    async with serve(tmp_path, continuous=True) as server:

        async def comes_back(keep_handles):
            async with clients(server) as new_client:
                client = new_client()
                ann = await client.connect()
                asks = [durable_v2(GUID, flags=PERSISTENT)]
                before = await ann.open("file", oplock=BATCH, contexts=asks)
                await server.arestart(keep_handles=keep_handles)
                again = await client.connect()
                asks = [reconnect_v2(before, GUID, flags=PERSISTENT)]
                return (await again.create("file", contexts=asks)).status == 0

        assert not await comes_back(keep_handles=False)
        assert await comes_back(keep_handles=True)


async def test_its_end_waits_for_no_disk(tmp_path, monkeypatch):
    async def hangs(_fd):
        await trio.sleep_forever()

    async with serve(tmp_path) as server, clients(server) as new_client:
        ann = await new_client().connect()
        await ann.open("file")
        monkeypatch.setattr(server.server.service.shares["share"].engine, "fsync", hangs)
        with trio.fail_after(240):
            await server.astop()


def test_without_persistent_handles_none_can_be_kept(tmp_path):
    with serve_in_thread(tmp_path) as server:
        with pytest.raises(ValueError, match="keep_handles: needs a server that was made with"):
            server.restart(keep_handles=True)
        assert round_trip(server) == b"data"


def test_without_a_folder_it_makes_one_which_is_gone_at_the_end():
    with serve_in_thread() as server:
        assert round_trip(server) == b"data"
        assert (server.path / "file").read_bytes() == b"data"
    assert not server.path.exists()


@pytest.mark.parametrize(
    ("listen", "hosts"),
    [
        ("::1", ["::1"]),
        ("0.0.0.0", ["0.0.0.0"]),
        (["127.0.0.1", "[::1]:0"], ["127.0.0.1", "::1"]),
    ],
)
def test_it_listens_where_it_is_told_to_and_everywhere_on_one_port(tmp_path, listen, hosts):
    with serve_in_thread(tmp_path, listen=listen) as server:
        addresses = server.server.addresses
        assert [one.host for one in addresses] == hosts
        assert {one.port for one in addresses} == {server.port}
        server.restart()
        for host in hosts:
            socket.create_connection((host, server.port)).close()


def test_a_port_that_is_free_at_one_address_alone_is_not_taken():
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            Ports([Address("127.0.0.1", port), Address("127.0.0.2", port)])
        ports = Ports([Address("127.0.0.1", port)])  # nothing is left of the one that failed
        ports.release()


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        ([], "listen: must have an address"),
        ("", "listen: must be an address"),
        ("127.0.0.1:http", 'listen: the port must be a number from 0 to 65535, not "http"'),
    ],
)
def test_an_address_that_is_none_is_an_error(tmp_path, listen, told):
    with pytest.raises(ValueError) as caught, serve_in_thread(tmp_path, listen=listen):
        pass
    assert told in str(caught.value)
