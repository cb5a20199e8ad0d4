"""Durable handles between clients ([MS-SMB2] 3.3.5.9.6 to 3.3.5.9.12, 3.3.7.1), over sockets."""

import os
from struct import pack

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from smbd.config import UserConfig
from smbd.ntstatus import NtStatus
from smbd.server.metrics import text as metrics_text
from smbd.testing import serve
from smbd.wire.create_contexts import ContextName
from tests.core import messages
from tests.core.messages import (
    CREATE,
    EXCLUSIVE,
    FAIL_IMMEDIATELY,
    FILE_OPEN,
    LOCK,
    LOGOFF,
    REPLAY,
    TREE_DISCONNECT,
    UNLOCK,
)
from tests.scripted import caching, clients
from tests.scripted.caching import (
    BATCH,
    BY_LEASE,
    NONE,
    H,
    R,
    W,
    durable,
    durable_v2,
    lease,
    reconnect,
    reconnect_v2,
)

GUID, OTHER_GUID = b"create guid 16 b", b"another guid 16b"
KEY, OTHER_KEY = b"lease key is 16b", b"another key, 16b"
USERS = [UserConfig(name="ann", password="a"), UserConfig(name="bob", password="b")]
MISSING = NtStatus.OBJECT_NAME_NOT_FOUND
GRANTED, GRANTED_V2 = ContextName.DURABLE_REQUEST, ContextName.DURABLE_REQUEST_V2


@pytest.fixture
async def stage(tmp_path, mock_clock):
    """(server, new_client); the time stands still unless a test moves it."""
    async with serve(tmp_path) as server, clients(server) as new_client:
        yield server, new_client


def parked(server):
    return server.server.document()["parked"]


async def until_parked(server, count=1):
    """The server has noticed that a connection is gone."""
    with trio.fail_after(1e9):
        while parked(server) != count:
            await trio.lowlevel.checkpoint()


async def vanish(server, client, connection, count=1):
    await client.lose(connection)
    await until_parked(server, count)


async def gets_back(connection, *contexts, name="file", **wanted):
    """The answer to a reconnect, which says nothing else that could open anything."""
    return await connection.create(
        name, contexts=contexts, access=0x12345678, disposition=0x77, options=0x12345678, **wanted
    )


@pytest.mark.parametrize(
    ("asks", "granted"),
    [
        ({"oplock": BATCH, "contexts": [durable()]}, GRANTED),
        ({"oplock": caching.EXCLUSIVE, "contexts": [durable()]}, None),
        ({"oplock": caching.LEVEL_II, "contexts": [durable()]}, None),
        ({"oplock": NONE, "contexts": [durable()]}, None),
        ({"oplock": BY_LEASE, "contexts": [lease(KEY, R | H), durable()]}, GRANTED),
        ({"oplock": BY_LEASE, "contexts": [lease(KEY, R | W), durable()]}, None),
        ({"oplock": BATCH, "contexts": [durable_v2(GUID)]}, GRANTED_V2),
        ({"oplock": NONE, "contexts": [durable_v2(GUID)]}, None),
        ({"oplock": BY_LEASE, "contexts": [lease(KEY, R | W | H), durable_v2(GUID)]}, GRANTED_V2),
        ({"oplock": BATCH, "options": 1, "contexts": [durable_v2(GUID)]}, None),
    ],
)
async def test_a_handle_is_durable_if_its_client_may_keep_it(stage, asks, granted):
    _, new_client = stage
    ann = await new_client().connect()
    answer = await ann.create("file", **asks)
    assert answer.status == 0
    assert {GRANTED, GRANTED_V2} & set(answer.contexts) == ({granted} if granted else set())


@pytest.mark.parametrize(("asked", "granted"), [(0, 60_000), (5000, 5000), (2**32 - 1, 300_000)])
async def test_version_2_says_how_long_it_is_kept(stage, asked, granted):
    _, new_client = stage
    ann = await new_client().connect()
    wanted = [durable_v2(GUID, timeout=asked)]
    answer = await ann.create("file", oplock=BATCH, contexts=wanted)
    assert answer.contexts[GRANTED_V2] == pack("<II", granted, 0)


