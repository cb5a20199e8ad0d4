"""A session on several connections ([MS-SMB2] 3.3.5.5): how it gets them, and how it loses them."""

from dataclasses import replace

import pytest
import trio

from aio.threads import ThreadsEngine
from smbd import session
from smbd.commands import binding
from smbd.config import Limits, UserConfig
from smbd.memory import CHANNEL, OPEN
from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CREATE,
    ECHO,
    LOCK,
    LOGOFF,
    REPLAY,
    SESSION_SETUP,
    WRITE,
)
from tests.scripted import MORE_PROCESSING, SUCCESS, Session, caching, clients
from tests.scripted.offer import windows_contexts
from tests.server.test_memory import served_connection

SECOND = UserConfig(name="second", password="second")
WHOLE = (0, 10, messages.EXCLUSIVE)
AT_ONCE = (0, 10, messages.EXCLUSIVE | 0x10)
BINDING = 1
GMAC, CMAC, HMAC = 2, 1, 0
MULTI_CHANNEL = 8


@pytest.fixture
async def server(folder):
    async with serve(folder, users=[SECOND]) as server:
        yield server


@pytest.fixture
async def new_client(server):
    async with clients(server) as new_client:
        yield new_client


@pytest.fixture
async def anna(new_client):
    """Negotiates as Windows does."""
    return new_client()


async def bound(client, session, **how):
    """One more connection, to which the session is bound."""
    connection, answer = await client.bind(session, **how)
    assert answer.status == SUCCESS
    return connection


async def until(condition):
    with trio.fail_after(240):
        while not condition():
            await trio.lowlevel.checkpoint()


async def lose(server, client, connection):
    """Its connection breaks, and the server has seen it."""
    served = served_connection(server, connection)
    await client.lose(connection)
    await until(lambda: served not in server.server._clients)


def session_of(server, connection):
    """The server's side of its session."""
    return server.server.service.sessions[connection.session.session_id]


# --- a channel is there ---


@pytest.mark.parametrize("dialect", [0x0300, 0x0302, 0x0311])
async def test_what_is_open_on_one_connection_is_open_on_the_other(anna, dialect):
    first = await anna.connect(dialects=(dialect,), contexts=None if dialect == 0x0311 else ())
    file_id = await first.open("file")
    assert (await first.write(file_id, b"by the first")).status == 0
    second = await bound(anna, first.session, dialects=(dialect,))
    assert (await second.read(file_id)).data == b"by the first"
    assert (await second.write(file_id, b"by the other")).status == 0
    assert (await first.read(file_id)).data == b"by the other"
    assert await second.works()


async def test_a_session_that_encrypts_does_so_on_each_and_never_by_one_nonce_twice(folder):
    async with serve(folder, encryption="required") as server, clients(server) as new_client:
        anna = new_client()
        first = await anna.connect()
        second = await bound(anna, first.session)
        assert first.session.must_seal
        nonces = set()
        for connection in (first, second) * 3:
            await connection.begin(ECHO)
            nonces.add((await connection.frame())[20:36])
        assert len(nonces) == 6


