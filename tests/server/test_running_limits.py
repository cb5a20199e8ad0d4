"""Each limit is held, with the right refusal, and only against who has reached it."""

import os
import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import smbd.testing
from smbd.config import Limits
from smbd.ntstatus import NtStatus
from tests.core import messages
from tests.core.messages import (
    CANCEL,
    CLOSE,
    CREATE,
    ECHO,
    EXCLUSIVE,
    LOCK,
    READ,
    UNLOCK,
)
from tests.scripted import PENDING, Connection, HungUpError, connected

ALL = (0, 100, EXCLUSIVE)
MIB = 1 << 20


async def turned_away(server, host="127.0.0.1"):
    """Whether a new connection, which comes from `host`, is closed at once."""
    stream = await trio.open_tcp_stream(server.host, server.port, local_address=host)
    async with stream:
        try:
            await Connection(stream).negotiate()
        except (HungUpError, trio.BrokenResourceError):
            return True
        return False


async def test_one_connection_too_many_is_closed_at_once(tmp_path):
    limits = Limits(connections=2)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as one:
        async with connected(server) as two:
            await one.connect()
            await two.connect()
            assert await turned_away(server)
            assert await one.works()
        await wait_all_tasks_blocked(0.01)
        async with connected(server) as two:
            await two.connect()  # one that leaves makes room
        await wait_all_tasks_blocked(0.01)
        assert server.server.document()["connections"] == {
            "now": 1,
            "without_login": 0,
            "refused": 1,
        }


async def test_one_address_leaves_room_for_others(tmp_path):
    limits = Limits(connections_per_address=1)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as one:
        await one.connect()
        assert await turned_away(server)
        assert not await turned_away(server, "127.0.0.2")


async def test_unauthenticated_connections_leave_room_for_others(tmp_path):
    limits = Limits(half_open_logins=1)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as one:
        await one.connect()
        async with connected(server) as two:
            await two.negotiate()
            assert await turned_away(server)
        await wait_all_tasks_blocked(0.01)
        async with connected(server) as two:
            await two.connect()
            assert not await turned_away(server), "sessions do not count"


def test_no_one_machine_can_keep_all_others_out_by_not_logging_in():
    assert Limits().half_open_logins > Limits().connections_per_address


async def test_a_login_that_comes_too_late_is_dropped(tmp_path, mock_clock):
    limits = Limits(login_time=3)
    async with (
        smbd.testing.serve(tmp_path, limits=limits) as server,
        connected(server) as late,
        connected(server) as silent,
    ):
        await late.negotiate()
        mock_clock.jump(2.9)
        assert (await late.ask(ECHO)).status == 0
        mock_clock.jump(1.1)  # each is looked at once a second
        assert await late.hung_up()
        assert await silent.hung_up()


async def test_a_client_that_is_logged_in_need_not_hurry(tmp_path, mock_clock):
    limits = Limits(login_time=3, idle_time=0)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as client:
        await client.connect()
        mock_clock.jump(100_000)
        assert await client.works()


async def test_a_silent_connection_without_open_files_is_dropped(tmp_path, mock_clock):
    limits = Limits(idle_time=10)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as client:
        await client.connect()
        for _ in range(5):
            mock_clock.jump(9)
            assert (await client.ask(ECHO)).status == 0
        file_id = await client.open("a")
        mock_clock.jump(1000)
        await wait_all_tasks_blocked(0.01)
        assert (await client.ask(CLOSE, messages.close(file_id))).status == 0
        mock_clock.jump(11)
        assert await client.hung_up()


async def test_a_client_that_takes_no_replies_is_dropped_although_files_are_open(
    tmp_path, mock_clock
):
    (tmp_path / "big").write_bytes(bytes(MIB))
    limits = Limits(idle_time=10)
    async with (
        smbd.testing.serve(tmp_path, limits=limits) as server,
        connected(server) as client,
        connected(server) as other,
    ):
        await client.connect()
        await other.connect()
        file_id = await client.open("big")
        other_id = await other.open("other")
        await ask_for_more_than_sockets_hold(client, file_id)
        [served] = [one for one in server.server._clients if one.transport._unsent]
        mock_clock.jump(11)
        await wait_all_tasks_blocked(0.01)
        assert served not in server.server._clients
        assert (await other.ask(CLOSE, messages.close(other_id))).status == 0


async def ask_for_more_than_sockets_hold(client, file_id, count=64):
    """READs whose answers nobody takes."""
    assert (await client.ask(ECHO, asked=16 * count)).status == 0
    read = messages.read(file_id, 0, MIB)
    await client.send(*(client.peer.request(READ, read, charge=16) for _ in range(count)))
    await wait_all_tasks_blocked(0.01)