async def test_a_guest_gets_no_durable_handle(tmp_path):
    open_to_all = serve(tmp_path, guest=True, signing="enabled")
    async with open_to_all as server, clients(server) as new_client:
        ann = await new_client().connection()
        await ann.negotiate()
        assert (await ann.log_in("guest", "")).status == 0
        assert (await ann.enter(signed=False)).status == 0
        answer = await ann.create("file", oplock=BATCH, contexts=[durable()])
        assert answer.oplock == BATCH
        assert GRANTED not in answer.contexts


@pytest.mark.parametrize("version", [1, 2])
async def test_a_client_gets_its_handle_back_with_its_locks_and_its_oplock(stage, version):
    server, new_client = stage
    client = new_client()
    ann, bob = await client.connect(), await new_client().connect()
    asks = durable() if version == 1 else durable_v2(GUID)
    before = await ann.open("file", oplock=BATCH, contexts=[asks], share=7)
    assert (await ann.write(before, b"data")).status == 0
    assert (await ann.lock(before, (0, 2, EXCLUSIVE | FAIL_IMMEDIATELY))).status == 0
    await vanish(server, client, ann)

    ann = await client.connect()
    again = reconnect(before) if version == 1 else reconnect_v2(before, GUID)
    answer = await gets_back(ann, again)
    assert (answer.status, answer.oplock) == (0, BATCH)
    assert answer.file_id[:8] == before[:8]
    assert answer.file_id[8:] != before[8:]
    assert not {GRANTED, GRANTED_V2} & set(answer.contexts)
    assert (await ann.read(before)).status == NtStatus.FILE_CLOSED
    assert (await ann.read(answer.file_id)).data == b"data"
    assert (await ann.lock(answer.file_id, (0, 2, UNLOCK))).status == 0

    waits = await bob.begin(CREATE, messages.create("file"))
    assert caching.parse_break(await ann.notification()).file_id == answer.file_id
    assert (await ann.acknowledge_oplock(answer.file_id, NONE)).status == 0
    assert (await bob.reply(waits)).status == 0


async def test_what_was_written_to_a_stream_is_on_the_disk_while_its_client_is_away(
    stage, tmp_path
):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    before = await ann.open("file:stream", oplock=BATCH, contexts=[durable_v2(GUID)])
    await ann.write(before, b"data")
    await vanish(server, client, ann)
    with trio.fail_after(1e9):
        while os.getxattr(tmp_path / "file", "user.DosStream.stream:$DATA") != b"data\0":
            await trio.lowlevel.checkpoint()
    ann = await client.connect()
    answer = await gets_back(ann, reconnect_v2(before, GUID), name="file:stream")
    assert answer.status == 0
    assert (await ann.read(answer.file_id)).data == b"data"
    await ann.write(answer.file_id, b"more")
    await ann.close(answer.file_id)
    assert os.getxattr(tmp_path / "file", "user.DosStream.stream:$DATA") == b"more\0"


async def test_a_lease_comes_back_to_the_client_with_its_key(stage):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    asks = [lease(KEY, R | W | H), durable_v2(GUID)]
    before = await ann.open("file", oplock=BY_LEASE, contexts=asks)
    await vanish(server, client, ann)
    ann = await client.connect()
    again = reconnect_v2(before, GUID)
    assert (await gets_back(ann, again)).status == MISSING
    assert (await gets_back(ann, again, lease(OTHER_KEY, R))).status == MISSING
    wrong = await gets_back(ann, again, lease(KEY, 0), name="another")
    assert wrong.status == NtStatus.INVALID_PARAMETER
    answer = await gets_back(ann, again, lease(KEY, 0))
    assert (answer.status, answer.oplock) == (0, BY_LEASE)
    assert caching.granted_lease(answer).state == R | W | H


async def test_another_user_another_client_and_another_guid_get_nothing(tmp_path, mock_clock):
    async with serve(tmp_path, users=USERS) as server, clients(server) as new_client:
        client = new_client()
        ann = await client.connect(user="ann", password="a")
        asks = [lease(KEY, R | H), durable_v2(GUID)]
        before = await ann.open("file", oplock=BY_LEASE, contexts=asks)
        await vanish(server, client, ann)

        right = reconnect_v2(before, GUID), lease(KEY, 0)
        stranger = await new_client().connect(user="ann", password="a")
        assert (await gets_back(stranger, *right)).status == MISSING
        bob = await client.connect(user="bob", password="b")
        assert (await gets_back(bob, *right)).status in {MISSING, NtStatus.ACCESS_DENIED}
        ann = await client.connect(user="ann", password="a")
        wrong = await gets_back(ann, reconnect_v2(before, OTHER_GUID), lease(KEY, 0))
        assert wrong.status == MISSING
        guessed = await gets_back(ann, reconnect_v2(bytes(16), GUID), lease(KEY, 0))
        assert guessed.status == MISSING
        assert (await gets_back(ann, *right)).status == 0
        assert (await gets_back(ann, *right)).status == MISSING, "it is held"


