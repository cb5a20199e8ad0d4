"""What a client makes the server hold: no more than it has sent, and nothing once it is over."""

import trio
from trio.testing import wait_all_tasks_blocked

import smbd.testing
from tests.core import messages
from tests.core.messages import CHANGE_NOTIFY, ECHO, LOCK, SESSION_SETUP, WRITE
from tests.server.raw import raw_client

KIB = 1 << 10
MIB = 1 << 20


def peer_of(server, client):
    """The server's side of a connection."""
    port = client.stream.socket.getsockname()[1]
    (peer,) = (one for one in server.server._peers if one.connection.peer.endswith(f":{port}"))
    return peer


async def test_small_requests_that_wait_keep_no_large_receive_buffer(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, raw_client(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=4000)
        folder = await client.open("", access=1, options=1)
        holder = await client.open("a")
        waiter = await client.open("a")
        whole = (0, 100, messages.EXCLUSIVE)
        assert (await client.ask(LOCK, messages.lock(holder, whole))).status == 0
        refused = client.peer.request(WRITE, messages.write(bytes(16), bytes(8 * MIB)), charge=128)
        await client.send(
            refused,
            client.peer.request(LOCK, messages.lock(waiter, whole)),
            client.peer.request(CHANGE_NOTIFY, messages.change_notify(folder)),
        )
        assert (await client.answer()).status != 0
        peer = peer_of(server, client)
        while len(peer.connection.running()) < 2:
            await trio.lowlevel.checkpoint()
        assert all(request.kept < KIB for request in peer.connection.running())


async def test_a_compound_that_waits_keeps_no_large_receive_buffer(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, raw_client(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=4000)
        holder = await client.open("a")
        waiter = await client.open("a")
        whole = (0, 100, messages.EXCLUSIVE)
        assert (await client.ask(LOCK, messages.lock(holder, whole))).status == 0
        write = (WRITE, messages.write(waiter, bytes(30 * KIB), 1000))
        await client.send(
            client.peer.compound(
                (ECHO, messages.EMPTY), (LOCK, messages.lock(waiter, whole)), write
            )
        )
        peer = peer_of(server, client)
        while not (running := peer.connection.running()):
            await trio.lowlevel.checkpoint()
        assert running[0].kept < KIB
        assert peer.transport._incoming.size == 128 * KIB


async def test_a_frame_that_is_announced_and_never_sent_takes_no_memory(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, raw_client(server) as client:
        await client.connect()
        await client.stream.send_all((8 * MIB).to_bytes(4, "big") + bytes(100))
        peer = peer_of(server, client)
        while not peer.transport._incoming.have:
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        assert peer.transport._incoming.size <= 128 * KIB


async def test_the_memory_of_a_large_frame_is_given_back_when_nothing_follows(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, raw_client(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=4000)
        body = messages.write(bytes(16), bytes(8 * MIB))
        assert (await client.ask(WRITE, body, charge=128)).status != 0
        await wait_all_tasks_blocked()
        transport = peer_of(server, client).transport
        assert transport._incoming.size >= 8 * MIB
        transport.last_frame -= 2  # seconds ago
        server.server.settle()
        assert transport._incoming.size == 4 * KIB
        assert await client.works()


async def test_before_a_login_no_frame_may_be_longer_than_a_login_needs(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, raw_client(server) as client:
        await client.negotiate()
        body = messages.session_setup(bytes(9000))
        await client.send(client.peer.request(SESSION_SETUP, body))
        assert await client.hung_up()
