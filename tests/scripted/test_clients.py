"""The scripted client against the server: dialects, verbs, clients with several connections."""

import pytest

from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, LOCK, PREVIOUS_FILE, READ
from tests.scripted import ALL_DIALECTS, WINDOWS, caching, clients, connected, frames


@pytest.fixture
async def server(tmp_path):
    async with serve(tmp_path) as server:
        yield server


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
async def test_the_verbs_in_every_dialect(server, dialect):
    async with connected(server, WINDOWS) as client:
        await client.connect(dialects=(dialect,))
        file_id = await client.open("file")
        assert (await client.write(file_id, b"0123456789")).status == 0
        assert (await client.read(file_id, 3, 4)).data == b"3456"
        assert (await client.flush(file_id)).status == 0
        assert (await client.lock(file_id, (0, 1, messages.EXCLUSIVE))).status == 0
        assert (await client.set_info(file_id, 20, (4).to_bytes(8, "little"))).status == 0
        told = await client.query_info(file_id, frames.STANDARD)
        assert told.output[8:16] == (4).to_bytes(8, "little")
        answer = await client.ioctl(file_id, frames.CREATE_OR_GET_OBJECT_ID)
        assert len(answer.ioctl_output) == 64
        folder = await client.open("", access=1, options=1)
        assert (await client.query_directory(folder)).status == 0
        assert (await client.close(file_id)).status == 0


@pytest.mark.parametrize("signing", [0, 1, 2], ids=["HMAC", "CMAC", "GMAC"])
async def test_every_signature(server, signing):
    offered = (frames.preauth_context(), (frames.SIGNING, frames.counted(signing)))
    async with connected(server, WINDOWS) as client:
        await client.connect(contexts=offered)
        assert client.peer.signing == signing
        assert await client.works()


async def test_a_sealed_compound_and_one_that_is_not_related(tmp_path):
    async with serve(tmp_path, encryption="required") as server:
        async with connected(server, WINDOWS) as client:
            await client.connect()
            made, closed = await client.ask_related(
                (CREATE, messages.create("a")), (CLOSE, messages.close(PREVIOUS_FILE))
            )
            assert (made.status, closed.status) == (0, 0)
            first = await client.open("a")
            ids = await client.begin_compound(
                (READ, messages.read(first)), (CLOSE, messages.close(first))
            )
            assert (await client.reply(ids[1])).status == 0
            assert (await client.reply(ids[0])).status == NtStatus.END_OF_FILE
            assert client.peer.answers_in_the_clear == 3  # NEGOTIATE, SESSION_SETUP twice


async def test_clients_have_guids_of_their_own_and_share_sessions_among_their_connections(server):
    async with clients(server) as new_client:
        anna, berta = new_client(), new_client()
        first, second, other = await anna.connect(), await anna.connect(), await berta.connect()
        assert first.peer.offer.guid == second.peer.offer.guid != other.peer.offer.guid
        assert set(anna.sessions) == {first.session.session_id, second.session.session_id}
        holder = await first.open("file")
        whole = (0, 10, messages.EXCLUSIVE)
        assert (await first.lock(holder, whole)).status == 0
        waits = await other.begin(LOCK, messages.lock(await other.open("file"), whole))
        await other.interim(waits)
        assert await second.works()
        await anna.lose(first)
        assert (await other.reply(waits)).status == 0
        assert anna.connections == [second]


async def test_a_client_asks_for_a_lease_and_a_durable_handle_and_is_told_of_nothing(server):
    """No break is under way: nothing is to be acknowledged."""
    async with connected(server, WINDOWS) as client:
        await client.connect()
        key, guid = b"a lease's key...", b"a create's guid."
        answer = await client.create(
            "file",
            oplock=caching.BY_LEASE,
            contexts=(caching.lease(key, caching.R | caching.H), caching.durable_v2(guid)),
        )
        assert answer.status == 0
        assert answer.oplock == caching.BY_LEASE
        assert caching.granted_lease(answer).state == caching.R | caching.H
        names = caching.ContextName
        assert set(answer.contexts) == {names.LEASE, names.DURABLE_REQUEST_V2}
        assert (await client.acknowledge_lease(key, caching.R)).status != 0
        assert (await client.acknowledge_oplock(answer.file_id, caching.NONE)).status != 0
        assert await client.was_told_nothing()