async def test_requests_are_verified_by_the_key_of_their_channel(anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    key = second.peer.channels.pop(first.session.session_id)
    frame = second.peer.request(ECHO)  # signed by the session's key
    second.peer.channels[first.session.session_id] = key
    await second.send(frame)
    assert (await second.answer()).status == NtStatus.ACCESS_DENIED
    assert await second.works()


async def test_a_session_is_not_known_where_it_is_not_bound(anna):
    first, second = await anna.connect(), await anna.connect()
    answer = await second.enter(session=replace(first.session))
    assert answer.status == NtStatus.USER_SESSION_DELETED
    again = await second.log_in(again=replace(first.session))
    assert again.status == NtStatus.USER_SESSION_DELETED
    assert await first.works()


async def test_cancel_reaches_what_its_own_connection_asked(anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    one, other = await first.open("file"), await first.open("file")
    assert (await first.lock(one, WHOLE)).status == 0
    waits = await second.begin(LOCK, messages.lock(other, WHOLE))
    interim = await second.interim(waits)
    await first.cancel(waits)
    await first.cancel(async_id=interim.async_id)
    assert await first.works()
    assert (await first.lock(one, (0, 10, messages.UNLOCK))).status == 0
    assert (await second.reply(waits)).status == 0


# --- how it is refused ---


async def status_of(connection, request):
    """Of its response, whoever may have signed it."""
    await connection.send(request)
    return int.from_bytes((await connection.frame())[8:12], "little")


async def refusal(client, session, *, signed=None, **negotiated):
    """The status of the first round of a binding."""
    connection = await client.connection()
    assert (await connection.negotiate(**negotiated)).status == SUCCESS
    if signed is None:
        return await status_of(connection, next(connection.peer.login(binding=session)))
    return await status_of(connection, first_round(connection, session, signed=signed))


def first_round(connection, session, *, signed):
    """It says that it is signed, and is not, if `signed` is None."""
    body = messages.session_setup(b"token", flags=BINDING)
    request = connection.peer.request(SESSION_SETUP, body, session=session, signed=bool(signed))
    request = bytearray(request)
    if signed is None:
        request[16] |= 8
        request[48:64] = b"no signature of "
    return request


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ({"dialects": (0x0210,)}, {"dialects": (0x0210,)}, NtStatus.REQUEST_NOT_ACCEPTED),
        ({}, {"dialects": (0x0202,)}, NtStatus.REQUEST_OUT_OF_SEQUENCE),
        ({"dialects": (0x0302,)}, {"dialects": (0x0210,)}, NtStatus.REQUEST_NOT_ACCEPTED),
        ({"dialects": (0x0302,)}, {"dialects": (0x0300,)}, NtStatus.INVALID_PARAMETER),
        ({"dialects": (0x0302,)}, {}, NtStatus.NOT_SUPPORTED),
        ({}, {"contexts": windows_contexts(ciphers=(1,))}, NtStatus.INVALID_PARAMETER),
        ({}, {"contexts": windows_contexts(signers=(CMAC,))}, NtStatus.REQUEST_OUT_OF_SEQUENCE),
        ({"contexts": windows_contexts(signers=(HMAC,))}, {}, NtStatus.NOT_SUPPORTED),
        ({}, {"guid": b"another client's"}, NtStatus.USER_SESSION_DELETED),
        ({"capabilities": 0x7F}, {"capabilities": 0}, MORE_PROCESSING),
    ],
)
async def test_both_connections_must_have_negotiated_alike(anna, first, second, status):
    connection = await anna.connect(**first)
    assert await refusal(anna, connection.session, **second) == status
    assert await connection.works()


async def test_algorithms_that_sign_may_be_two_but_for_gmac(anna):
    first = await anna.connect(contexts=windows_contexts(signers=(HMAC,)))
    second = await bound(anna, first.session, contexts=windows_contexts(signers=(CMAC,)))
    assert (first.peer.signing, second.peer.signing) == (HMAC, CMAC)
    assert await second.works()
    assert await first.works()


async def test_a_server_without_multichannel_knows_none(folder):
    async with serve(folder, multichannel=False) as server, clients(server) as new_client:
        anna = new_client()
        first = await anna.connect()
        assert not first.peer.capabilities & MULTI_CHANNEL
        assert await refusal(anna, first.session) == NtStatus.REQUEST_NOT_ACCEPTED
        assert await refusal(anna, Session(5)) == NtStatus.REQUEST_NOT_ACCEPTED


@pytest.mark.parametrize(
    ("dialect", "client", "shown"), [(0x0311, 8, 8), (0x0300, 8, 8), (0x0311, 0, 0), (0x0210, 8, 0)]
)
async def test_multichannel_is_a_capability_of_3_x_and_of_both(anna, dialect, client, shown):
    connection = await anna.connection()
    await connection.negotiate((dialect,), capabilities=client)
    assert connection.peer.capabilities & MULTI_CHANNEL == shown