async def test_another_user_does_not_get_an_oplocks_handle_either(tmp_path, mock_clock):
    async with serve(tmp_path, users=USERS) as server, clients(server) as new_client:
        client = new_client()
        ann = await client.connect(user="ann", password="a")
        before = await ann.open("file", oplock=BATCH, contexts=[durable()])
        await vanish(server, client, ann)
        bob = await client.connect(user="bob", password="b")
        refused = await gets_back(bob, reconnect(before))
        assert refused.status == NtStatus.ACCESS_DENIED


async def test_a_handle_ends_when_its_time_is_over(stage, mock_clock, tmp_path):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    contexts = [durable_v2(GUID, timeout=5000)]
    before = await ann.open(
        "doomed", oplock=BATCH, contexts=contexts, options=messages.DELETE_ON_CLOSE
    )
    await vanish(server, client, ann)
    [row] = server.server.document()["opens"]
    assert (row["user"], row["parked"]) == ("test", 5.0)
    assert "smbd_parked 1" in metrics_text(await server.server.figures())
    mock_clock.jump(4.9)
    await wait_all_tasks_blocked()
    assert parked(server) == 1
    mock_clock.jump(0.2)
    ann = await client.connect()
    assert (await gets_back(ann, reconnect_v2(before, GUID), name="doomed")).status == MISSING
    while server.server.document()["opens"] or (tmp_path / "doomed").exists():
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("sharing", [0, 7])
async def test_a_parked_handle_yields_at_once_to_another_client(stage, sharing):
    server, new_client = stage
    client = new_client()
    ann, bob = await client.connect(), await new_client().connect()
    before = await ann.open("file", oplock=BATCH, contexts=[durable()], share=sharing)
    await vanish(server, client, ann)
    answer = await bob.create("file", oplock=BATCH, disposition=FILE_OPEN)
    assert (answer.status, answer.oplock) == (0, BATCH)
    ann = await client.connect()
    assert (await gets_back(ann, reconnect(before))).status == MISSING


async def test_a_parked_handle_to_be_deleted_takes_its_file_with_it_when_it_yields(stage):
    server, new_client = stage
    client = new_client()
    ann, bob = await client.connect(), await new_client().connect()
    doomed = {"oplock": BATCH, "contexts": [durable()], "options": messages.DELETE_ON_CLOSE}
    assert (await ann.write(await ann.open("file", **doomed), b"data")).status == 0
    await vanish(server, client, ann)
    assert (await bob.create("file", disposition=FILE_OPEN)).status == MISSING


async def test_when_its_time_is_over_a_handle_keeps_no_folder_open(stage, mock_clock):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    await ann.open("file", oplock=BATCH, contexts=[durable()])
    await vanish(server, client, ann)
    share = server.server.service.shares["share"]
    assert share.roots
    mock_clock.jump(60.1)
    with trio.fail_after(1e9):
        while share.roots:
            await trio.lowlevel.checkpoint()


async def test_locks_of_a_parked_handle_stay(stage):
    server, new_client = stage
    client = new_client()
    ann, bob = await client.connect(), await new_client().connect()
    asks = {"oplock": BY_LEASE, "contexts": [lease(KEY, R | H), durable()], "share": 7}
    before = await ann.open("file", **asks)
    second = await bob.open("file")
    assert (await ann.lock(before, (0, 10, EXCLUSIVE | FAIL_IMMEDIATELY))).status == 0
    await vanish(server, client, ann)
    refused = await bob.lock(second, (0, 10, EXCLUSIVE | FAIL_IMMEDIATELY))
    assert refused.status == NtStatus.LOCK_NOT_GRANTED


