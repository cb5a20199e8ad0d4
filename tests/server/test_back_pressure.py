"""Clients that take more than they give: what the server holds for one of them has a bound."""

import pytest
import trio

import smbd.testing
from smbd.config import Limits
from smbd.ntstatus import NtStatus
from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    ECHO,
    LOCK,
    QUERY_DIRECTORY,
    READ,
    SESSION_SETUP,
    TREE_CONNECT,
    WRITE,
)
from tests.scripted import connected

MIB = 1 << 20


def held_for(server, client):
    """Bytes of replies and requests that the server holds for a client."""
    port = client.stream.socket.getsockname()[1]
    (served,) = (
        one for one in server.server._clients if one.connection.client.endswith(f":{port}")
    )
    return served.transport._unsent + served.transport._in_work


async def test_a_client_that_reads_nothing_fills_no_more_than_its_share_of_memory(tmp_path):
    (tmp_path / "big").write_bytes(bytes(MIB))
    limits = Limits(memory=8 * MIB)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as greedy:
        await greedy.connect()
        await greedy.ask(ECHO, asked=4000)
        file_id = await greedy.open("big", disposition=messages.FILE_OPEN)
        body = messages.read(file_id, length=MIB)
        frames = [greedy.peer.request(READ, body, charge=16) for _ in range(100)]
        await greedy.send(*frames)
        for _ in range(1000):
            await trio.lowlevel.checkpoint()
        assert 8 * MIB < held_for(server, greedy) < 10 * MIB
        async with connected(server) as other:
            await other.connect()
            assert await other.works()
        for _ in frames:
            assert len((await greedy.answer()).data) == MIB
        assert await greedy.works()
        assert held_for(server, greedy) == 0


async def test_a_client_that_sends_more_than_the_disk_takes_has_to_wait(tmp_path):
    limits = Limits(memory=4 * MIB)
    async with smbd.testing.serve(tmp_path, limits=limits, engine="threads") as server:
        async with connected(server) as client:
            await client.connect()
            await client.ask(ECHO, asked=4000)
            file_id = await client.open("big")
            for place in range(16):
                body = messages.write(file_id, bytes(MIB), place * MIB)
                await client.send(client.peer.request(WRITE, body, charge=16))
                assert held_for(server, client) < 8 * MIB
            for _ in range(16):
                assert (await client.answer()).status == 0
        assert (tmp_path / "big").stat().st_size == 16 * MIB


@pytest.mark.parametrize(
    ("command", "body", "limit"),
    [
        (SESSION_SETUP, None, 1024),
        (TREE_CONNECT, messages.tree_connect(r"\\box\share"), 1024),
    ],
    ids=["logins", "tree connects"],
)
async def test_one_client_cannot_have_any_number_of(tmp_path, command, body, limit):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=4000)
        fields = {}
        if body is None:
            body = messages.session_setup(b"NTLMSSP\0\1\0\0\0\x97\x82\x08\xe2" + bytes(16))
            fields["session_id"] = 0
            client.session.signer = None
        requests = [client.peer.request(command, body, **fields) for _ in range(limit + 10)]
        await client.send(*requests)
        refused = 0
        for _ in requests:
            refused += (await client.answer()).status == NtStatus.INSUFFICIENT_RESOURCES
        assert refused == 11, "one there was already"


async def test_one_file_cannot_have_any_number_of_locks_nor_hold_up_the_loop(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=4000)
        file_id = await client.open("a")
        many = [
            (2 * place, 1, messages.EXCLUSIVE | messages.FAIL_IMMEDIATELY) for place in range(5000)
        ]
        answer = await client.ask(LOCK, messages.lock(file_id, *many))
        assert answer.status == NtStatus.INVALID_PARAMETER
        statuses = set()
        for place in range(70):
            some = [
                (1000 * place + n, 1, messages.SHARED | messages.FAIL_IMMEDIATELY)
                for n in range(256)
            ]
            statuses.add((await client.ask(LOCK, messages.lock(file_id, *some))).status)
        assert statuses == {0, NtStatus.INSUFFICIENT_RESOURCES}


async def test_a_connection_may_have_only_so_many_opens(tmp_path):
    served = smbd.testing.serve(tmp_path, limits=Limits(opens=10))
    async with served as server, connected(server) as client:
        await client.connect()
        first = await client.open("a")
        for _ in range(9):
            await client.open("a")
        answer = await client.ask(CREATE, messages.create("a"))
        assert answer.status == NtStatus.INSUFFICIENT_RESOURCES
        assert (await client.ask(CLOSE, messages.close(first))).status == 0
        await client.open("a")


async def test_one_address_may_have_only_so_many_connections(tmp_path):
    served = smbd.testing.serve(tmp_path, limits=Limits(connections_per_address=2))
    async with served as server, connected(server) as first, connected(server) as second:
        await first.connect()
        await second.connect()
        async with connected(server) as third:
            assert await third.hung_up()
        assert await first.works()


async def test_many_connections_without_a_login_leave_room_for_no_more_of_them(tmp_path):
    limits = Limits(half_open_logins=2)
    async with smbd.testing.serve(tmp_path, limits=limits) as server:
        async with connected(server) as first, connected(server) as second:
            await first.negotiate()
            await second.negotiate()
            async with connected(server) as third:
                assert await third.hung_up()
            await first.ask(ECHO)
        async with connected(server) as fourth:
            await fourth.connect()
            assert await fourth.works()


async def test_a_large_listing_is_cut_to_what_the_client_asks_for(tmp_path):
    for place in range(300):
        (tmp_path / f"file {place:03}").touch()
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        directory = await client.open("", access=1, options=1)
        body = messages.query_directory(directory, length=4096)
        answer = await client.ask(QUERY_DIRECTORY, body)
        assert answer.status == 0
        assert len(answer.body) <= 4096 + 8