async def test_a_binding_is_signed_by_the_session_s_key(anna):
    first = await anna.connect()
    assert await refusal(anna, first.session, signed=False) == NtStatus.INVALID_PARAMETER
    stranger = replace(first.session, signer=(await anna.connect()).session.signer)
    assert await refusal(anna, stranger) == NtStatus.ACCESS_DENIED
    assert await refusal(anna, Session(5, stranger.signer)) == NtStatus.USER_SESSION_DELETED
    assert await first.works()


async def test_a_stranger_gets_nothing_signed(anna):
    """Under GMAC, whose nonce is the MessageId, a second signature would give the key away."""
    first = await anna.connect()
    connection = await anna.connection()
    await connection.negotiate()
    request = first_round(connection, first.session, signed=None)
    await connection.send(request)
    frame = await connection.frame()
    assert frame[48:64] == request[48:64], "sent back as it came"


@pytest.mark.parametrize("who", [("", ""), ("nobody", "")])
async def test_guests_have_one_connection(folder, who):
    async with serve(folder, guest=True) as server, clients(server) as new_client:
        anna = new_client()
        first = await anna.connect(user=who[0], password=who[1])
        assert await refusal(anna, first.session, signed=False) == NtStatus.INVALID_PARAMETER
        connection = await anna.connection()
        await connection.negotiate()
        request = first_round(connection, first.session, signed=None)
        assert await status_of(connection, request) == NtStatus.NOT_SUPPORTED


async def test_a_session_that_proves_itself_again_is_bound_afterwards(anna):
    first = await anna.connect()
    steps = first.peer.login(again=first.session)
    await first.send(next(steps))
    last = steps.send(await first.answer())
    assert await refusal(anna, first.session) == NtStatus.REQUEST_NOT_ACCEPTED
    await first.send(last)
    assert (await first.answer()).status == SUCCESS
    await bound(anna, first.session)


async def test_a_connection_is_bound_once(anna):
    first = await anna.connect()
    assert (await first.log_in(binding=first.session)).status == NtStatus.REQUEST_NOT_ACCEPTED
    second = await bound(anna, first.session)
    assert (await second.log_in(binding=first.session)).status == NtStatus.REQUEST_NOT_ACCEPTED
    assert await second.works()
    assert await first.works()


async def test_a_session_has_32_connections_at_most(server, anna):
    first = await anna.connect()
    for _ in range(31):
        await bound(anna, first.session)
    _, answer = await anna.bind(first.session)
    assert answer.status == NtStatus.INSUFFICIENT_RESOURCES
    assert len(session_of(server, first).channels) == 32
    await lose(server, anna, anna.connections[5])
    await bound(anna, first.session)


async def test_bindings_that_race_for_the_last_place_get_one(server, anna, monkeypatch):
    for module in (session, binding):
        monkeypatch.setattr(module, "MOST_CHANNELS", 2)
    first = await anna.connect()
    begun = []
    for _ in range(3):
        connection = await anna.connection()
        await connection.negotiate()
        steps = connection.peer.login(binding=first.session)
        await connection.send(next(steps))
        begun.append((connection, steps.send(await connection.answer())))
    statuses = []
    for connection, last in begun:
        await connection.send(last)
        statuses.append((await connection.answer()).status)
    assert sorted(statuses) == [SUCCESS, *[NtStatus.INSUFFICIENT_RESOURCES] * 2]
    assert len(session_of(server, first).channels) == 2


# --- how it is attacked ---


async def test_another_user_is_refused_and_costs_the_session_nothing(server, anna):
    first = await anna.connect()
    connection, answer = await anna.bind(first.session, user="second", password="second")
    assert answer.status == NtStatus.ACCESS_DENIED
    answer = await connection.enter(session=replace(first.session))
    assert answer.status == NtStatus.USER_SESSION_DELETED
    assert await first.works()
    assert (await connection.log_in(binding=first.session)).status == SUCCESS


async def test_a_wrong_password_is_refused_and_costs_the_session_nothing(server, anna):
    first = await anna.connect()
    connection, answer = await anna.bind(first.session, password="wrong")
    assert answer.status == NtStatus.LOGON_FAILURE
    assert not served_connection(server, connection).connection.bindings
    assert await first.works()
    assert (await connection.log_in(binding=first.session)).status == SUCCESS