async def test_logoff_and_a_login_in_its_place_park_and_the_end_of_the_tree_closes(stage):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    asks = {"oplock": BATCH, "contexts": [durable()]}
    before = await ann.open("file", **asks)
    session_id = ann.session.session_id
    second = await client.connection()
    await second.negotiate()
    assert (await second.log_in(previous=session_id)).status == 0
    assert (await second.enter()).status == 0
    assert (await ann.read(before)).status == NtStatus.USER_SESSION_DELETED
    answer = await gets_back(second, reconnect(before))
    assert answer.status == 0

    assert (await second.ask(LOGOFF)).status == 0
    assert parked(server) == 1
    third = await client.connect()
    answer = await gets_back(third, reconnect(answer.file_id))
    assert answer.status == 0

    assert (await third.ask(TREE_DISCONNECT)).status == 0
    assert parked(server) == 0
    assert (await third.enter()).status == 0
    assert (await gets_back(third, reconnect(answer.file_id))).status == MISSING


async def test_a_lock_that_the_lost_session_waited_for_is_not_taken_later(stage):
    server, new_client = stage
    client = new_client()
    ann, bob = await client.connect(), await new_client().connect()
    asks = {"oplock": BY_LEASE, "contexts": [lease(KEY, R | H), durable()], "share": 7}
    behind, its = 1 << 40, await bob.open("file")  # behind the file's end, where no lease minds it
    assert (await bob.lock(its, (behind, 10, EXCLUSIVE | FAIL_IMMEDIATELY))).status == 0
    before = await ann.open("file", **asks)
    waits = await ann.begin(LOCK, messages.lock(before, (behind, 10, EXCLUSIVE)))
    await ann.interim(waits)
    second = await client.connection()
    await second.negotiate()
    assert (await second.log_in(previous=ann.session.session_id)).status == 0
    assert (await ann.reply(waits)).status == NtStatus.CANCELLED
    assert parked(server) == 1
    assert (await bob.lock(its, (behind, 10, UNLOCK))).status == 0
    assert not server.server.document()["locks"]


@pytest.mark.parametrize("by", ["user", "address"])
async def test_a_client_that_is_ended_by_hand_keeps_nothing(stage, by):
    server, new_client = stage
    ann = await new_client().connect()
    await ann.open("file", oplock=BATCH, contexts=[durable()])
    [session] = server.server.document()["sessions"]
    await server.server.disconnect("test" if by == "user" else session["client"])
    while server.server.document()["opens"]:
        await trio.lowlevel.checkpoint()
    assert parked(server) == 0


async def test_a_user_that_is_ended_by_hand_loses_its_parked_handles_too(stage):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    await ann.open("file", oplock=BATCH, contexts=[durable()])
    await vanish(server, client, ann)
    assert await server.server.disconnect("TEST") == ["TEST, for whom files were kept: 1"]
    while server.server.document()["opens"]:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    "contexts",
    [
        [durable_v2(GUID), durable()],
        [durable_v2(GUID), reconnect(bytes(16))],
        [durable_v2(GUID), reconnect_v2(bytes(16), GUID)],
        [reconnect_v2(bytes(16), GUID), durable()],
        [reconnect_v2(bytes(16), GUID), reconnect(bytes(16))],
    ],
)
async def test_a_context_of_version_2_stands_alone(stage, contexts):
    _, new_client = stage
    ann = await new_client().connect()
    for order in (contexts, contexts[::-1]):
        answer = await ann.create("file", oplock=BATCH, contexts=order)
        assert answer.status == NtStatus.INVALID_PARAMETER


async def test_before_3_0_version_2_means_nothing(stage):
    _, new_client = stage
    ann = await new_client().connect(dialects=(0x0210,))
    answer = await ann.create("file", oplock=BATCH, contexts=[durable_v2(GUID), durable()])
    assert answer.status == 0
    assert set(answer.contexts) == {GRANTED}


async def test_of_version_1_a_reconnect_goes_before_a_request(stage):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    before = await ann.open("file", oplock=BATCH, contexts=[durable()])
    await vanish(server, client, ann)
    ann = await client.connect()
    answer = await gets_back(ann, durable(), reconnect(before))
    assert answer.status == 0
    assert not answer.contexts