async def test_memory_of_one_connection_is_bounded_and_nothing_is_lost(tmp_path):
    (tmp_path / "big").write_bytes(os.urandom(MIB))
    limits = Limits(memory=16 * MIB)
    async with (
        smbd.testing.serve(tmp_path, limits=limits) as server,
        connected(server) as greedy,
        connected(server) as other,
    ):
        await greedy.connect()
        await other.connect()
        file_id = await greedy.open("big")
        await ask_for_more_than_sockets_hold(greedy, file_id)
        [transport] = [one.transport for one in server.server._clients if one.transport._unsent]
        assert transport._unsent + transport._in_work < 18 * MIB
        assert await other.works(), "nobody else waits for who does not read"
        for _ in range(64):
            answer = await greedy.answer()
            assert answer.status == 0
            assert len(answer.data) == MIB
        assert await greedy.works()


async def test_handles_are_those_of_the_connection_not_of_one_login(tmp_path):
    limits = Limits(opens=3)
    async with (
        smbd.testing.serve(tmp_path, limits=limits) as server,
        connected(server) as client,
        connected(server) as other,
    ):
        await client.connect()
        first = await client.open("1")
        await client.open("2")
        first_login = client.session
        assert (await client.log_in()).status == 0
        await client.enter()
        await client.open("3")
        refused = await client.ask(CREATE, messages.create("4"))
        assert refused.status == NtStatus.INSUFFICIENT_RESOURCES
        assert not (tmp_path / "4").exists(), "who is refused leaves nothing behind"
        client.session = first_login
        await other.connect()
        await other.open("5")
        assert (await client.ask(CLOSE, messages.close(first))).status == 0
        await client.open("6")


async def test_requests_in_work_are_bounded_and_what_ends_at_once_is_not(tmp_path):
    limits = Limits(requests=16)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as client:
        await client.connect()
        holder, waiter = await client.open("a"), await client.open("a")
        assert (await client.ask(LOCK, messages.lock(holder, ALL))).status == 0
        for _ in range(16):
            await client.send(client.peer.request(LOCK, messages.lock(waiter, ALL)))
            [interim] = await client.answers()
            assert interim.status == PENDING
        refused = await client.ask(LOCK, messages.lock(waiter, ALL))
        assert refused.status == NtStatus.INSUFFICIENT_RESOURCES
        refused = await client.ask(CREATE, messages.create("b"))
        assert refused.status == NtStatus.INSUFFICIENT_RESOURCES
        assert (await client.ask(READ, messages.read(holder))).status == NtStatus.END_OF_FILE
        await client.send(client.peer.request(CANCEL, async_id=interim.async_id, flags=2))
        assert (await client.answer()).status == NtStatus.CANCELLED
        assert (await client.ask(CREATE, messages.create("b"))).status == 0
        unlocked = await client.ask(LOCK, messages.lock(holder, (0, 100, UNLOCK)))
        assert unlocked.status == 0
        assert (await client.answer()).status == 0, "whoever stands in line gets it"


async def test_a_chain_that_may_not_begin_is_refused_link_by_link(tmp_path):
    limits = Limits(requests=16)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as client:
        await client.connect()
        holder, waiter = await client.open("a"), await client.open("a")
        assert (await client.ask(LOCK, messages.lock(holder, ALL))).status == 0
        for _ in range(16):
            await client.send(client.peer.request(LOCK, messages.lock(waiter, ALL)))
            await client.answers()
        chain = client.peer.related(
            (CREATE, messages.create("b")), (CLOSE, messages.close(messages.PREVIOUS_FILE))
        )
        await client.send(chain)
        assert [one.status for one in await client.answers()] == 2 * [
            NtStatus.INSUFFICIENT_RESOURCES
        ]


async def test_an_ipv6_peer_has_a_name_that_can_be_read(tmp_path):
    from smbd.config import Address, Config, ServerConfig, ShareConfig, UserConfig
    from smbd.server import serving

    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    config = Config(
        ServerConfig(listen=(Address("::1", 0),)),
        (UserConfig("test", "test"),),
        (ShareConfig("share", tmp_path),),
    )
    async with serving(config) as server:
        stream = await trio.open_tcp_stream("::1", server.addresses[0].port)
        async with stream:
            await wait_all_tasks_blocked(0.01)
            [served] = server._clients
            assert served.name == f"[::1]:{stream.socket.getsockname()[1]}"


async def test_credits_are_few_until_somebody_has_logged_in(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        answer = await client.negotiate(asked=8000)
        assert answer.granted <= 16
        echo = await client.ask(ECHO, asked=8000)
        assert answer.granted + echo.granted <= 17
        assert (await client.log_in(asked=500)).status == 0
        first = await client.ask(ECHO, asked=1)
        assert first.granted == 1
        assert (await client.ask(ECHO, asked=8000)).granted > 7000