async def test_a_binding_that_was_overheard_is_of_no_use(server, anna):
    first = await anna.connect()
    victim = await anna.connection()
    await victim.negotiate()
    heard, steps = [], victim.peer.login(binding=first.session)
    heard.append(bytes(next(steps)))
    await victim.send(heard[0])
    heard.append(bytes(steps.send(await victim.answer())))
    await victim.send(heard[1])
    assert (await victim.answer()).status == SUCCESS
    thief = await anna.connection()
    await thief.negotiate()
    assert await status_of(thief, heard[0]) == MORE_PROCESSING
    # The second message answers another challenge.
    assert await status_of(thief, heard[1]) == NtStatus.LOGON_FAILURE
    assert len(session_of(server, first).channels) == 2
    assert await first.works()


async def test_nothing_but_the_binding_goes_on_before_it_is_done(anna):
    first = await anna.connect()
    second = await anna.connection()
    await second.negotiate()
    steps = second.peer.login(binding=first.session)
    await second.send(next(steps))
    last = steps.send(await second.answer())
    ask = second.peer.request(messages.CREATE, messages.create("file"), session=first.session)
    assert await status_of(second, ask) == NtStatus.USER_SESSION_DELETED
    await second.send(last)
    assert (await second.answer()).status == SUCCESS


async def test_a_connection_that_vanishes_while_it_is_bound_leaves_nothing(server, anna):
    first = await anna.connect()
    second = await anna.connection()
    await second.negotiate()
    await second.send(next(second.peer.login(binding=first.session)))
    assert (await second.answer()).status == MORE_PROCESSING
    served = served_connection(server, second)
    assert served.connection.memory.held > 0
    await lose(server, anna, second)
    assert served.connection.memory.held == 0
    assert len(session_of(server, first).channels) == 1
    await bound(anna, first.session)


async def test_a_session_that_ends_while_it_is_bound_gets_no_connection(anna):
    first = await anna.connect()
    second = await anna.connection()
    await second.negotiate()
    steps = second.peer.login(binding=first.session)
    await second.send(next(steps))
    last = steps.send(await second.answer())
    assert (await first.ask(LOGOFF)).status == SUCCESS
    assert await status_of(second, last) == NtStatus.USER_SESSION_DELETED


# --- how it ends ---


@pytest.mark.parametrize("which", [0, 1])
async def test_a_session_goes_on_with_the_connections_that_it_has_left(server, anna, which):
    first = await anna.connect()
    file_id = await first.open("file")
    assert (await first.lock(file_id, WHOLE)).status == 0
    pair = [first, await bound(anna, first.session)]
    lost, left = pair[which], pair[1 - which]
    served = served_connection(server, left).connection
    await lose(server, anna, lost)
    assert (await left.write(file_id, b"still here")).status == 0
    assert served.memory.held > OPEN, "it pays for what is open"
    third = await bound(anna, first.session)
    other = await anna.connect()
    assert (await other.lock(await other.open("file"), AT_ONCE)).status != 0
    await lose(server, anna, left)
    assert served.memory.held == 0
    await lose(server, anna, third)
    assert (await other.lock(await other.open("file"), AT_ONCE)).status == 0


async def test_what_a_session_holds_moves_to_a_connection_that_has_room_for_it(folder, caplog):
    limits = Limits(memory=256 << 10, max_read=65536, max_write=65536, max_transact=65536)
    async with serve(folder, limits=limits) as server, clients(server) as new_client:
        anna = new_client()
        first = await anna.connect()
        for number in range(60):
            await first.open(f"file{number}")
        full, roomy = await anna.connect(), None
        for number in range(60):
            await full.open(f"other{number}")
        assert (await full.log_in(binding=first.session)).status == SUCCESS
        roomy = await bound(anna, first.session)
        held = session_of(server, first).memory.size - CHANNEL
        await lose(server, anna, first)
        assert served_connection(server, roomy).connection.memory.held >= held
        assert len(session_of(server, roomy).channels) == 2
        await lose(server, anna, roomy)  # and now none has
        assert "no other connection has room for what it holds" in caplog.text
        assert roomy.session.session_id not in server.server.service.sessions
        full.session = next(one for one in anna.sessions.values() if one is not first.session)
        assert await full.works()