async def test_a_create_that_comes_again_gives_the_same_open(stage):
    _, new_client = stage
    ann = await new_client().connect()
    asks = messages.create("file", oplock=BATCH, contexts=[durable_v2(GUID)])
    first = await ann.ask(CREATE, asks)
    assert (await ann.ask(CREATE, asks)).status == NtStatus.DUPLICATE_OBJECTID
    again = await ann.ask(CREATE, asks, flags=REPLAY)
    assert again.status == 0
    assert again.body[:136] == first.body[:136], "level, action, times and FileId"
    leased = messages.create("file", oplock=BY_LEASE, contexts=[lease(KEY, R), durable_v2(GUID)])
    refused = await ann.ask(CREATE, leased, flags=REPLAY)
    assert refused.status == NtStatus.ACCESS_DENIED

    assert (await ann.write(first.file_id, b"used")).status == 0
    later = await ann.begin(CREATE, asks, flags=REPLAY)
    assert caching.parse_break(await ann.notification()).file_id == first.file_id
    assert (await ann.acknowledge_oplock(first.file_id, NONE)).status == 0
    assert (await ann.reply(later)).file_id != first.file_id, "it is another CREATE by now"


async def test_a_create_that_comes_again_by_another_session_is_a_duplicate(stage):
    _, new_client = stage
    client = new_client()
    ann, again = await client.connect(), await client.connect()
    asks = messages.create("file", oplock=BATCH, contexts=[durable_v2(GUID)])
    assert (await ann.ask(CREATE, asks)).status == 0
    refused = await again.ask(CREATE, asks, flags=REPLAY)
    assert refused.status == NtStatus.DUPLICATE_OBJECTID


async def test_a_create_that_comes_again_after_its_connection_was_lost_gives_the_parked_open(stage):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    asks = messages.create("file", oplock=BATCH, contexts=[durable_v2(GUID)], disposition=2)
    first = await ann.ask(CREATE, asks)
    await vanish(server, client, ann)
    ann = await client.connect()
    assert (await ann.ask(CREATE, asks)).status == NtStatus.DUPLICATE_OBJECTID
    again = await ann.ask(CREATE, asks, flags=REPLAY)
    assert again.status == 0
    assert again.file_id[:8] == first.file_id[:8]
    assert again.body[4:8] == pack("<I", 2), "CREATED, as the first one was told or not"


async def test_handles_beyond_the_limit_are_closed_when_their_clients_vanish(tmp_path, mock_clock):
    async with serve(tmp_path) as server, clients(server) as new_client:
        server.server.service.tables.durable.limit = 10
        for number in range(3):
            client = new_client()
            ann = await client.connect()
            for each in range(4):
                name = f"{number} {each}"
                await ann.open(name, oplock=BATCH, contexts=[durable_v2(name.encode().ljust(16))])
            await client.lose(ann)
        while server.server.document()["sessions"] or len(server.server.document()["opens"]) > 5:
            await trio.lowlevel.checkpoint()
        assert parked(server) == 5, "half of all for one user"


async def test_parked_handles_do_not_hinder_the_servers_end(tmp_path, mock_clock):
    async with serve(tmp_path) as server, clients(server) as new_client:
        client = new_client()
        ann = await client.connect()
        doomed = {"oplock": BATCH, "contexts": [durable()], "options": messages.DELETE_ON_CLOSE}
        await ann.open("doomed", **doomed)
        await vanish(server, client, ann)
        tables = server.server.service.tables
    assert not list(tables.opens)
    assert not (tmp_path / "doomed").exists()


async def test_a_session_that_loses_one_of_its_channels_keeps_its_handles(stage):
    server, new_client = stage
    client = new_client()
    ann = await client.connect()
    second, bound = await client.bind(ann.session)
    assert bound.status == 0
    asks = messages.create("file", oplock=BATCH, contexts=[durable_v2(GUID)])
    first = await ann.ask(CREATE, asks)
    await client.lose(ann)
    while len(server.server.document()["sessions"]) > 1:
        await trio.lowlevel.checkpoint()
    again = await second.ask(CREATE, asks, session=ann.session, flags=REPLAY, channel_sequence=1)
    assert (again.status, again.file_id) == (0, first.file_id), "it was not parked"
    assert parked(server) == 0
    await client.lose(second)
    await until_parked(server)


