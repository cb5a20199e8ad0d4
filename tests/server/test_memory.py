"""What a client makes the server hold: no more than it has sent, and nothing once it is over."""

import gc
import socket
from collections import Counter
from math import inf
from struct import pack

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import smbd.testing
from smbd.config import Limits
from smbd.memory import LOCK as LOCKED
from smbd.memory import OPEN, REPLY, TASK, WATCH
from smbd.ntstatus import NtStatus
from smbd.receiving import IDLE
from smbd.vfs.information import _told, _young
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    ECHO,
    LOCK,
    QUERY_DIRECTORY,
    SESSION_SETUP,
    WRITE,
)
from tests.scripted import MORE_PROCESSING, WINDOWS, connected
from tests.scripted.caching import BATCH

KIB = 1 << 10
MIB = 1 << 20


def served_connection(server, client):
    """The server's side of a connection."""
    port = client.stream.socket.getsockname()[1]
    (served,) = (
        one for one in server.server._clients if one.connection.client.endswith(f":{port}")
    )
    return served


async def test_small_requests_that_wait_keep_no_large_receive_buffer(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
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
        served = served_connection(server, client)
        while len(served.connection.request_list.all()) < 2:
            await trio.lowlevel.checkpoint()
        assert all(request.kept < KIB for request in served.connection.request_list.all())


async def test_a_compound_that_waits_keeps_no_large_receive_buffer(tmp_path):
    async with (
        smbd.testing.serve(tmp_path) as server,
        connected(server) as holder,
        connected(server) as client,
    ):
        await holder.connect()
        await holder.open("a", oplock=BATCH)
        await client.connect()
        await client.ask(ECHO, asked=4000)
        opened = await client.open("b")
        write = (WRITE, messages.write(opened, bytes(30 * KIB), 1000))
        await client.send(
            client.peer.compound((ECHO, messages.EMPTY), (CREATE, messages.create("a")), write)
        )
        served = served_connection(server, client)
        while not (running := served.connection.request_list.all()):
            await trio.lowlevel.checkpoint()
        assert running[0].kept < KIB
        assert served.transport._incoming.size == 128 * KIB


async def test_a_frame_that_is_announced_and_never_sent_takes_no_memory(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.stream.send_all((8 * MIB).to_bytes(4, "big") + bytes(100))
        served = served_connection(server, client)
        while not served.transport._incoming.have:
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        assert served.transport._incoming.size <= 128 * KIB


async def test_the_memory_of_a_large_frame_is_given_back_when_nothing_follows(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=4000)
        body = messages.write(bytes(16), bytes(8 * MIB))
        assert (await client.ask(WRITE, body, charge=128)).status != 0
        await wait_all_tasks_blocked()
        transport = served_connection(server, client).transport
        assert transport._incoming.size >= 8 * MIB
        transport.last_frame -= 2  # seconds ago
        server.server.settle()
        assert transport._incoming.size == IDLE
        assert await client.works()


async def test_a_client_that_hangs_up_is_missed_although_nothing_is_read_from_it(tmp_path):
    async with smbd.testing.serve(tmp_path, limits=Limits(memory=256 * KIB)) as server:
        async with connected(server) as client:
            await client.connect()
            await client.ask(ECHO, asked=400)
            await client.open("a")
            transport = served_connection(server, client).transport
            transport.work_began(MIB)  # and it takes for ever
            await client.send(*(client.peer.request(ECHO) for _ in range(3)))
            await wait_all_tasks_blocked()
            server.server.settle()
            assert server.server.service.tables.opens
        while server.server._clients:
            server.server.settle()
            await trio.lowlevel.checkpoint()
        assert not list(server.server.service.tables.opens)


async def test_a_frame_that_comes_too_slowly_costs_its_sender_the_connection(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        assert await client.works()
        transport = served_connection(server, client).transport
        await client.stream.send_all((8 * MIB).to_bytes(4, "big") + bytes(100))
        while transport.unfinished_since == inf:
            await trio.lowlevel.checkpoint()
        server.server.settle()
        transport._whole -= 290  # seconds ago
        await client.stream.send_all(bytes(100))
        await wait_all_tasks_blocked()
        server.server.settle()
        assert server.server._clients, "it may take some minutes"
        transport._whole -= 20
        server.server.settle()
        assert await client.hung_up()


async def test_a_frame_may_begin_whenever_it_wants_to(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        transport = served_connection(server, client).transport
        transport._whole -= 1000
        server.server.settle()
        await client.stream.send_all((8 * MIB).to_bytes(4, "big") + bytes(100))
        while transport.unfinished_since == inf:
            await trio.lowlevel.checkpoint()
        server.server.settle()
        assert server.server._clients


async def test_before_a_login_no_frame_may_be_longer_than_a_login_needs(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.negotiate()
        body = messages.session_setup(bytes(9000))
        await client.send(client.peer.request(SESSION_SETUP, body))
        assert await client.hung_up()


async def test_before_a_login_no_more_than_a_few_may_be_begun(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.negotiate()
        statuses = []
        for _ in range(20):
            await client.send(next(client.peer.login()))
            statuses.append((await client.answer()).status)
        assert statuses.count(MORE_PROCESSING) == 3
        assert statuses[3:] == [NtStatus.INSUFFICIENT_RESOURCES] * 17
        assert served_connection(server, client).connection.memory.held <= 8 * KIB


async def test_a_long_token_of_a_login_that_is_not_gone_on_with_counts(tmp_path):
    token = b"NTLMSSP\0\1\0\0\0\x97\x82\x08\xe2" + bytes(7000)
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.negotiate()
        body = messages.session_setup(token)
        answer = await client.ask(SESSION_SETUP, body, session_id=0)
        assert answer.status == NtStatus.INSUFFICIENT_RESOURCES
        memory = served_connection(server, client).connection.memory
        assert memory.held == 0, "it is over"
        assert (await client.log_in()).status == 0
        answer = await client.ask(SESSION_SETUP, body, session_id=0)
        assert answer.status != NtStatus.INSUFFICIENT_RESOURCES
        assert memory.held > 7000


async def test_logins_that_are_held_back_are_not_read_ahead_of(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.negotiate(asked=16)
        address = served_connection(server, client).connection.address
        for _ in range(10):
            server.server.service.throttle.failed(address, trio.current_time())
        guesses = []
        for _ in range(3):
            steps = client.peer.login(password="wrong", asked=16)
            await client.send(next(steps))
            guesses.append(steps.send(await client.answer()))
        await client.send(*guesses)
        served = served_connection(server, client)
        while not served.connection.request_list.all():
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        assert len(served.connection.request_list.all()) < 3


async def test_requests_that_wait_for_ever_are_refused_while_others_are_read(tmp_path):
    async with smbd.testing.serve(tmp_path, limits=Limits(memory=MIB)) as server:
        async with connected(server) as client:
            await client.connect()
            await client.ask(ECHO, asked=4000)
            folder = await client.open("", access=1, options=1)
            request = client.peer.request
            await client.send(
                *(request(CHANGE_NOTIFY, messages.change_notify(folder)) for _ in range(300))
            )
            refused = [await client.answer()]
            waiting = len(served_connection(server, client).connection.request_list.all())
            assert 100 < waiting < 150
            refused += [await client.answer() for _ in range(300 - waiting - 1)]
            assert {one.status for one in refused} == {NtStatus.INSUFFICIENT_RESOURCES}
            assert (await client.ask(ECHO)).status == 0


async def test_what_a_request_held_is_free_when_it_is_answered(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=4000)
        served = served_connection(server, client)
        before = served.connection.memory.held
        holder, waiter = await client.open("a"), await client.open("a")
        whole = (0, 100, messages.EXCLUSIVE)
        assert (await client.ask(LOCK, messages.lock(holder, whole))).status == 0
        await client.send(client.peer.request(LOCK, messages.lock(waiter, whole)))
        while not served.connection.request_list.all():
            await trio.lowlevel.checkpoint()
        assert served.connection.memory.held > before + TASK
        for one in (holder, waiter):
            await client.send(client.peer.request(CLOSE, messages.close(one)))
        for _ in range(3):
            await client.answer()
        while served.connection.request_list.all():
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        assert served.connection.memory.held == before
        assert served.transport._in_work == served.transport._unsent == 0


async def test_replies_that_nobody_takes_count_with_their_objects(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=4000)
        transport = served_connection(server, client).transport
        transport.send([bytearray(76) for _ in range(10)])
        assert transport._unsent == 10 * (76 + REPLY)
        transport.flush()
        assert transport._unsent == 0


def objects_of_ours():
    """How many there are of each class of smbd, garbage that nobody has collected included.

    But for what was told of files that had not changed for some time: it is kept on purpose, and
    how much there is depends on how slow the machine is.
    """
    _told.clear()
    _young.clear()
    kinds = Counter(type(one) for one in gc.get_objects())
    return {
        kind: count for kind, count in kinds.items() if str(kind.__module__).startswith("smbd.")
    }


async def hangs_up(client, server):
    pass


async def hangs_up_with_answers_unread(client, server):
    await client.send(client.peer.request(ECHO))
    client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))


async def leaves_the_protocol(client, server):
    await client.send(b"neither SMB1 nor SMB2 nor sealed, and long enough")
    assert await client.hung_up()


async def is_ended_by_hand(client, server):
    await server.server.disconnect("test")
    while await client.answers():
        pass


@pytest.mark.parametrize(
    "ends", [hangs_up, hangs_up_with_answers_unread, leaves_the_protocol, is_ended_by_hand]
)
async def test_what_ends_is_free_before_any_garbage_collection(tmp_path, ends):
    whole = (0, 100, messages.EXCLUSIVE)

    async def come_and_go():
        async with connected(server) as client:
            await client.connect()
            one, other = await client.open("a"), await client.open("a")
            folder = await client.open("", access=1, options=1)
            assert (await client.ask(CREATE, messages.create("no/such/folder/a"))).status != 0
            assert (await client.ask(LOCK, messages.lock(one, whole))).status == 0
            await client.send(
                client.peer.request(LOCK, messages.lock(other, whole)),
                client.peer.request(CHANGE_NOTIFY, messages.change_notify(folder)),
            )
            for _ in range(2):
                await client.answers()  # PENDING
            await ends(client, server)
        while server.server._clients:
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()

    async with smbd.testing.serve(tmp_path) as server:
        await come_and_go()  # what is made once and kept is there now
        gc.collect()
        gc.disable()
        try:
            before = objects_of_ours()
            await come_and_go()
            assert objects_of_ours() == before
        finally:
            gc.enable()


async def test_the_names_of_a_listing_count_until_they_are_told(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3000):
        (folder / f"{'x' * 200}{number:04}").touch()
    limits = Limits(memory=2 * MIB)
    async with smbd.testing.serve(tmp_path, limits=limits) as server, connected(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=400)
        memory = served_connection(server, client).connection.memory
        before = memory.held
        body = messages.query_directory
        folders = [await client.open("many", access=1, options=1) for _ in range(4)]
        statuses = [(await client.ask(QUERY_DIRECTORY, body(one))).status for one in folders]
        assert statuses == [0, 0, NtStatus.INSUFFICIENT_RESOURCES, NtStatus.INSUFFICIENT_RESOURCES]
        assert memory.held > before + MIB
        while not (await client.ask(QUERY_DIRECTORY, body(folders[0]))).status:
            pass
        assert (await client.ask(QUERY_DIRECTORY, body(folders[2]))).status == 0
        for one in folders:
            assert (await client.ask(CLOSE, messages.close(one))).status == 0
        assert memory.held == before


async def test_opens_and_locks_and_watches_count_until_they_end(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=400)
        memory = served_connection(server, client).connection.memory
        before = memory.held
        file_id = await client.open("a")
        opened = memory.held
        assert opened >= before + OPEN
        ranges = [
            (10 * place, 1, messages.SHARED | messages.FAIL_IMMEDIATELY) for place in range(10)
        ]
        assert (await client.ask(LOCK, messages.lock(file_id, *ranges))).status == 0
        assert memory.held == opened + 10 * LOCKED
        over = [(0, 1, messages.EXCLUSIVE | messages.FAIL_IMMEDIATELY)]
        assert (await client.ask(LOCK, messages.lock(file_id, *over))).status != 0
        assert memory.held == opened + 10 * LOCKED
        free = [(10 * place, 1, messages.UNLOCK) for place in (0, 1, 99)]
        answer = await client.ask(LOCK, messages.lock(file_id, *free))
        assert answer.status == NtStatus.RANGE_NOT_LOCKED
        assert memory.held == opened + 8 * LOCKED
        assert (await client.ask(CLOSE, messages.close(file_id))).status == 0
        assert memory.held == before
        folder = await client.open("", access=1, options=1)
        await client.send(client.peer.request(CHANGE_NOTIFY, messages.change_notify(folder)))
        await client.answers()
        assert memory.held >= before + OPEN + WATCH + TASK
        assert (await client.ask(CLOSE, messages.close(folder))).status == 0
        await client.answer()  # NOTIFY_CLEANUP
        await wait_all_tasks_blocked()
        assert memory.held == before


async def test_sessions_count_with_their_keys_until_they_end(tmp_path):
    """A session takes 14 KiB, most of it its keys'."""
    async with (
        smbd.testing.serve(tmp_path, limits=Limits(memory=MIB)) as server,
        connected(server, WINDOWS) as client,
    ):
        await client.connect()
        sessions, answer = [], await client.log_in()
        while answer.status == 0:
            sessions.append(client.session)
            answer = await client.log_in()
        assert answer.status == NtStatus.INSUFFICIENT_RESOURCES
        assert 40 < len(sessions) < MIB * 3 // 4 / (14 * KIB)
        assert (await client.ask(messages.LOGOFF, session=sessions.pop())).status == 0
        assert (await client.log_in()).status == 0


async def test_a_connection_that_holds_all_it_may_can_still_let_go(tmp_path):
    async with smbd.testing.serve(tmp_path, limits=Limits(memory=256 * KIB)) as server:
        async with connected(server) as client:
            await client.connect()
            await client.ask(ECHO, asked=400)
            opens = []
            while not (answer := await client.ask(CREATE, messages.create("a"))).status:
                opens.append(answer.file_id)
            assert answer.status == NtStatus.INSUFFICIENT_RESOURCES
            assert len(opens) > 50
            answer = await client.ask(CREATE, messages.create("new"))
            assert answer.status == NtStatus.INSUFFICIENT_RESOURCES
            assert not (tmp_path / "new").exists()
            assert (await client.ask(CLOSE, messages.close(opens[0]))).status == 0
            assert (await client.ask(CREATE, messages.create("a"))).status == 0