async def test_logoff_ends_it_on_all_connections(server, anna):
    first = await anna.connect()
    second, third = [await bound(anna, first.session) for _ in range(2)]
    await second.open("file")
    assert (await second.ask(LOGOFF)).status == SUCCESS
    for connection in (first, second, third):
        answer = await connection.enter(session=replace(first.session))
        assert answer.status == NtStatus.USER_SESSION_DELETED
    assert not server.server.document()["opens"]


async def test_to_prove_oneself_again_on_any_connection_counts_for_all(anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    steps = second.peer.login(again=first.session)
    await second.send(next(steps))
    last = steps.send(await second.answer())
    answer = await first.create("file")
    assert answer.status == NtStatus.NETWORK_SESSION_EXPIRED
    await second.send(last)
    assert (await second.answer()).status == SUCCESS
    assert await first.works()
    assert await second.works()


async def test_to_fail_to_do_so_ends_it_on_all(server, anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    answer = await second.log_in(password="wrong", again=first.session)
    assert answer.status == NtStatus.LOGON_FAILURE
    answer = await first.enter(session=replace(first.session))
    assert answer.status == NtStatus.USER_SESSION_DELETED
    assert server.server.document()["sessions"] == []


async def test_a_client_that_comes_back_ends_its_old_session_on_all_connections(anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    old = replace(first.session)
    back = await anna.connection()
    await back.negotiate()
    assert (await back.log_in(previous=old.session_id)).status == SUCCESS
    assert (await second.enter(session=old)).status == NtStatus.USER_SESSION_DELETED


async def test_status_shows_each_connection_and_disconnect_ends_them_all(server, anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    (row,) = server.server.document()["sessions"]
    names = [served_connection(server, one).name for one in (first, second)]
    assert row["client"] == names[0]
    assert row["channels"] == names
    await server.server.disconnect("test")
    for connection in (first, second):
        assert await connection.hung_up()
    assert server.server.document()["sessions"] == []


async def test_to_disconnect_one_connection_leaves_the_session_to_the_others(server, anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    await server.server.disconnect(served_connection(server, first).name)
    assert await first.hung_up()
    assert await second.works()


# --- it is told of breaks ---


async def test_a_break_is_told_on_a_connection_that_is_left(server, new_client):
    anna, other = new_client(), await new_client().connect()
    first = await anna.connect()
    second = await bound(anna, first.session)
    file_id = await first.open("file", oplock=caching.BATCH)
    await lose(server, anna, first)
    waits = await other.begin(messages.CREATE, messages.create("file"))
    await other.interim(waits)
    told = caching.parse_break(await second.notification())
    assert told == caching.OplockBreak(caching.LEVEL_II, file_id)
    assert (await second.acknowledge_oplock(file_id, caching.LEVEL_II)).status == 0
    assert (await other.reply(waits)).status == 0


async def test_a_break_that_a_lost_connection_may_have_had_is_told_again(server, new_client):
    anna, other = new_client(), await new_client().connect()
    first = await anna.connect()
    second = await bound(anna, first.session)
    file_id = await second.open("file", oplock=caching.BATCH)
    waits = await other.begin(messages.CREATE, messages.create("file"))
    await other.interim(waits)
    assert caching.parse_break(await first.notification()).file_id == file_id
    await lose(server, anna, first)
    assert caching.parse_break(await second.notification()).file_id == file_id
    assert (await second.acknowledge_oplock(file_id, caching.NONE)).status == 0
    assert (await other.reply(waits)).status == 0


async def test_a_lease_is_the_client_s_on_whichever_connection(server, new_client):
    anna, other = new_client(), await new_client().connect()
    first = await anna.connect()
    second = await bound(anna, first.session)
    key = b"a lease's key..."
    wanted = {"oplock": caching.BY_LEASE, "contexts": (caching.lease(key, 7),)}
    answer = await second.create("file", **wanted)
    assert caching.granted_lease(answer).state == 7
    await lose(server, anna, second)
    waits = await other.begin(messages.CREATE, messages.create("file"))
    await other.interim(waits)
    told = caching.parse_break(await first.notification())
    assert (told.key, told.new) == (key, caching.R | caching.H)
    assert (await first.acknowledge_lease(key, told.new)).status == 0
    assert (await other.reply(waits)).status == 0


# --- a request of which the reply was lost is not done twice ---


async def test_a_lock_that_waited_on_a_lost_connection_is_asked_for_on_another(server, anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    holder, waiter = await first.open("file"), await first.open("file")
    assert (await first.lock(holder, WHOLE)).status == 0
    body = messages.lock(waiter, WHOLE, sequence=0x11)
    await first.interim(await first.begin(LOCK, body))
    await lose(server, anna, first)
    again = await second.begin(LOCK, body, channel_sequence=1, flags=REPLAY)
    await second.interim(again)
    assert (await second.lock(holder, (0, 10, messages.UNLOCK))).status == 0
    assert (await second.reply(again)).status == 0
    assert (await second.lock(waiter, (0, 10, messages.UNLOCK))).status == 0
    assert (await second.lock(holder, AT_ONCE)).status == 0, "it was locked once"


async def test_a_lock_is_repeated_while_the_first_one_waits_still(anna):
    """The server does not know yet that the connection is lost: that may take a minute."""
    first = await anna.connect()
    second = await bound(anna, first.session)
    holder, waiter, next_one = [await first.open("file") for _ in range(3)]
    assert (await first.lock(holder, WHOLE)).status == 0
    body = messages.lock(waiter, WHOLE, sequence=0x11)
    waits = await first.begin(LOCK, body)
    await first.interim(waits)
    behind = await second.begin(LOCK, messages.lock(next_one, WHOLE, sequence=0x11))
    await second.interim(behind)
    again = await second.begin(LOCK, body, channel_sequence=1, flags=REPLAY)
    await second.interim(again)
    assert (await first.reply(waits)).status == NtStatus.CANCELLED
    assert (await second.lock(holder, (0, 10, messages.UNLOCK))).status == 0
    assert (await second.reply(again)).status == 0, "in its place, before the one behind it"
    assert (await second.lock(waiter, (0, 10, messages.UNLOCK))).status == 0
    assert (await second.reply(behind)).status == 0


async def test_a_create_that_waited_on_a_lost_connection_is_to_come_again_once_that_is_over(
    server, anna, new_client
):
    other = await new_client().connect()
    holder = await other.open("file", oplock=caching.BATCH)
    first = await anna.connect()
    second = await bound(anna, first.session)
    wanted = {"oplock": caching.BATCH, "contexts": [caching.durable_v2(b"create guid 16 b")]}
    body = messages.create("file", **wanted)
    await first.interim(await first.begin(CREATE, body))
    assert caching.parse_break(await other.notification()).file_id == holder
    await lose(server, anna, first)
    for _ in range(2):
        again = await second.ask(CREATE, body, flags=REPLAY)
        assert again.status == NtStatus.FILE_NOT_AVAILABLE
    assert (await second.ask(CREATE, body)).status == NtStatus.DUPLICATE_OBJECTID
    assert (await other.close(holder)).status == 0
    again = await second.ask(CREATE, body, flags=REPLAY)
    assert again.status == 0
    assert len(session_of(server, second).opens) == 1


async def test_a_create_that_waited_is_gone_with_the_last_connection(server, anna, new_client):
    other = await new_client().connect()
    holder = await other.open("file", oplock=caching.BATCH)
    only = await anna.connect()
    wanted = {"oplock": caching.BATCH, "contexts": [caching.durable_v2(b"create guid 16 b")]}
    body = messages.create("file", **wanted)
    await only.interim(await only.begin(CREATE, body))
    await other.notification()
    await lose(server, anna, only)
    again = await anna.connect()
    await again.interim(waits := await again.begin(CREATE, body, flags=REPLAY))
    assert (await other.close(holder)).status == 0
    assert (await again.reply(waits)).status == 0


async def test_a_lock_whose_reply_was_lost_is_not_taken_twice(server, anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    file_id = await first.open("file")
    body = messages.lock(file_id, WHOLE, sequence=0x11)
    assert (await first.ask(LOCK, body)).status == 0  # and nobody heard it
    await lose(server, anna, first)
    again = await second.ask(LOCK, body, channel_sequence=1, flags=REPLAY)
    assert again.status == 0
    assert (await second.lock(file_id, (0, 10, messages.UNLOCK))).status == 0
    other = await second.open("file")
    assert (await second.lock(other, AT_ONCE)).status == 0


async def test_what_was_sent_on_a_lost_connection_and_comes_late_does_nothing(server, anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    file_id = await first.open("file")
    replay = {"channel_sequence": 1, "flags": REPLAY}
    assert (await second.ask(WRITE, messages.write(file_id, b"once"), **replay)).status == 0
    late = await first.ask(WRITE, messages.write(file_id, b"late"), channel_sequence=0)
    assert late.status == NtStatus.FILE_NOT_AVAILABLE
    assert (await second.read(file_id)).data == b"once"


async def test_what_was_watched_on_a_lost_connection_is_watched_on_another(server, anna, folder):
    first = await anna.connect()
    second = await bound(anna, first.session)
    watched = await first.open("", access=1, options=1)
    await first.interim(await first.begin(CHANGE_NOTIFY, messages.change_notify(watched)))
    await lose(server, anna, first)
    (folder / "not by us").touch()
    await second.close(await second.open("new"))
    told = await second.ask(CHANGE_NOTIFY, messages.change_notify(watched))
    assert "new".encode("utf-16-le") in told.raw


async def test_a_lock_that_is_granted_while_its_connection_breaks_is_held_once(server, anna):
    first = await anna.connect()
    second = await bound(anna, first.session)
    holder, waiter = await first.open("file"), await first.open("file")
    assert (await first.lock(holder, WHOLE)).status == 0
    body = messages.lock(waiter, WHOLE, sequence=0x11)
    await first.interim(await first.begin(LOCK, body))
    held = next(one for one in server.server.service.tables.opens if one.locks.of(one))
    served = served_connection(server, first)
    served.end()  # what waits for the lock is cancelled ...
    held.locks.unlock(held, [(0, 10)])  # ... and gets it before it has heard that
    await lose(server, anna, first)
    again = await second.ask(LOCK, body, channel_sequence=1, flags=REPLAY)
    assert again.status == 0
    assert (await second.lock(waiter, (0, 10, messages.UNLOCK))).status == 0
    assert (await second.lock(holder, AT_ONCE)).status == 0


async def test_a_write_in_work_of_a_lost_connection_is_over_before_its_replay(folder, monkeypatch):
    may_go_on, really = trio.Event(), ThreadsEngine.write

    async def write(engine, fd, data, offset):
        with trio.CancelScope(shield=True):  # as in a worker
            await may_go_on.wait()
            return await really(engine, fd, data, offset)

    monkeypatch.setattr(ThreadsEngine, "write", write)
    async with serve(folder, engine="threads") as server, clients(server) as new_client:
        anna = new_client()
        first = await anna.connect()
        second = await bound(anna, first.session)
        file_id = await first.open("file")
        body = messages.write(file_id, b"done once")
        await first.begin(WRITE, body)
        served = served_connection(server, first)
        await until(served.connection.request_list.all)
        await anna.lose(first)
        for _ in range(3):
            answer = await second.ask(WRITE, body, channel_sequence=1, flags=REPLAY)
            assert answer.status == NtStatus.FILE_NOT_AVAILABLE
        may_go_on.set()
        await until(lambda: served not in server.server._clients)
        answer = await second.ask(WRITE, body, channel_sequence=1, flags=REPLAY)
        assert answer.status == 0
        assert server.server.document()["shares"][0]["writes"] == 2
    assert (folder / "file").read_bytes() == b"done once"