async def test_a_folder_is_renamed_although_a_handle_in_it_is_parked(stage, tmp_path):
    server, new_client = stage
    client = new_client()
    ann, bob = await client.connect(), await new_client().connect()
    (tmp_path / "folder").mkdir()
    await ann.open("folder\\file", oplock=BATCH, contexts=[durable()])
    await vanish(server, client, ann)
    folder = await bob.open("folder", options=1)
    name = "moved".encode("utf-16-le")
    assert (await bob.set_info(folder, 10, pack("<B15xI", 0, len(name)) + name)).status == 0
    assert (tmp_path / "moved" / "file").exists()
    assert parked(server) == 0


async def test_a_replay_by_another_user_does_not_get_a_parked_handle(tmp_path, mock_clock):
    async with serve(tmp_path, users=USERS) as server, clients(server) as new_client:
        client = new_client()
        ann = await client.connect(user="ann", password="a")
        asks = messages.create("file", oplock=BATCH, contexts=[durable_v2(GUID)])
        assert (await ann.ask(CREATE, asks)).status == 0
        await vanish(server, client, ann)
        bob = await client.connect(user="bob", password="b")
        refused = await bob.ask(CREATE, asks, flags=REPLAY)
        assert refused.status == NtStatus.ACCESS_DENIED
        assert parked(server) == 1


APPLICATION = b"an application 1"


def moved(create_guid, application=APPLICATION):
    """DH2Q, and the context that says which application asks ([MS-SMB2] 2.2.13.2.13)."""
    instance = ContextName.APP_INSTANCE_ID, pack("<H2x16s", 20, application)
    return {"oplock": BATCH, "share": 0, "contexts": [durable_v2(create_guid), instance]}


async def test_an_application_that_moves_to_another_client_takes_its_file_along(stage):
    _, new_client = stage
    ann, again = await new_client().connect(), await new_client().connect()
    before = await ann.open("file", **moved(GUID))
    answer = await again.create("file", **moved(OTHER_GUID))
    assert (answer.status, answer.oplock) == (0, BATCH)
    assert (await ann.close(before)).status == NtStatus.FILE_CLOSED
    assert await ann.was_told_nothing()


async def test_another_application_user_client_or_file_moves_nothing(tmp_path):
    async with serve(tmp_path, users=USERS) as server, clients(server) as new_client:
        client = new_client()
        ann = await client.connect(user="ann", password="a")
        kept = await ann.open("file", **moved(GUID))
        second = await client.connect(user="ann", password="a")
        bob = await new_client().connect(user="bob", password="b")
        third = await new_client().connect(user="ann", password="a")
        for other, name, application in (
            (second, "file", APPLICATION),
            (bob, "file", APPLICATION),
            (third, "file", b"another one 16 b"),
            (third, "another", APPLICATION),
        ):
            await other.begin(CREATE, messages.create(name, **moved(OTHER_GUID, application)))
        assert (await ann.write(kept, b"still here")).status == 0


async def test_an_application_instance_that_is_malformed_is_refused(stage):
    _, new_client = stage
    ann = await new_client().connect()
    for data in (b"", bytes(20), pack("<H2x16s", 20, APPLICATION)[:-1]):
        contexts = [durable_v2(GUID), (ContextName.APP_INSTANCE_ID, data)]
        answer = await ann.create("file", contexts=contexts)
        assert answer.status == NtStatus.INVALID_PARAMETER


async def test_two_users_of_one_machine_get_back_what_is_theirs_in_any_order(tmp_path, mock_clock):
    async with serve(tmp_path, users=USERS) as server, clients(server) as new_client:
        client = new_client()
        connection = await client.connect(user="ann", password="a")
        assert (await connection.log_in("bob", "b")).status == 0
        assert (await connection.enter()).status == 0
        asks = [lease(KEY, R | W | H), durable_v2(GUID)]
        before = await connection.open("file", oplock=BY_LEASE, contexts=asks)
        await vanish(server, client, connection)
        bob = await client.connect(user="bob", password="b")
        answer = await gets_back(bob, reconnect_v2(before, GUID), lease(KEY, 0))
        assert (answer.status, caching.granted_lease(answer).state) == (0, R | W | H)
        third = await new_client().connect(user="ann", password="a")
        waits = await third.begin(CREATE, messages.create("file"))
        assert caching.parse_break(await bob.notification()).key == KEY
        assert (await bob.acknowledge_lease(KEY, R | H)).status == 0
        assert (await third.reply(waits)).status == 0
