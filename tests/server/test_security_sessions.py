"""Sessions beside each other, after each other and over again ([MS-SMB2] 3.3.5.5, 3.3.5.6)."""

import pytest
import trio

from smbd.config import ShareConfig, UserConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.auth.peers import Pyspnego
from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    ECHO,
    LOCK,
    LOGOFF,
    QUERY_INFO,
    READ,
    SESSION_SETUP,
    SIGNED,
    TREE_CONNECT,
    WRITE,
)
from tests.scripted import MORE_PROCESSING, PENDING, WINDOWS, Session, connected, frames

SECOND = UserConfig(name="second", password="second")
STANDARD = frames.query(frames.FILE, frames.STANDARD)


def standard(file_id):
    return frames.query(frames.FILE, frames.STANDARD, file_id)


@pytest.fixture
async def server(folder, tmp_path):
    """Shares "share" for all users, "theirs" for the second, "public" for guests as well."""
    for name in ("theirs", "public"):
        (tmp_path / name).mkdir()
    shares = [
        ShareConfig(name="theirs", path=tmp_path / "theirs", users=("second",)),
        ShareConfig(name="public", path=tmp_path / "public", guest=True),
    ]
    async with serve(folder, signing="enabled", users=[SECOND], shares=shares) as server:
        yield server


@pytest.fixture
async def client(server):
    async with connected(server, WINDOWS) as client:
        await client.connect()
        yield client


# --- beside each other ---


async def test_an_elevated_prompt_takes_nothing_from_the_first_session(client):
    first, file_id = client.session, await client.open("file")
    assert (await client.log_in("second", "second")).status == 0
    second = client.session
    assert second.session_id != first.session_id
    assert (await client.enter()).status == 0
    for login in (first, second):
        assert (await client.ask(ECHO, session=login)).status == 0
    assert (await client.ask(QUERY_INFO, standard(file_id), session=first)).status == 0
    assert (await client.ask(LOGOFF, session=second)).status == 0
    assert (await client.ask(QUERY_INFO, standard(file_id), session=first)).status == 0


async def test_the_same_user_twice_is_two_sessions_too(client):
    first = client.session
    assert (await client.log_in()).status == 0
    assert client.session.session_id != first.session_id
    assert (await client.ask(ECHO, session=first)).status == 0


async def test_what_one_session_opened_is_nothing_to_the_other(client):
    file_id = await client.open("file")
    await client.log_in()
    await client.enter()
    assert (await client.ask(QUERY_INFO, standard(file_id))).status == NtStatus.FILE_CLOSED


async def test_a_session_signs_with_its_own_key_only(client):
    first = client.session
    await client.log_in()
    stolen = Session(first.session_id, client.session.signer, tree_id=first.tree_id)
    answer = await client.ask(CREATE, frames.everything("file"), session=stolen)
    assert answer.status == NtStatus.ACCESS_DENIED


async def test_a_failed_second_login_leaves_the_first_session_alone(client):
    assert (await client.log_in("second", "wrong")).status == NtStatus.LOGON_FAILURE
    assert (await client.ask(ECHO)).status == 0
    await client.open("file")


async def test_the_sessions_of_another_connection_are_not_there(server, client):
    async with connected(server, WINDOWS) as other:
        await other.connect()
        own, other.session.session_id = other.session.session_id, client.session.session_id
        answer = await other.ask(CREATE, frames.everything("file"))
        assert answer.status == NtStatus.USER_SESSION_DELETED
        token = Pyspnego("test", "test").context.step()
        answer = await other.ask(SESSION_SETUP, messages.session_setup(token), signed=False)
        assert answer.status == NtStatus.USER_SESSION_DELETED
        other.session.session_id = own
        await other.open("file")
    await client.open("another")


async def test_a_request_with_a_session_that_is_not_there_gets_its_signature_back(client):
    """There is no key to sign with; Samba's clients believe the answer all the same."""
    client.session.session_id += 1
    request = client.peer.request(CREATE, frames.everything("file"))
    await client.send(request)
    answer = await client.answer()
    assert answer.status == NtStatus.USER_SESSION_DELETED
    assert answer.flags & SIGNED
    assert answer.raw[48:64] == request[48:64]


async def test_too_many_sessions_are_refused_and_those_that_are_there_go_on(client, monkeypatch):
    monkeypatch.setattr("smbd.commands.session_setup.MOST_SESSIONS", 3)
    assert (await client.log_in()).status == 0
    assert (await client.log_in()).status == 0
    assert (await client.log_in()).status == NtStatus.INSUFFICIENT_RESOURCES
    assert (await client.ask(ECHO)).status == 0


@pytest.mark.parametrize(
    ("dialect", "whose", "status"),
    [
        (0x0210, "own", NtStatus.REQUEST_NOT_ACCEPTED),
        (0x0302, "own", NtStatus.REQUEST_NOT_ACCEPTED),
        (0x0311, "own", NtStatus.REQUEST_NOT_ACCEPTED),
        (0x0210, "another's", NtStatus.REQUEST_OUT_OF_SEQUENCE),  # it signs by GMAC
        (0x0302, "another's", NtStatus.REQUEST_OUT_OF_SEQUENCE),
        (0x0311, "another's", NtStatus.ACCESS_DENIED),
        (0x0210, "nobody's", NtStatus.REQUEST_NOT_ACCEPTED),
        (0x0302, "nobody's", NtStatus.USER_SESSION_DELETED),
        (0x0311, "nobody's", NtStatus.USER_SESSION_DELETED),
    ],
)
async def test_nobody_binds_a_session_without_its_key(server, client, dialect, whose, status):
    """[MS-SMB2] 3.3.5.5: nor one that is here already, nor one that is nowhere."""
    async with connected(server, WINDOWS) as other:
        await other.negotiate((dialect,))
        await other.log_in()
        session_id = {
            "own": other.session.session_id,
            "another's": client.session.session_id,
            "nobody's": 12345,
        }[whose]
        body = bytearray(messages.session_setup(Pyspnego("test", "test").context.step()))
        body[2] = 1  # SMB2_SESSION_FLAG_BINDING
        answer = await other.ask(SESSION_SETUP, bytes(body), session_id=session_id)
        assert answer.status == status
        assert (await other.ask(ECHO)).status == 0
    await client.open("file")


# --- over again ---


async def test_a_reauthentication_keeps_keys_trees_and_files(client):
    file_id = await client.open("file")
    for _ in range(2):
        assert (await client.log_in(again=client.session)).status == 0
        assert (await client.ask(QUERY_INFO, standard(file_id))).status == 0
    assert (
        await client.ask(WRITE, messages.write(file_id, b"signed with the old key"))
    ).status == 0
    await client.open("another")


async def test_until_then_he_can_only_let_go_of_things(client):
    """[MS-SMB2] 3.3.5.2.9: LOGOFF, CLOSE and LOCK while the session is InProgress."""
    first, second = await client.open("first"), await client.open("second")
    assert (await client.ask(LOCK, messages.lock(first, (0, 10, 0x12)))).status == 0
    context = Pyspnego("test", "test").context
    answer = await client.ask(SESSION_SETUP, messages.session_setup(context.step()))
    assert answer.status == MORE_PROCESSING
    answer_to_query = await client.ask(QUERY_INFO, standard(first))
    assert answer_to_query.status == NtStatus.NETWORK_SESSION_EXPIRED
    assert (await client.ask(CREATE, frames.everything("x"))).status == (
        NtStatus.NETWORK_SESSION_EXPIRED
    )
    assert (await client.ask(LOCK, messages.lock(first, (0, 10, 4)))).status == 0
    assert (await client.ask(CLOSE, messages.close(second))).status == 0
    assert (await client.ask(ECHO)).status == 0
    token = context.step(answer.token)
    assert (await client.ask(SESSION_SETUP, messages.session_setup(token))).status == 0
    assert (await client.ask(QUERY_INFO, standard(first))).status == 0


async def test_a_failed_reauthentication_ends_the_session_and_all_that_it_held(server, client):
    await client.open("file")
    answer = await client.log_in(password="wrong", again=client.session)
    assert answer.status == NtStatus.LOGON_FAILURE
    assert answer.flags & SIGNED
    answer = await client.ask(CREATE, frames.everything("file"))
    assert answer.status == NtStatus.USER_SESSION_DELETED
    assert server.server.document()["sessions"] == []
    assert server.server.document()["opens"] == []
    assert (await client.log_in()).status == 0


async def test_two_rounds_of_one_login_at_once_do_not_make_two_of_it(client):
    """The second comes out of turn: there is no login then, and the server is none the wiser."""
    context = Pyspnego("test", "test").context
    body = messages.session_setup(context.step())
    answer = await client.ask(SESSION_SETUP, body, session_id=0, signed=False)
    body = messages.session_setup(context.step(answer.token))
    half = Session(answer.session_id)
    proofs = [client.peer.request(SESSION_SETUP, body, session=half) for _ in range(2)]
    await client.send(*proofs)
    statuses = {(await client.answer()).status for _ in proofs}
    assert statuses <= {0, NtStatus.INVALID_PARAMETER, NtStatus.USER_SESSION_DELETED}
    assert (await client.ask(ECHO)).status == 0


# --- after each other ---


async def test_a_client_that_comes_back_ends_the_session_it_had(server, client):
    await client.open("file")
    async with connected(server, WINDOWS) as again:
        await again.negotiate()
        assert (await again.log_in(previous=client.session.session_id)).status == 0
        assert len(server.server.document()["sessions"]) == 1
        assert server.server.document()["opens"] == []
        await again.enter()
        await again.open("file")
    answer = await client.ask(CREATE, frames.everything("file"))
    assert answer.status == NtStatus.USER_SESSION_DELETED


async def test_on_the_same_connection_too(client):
    first = client.session
    assert (await client.log_in(previous=first.session_id)).status == 0
    answer = await client.ask(CREATE, frames.everything("file"), session=first)
    assert answer.status == NtStatus.USER_SESSION_DELETED
    assert (await client.enter()).status == 0


async def test_nobody_ends_the_session_of_another_user(server, client):
    async with connected(server, WINDOWS) as other:
        await other.negotiate()
        answer = await other.log_in("second", "second", previous=client.session.session_id)
        assert answer.status == 0
    await client.open("file")


async def test_nor_does_a_failed_login(server, client):
    async with connected(server, WINDOWS) as other:
        await other.negotiate()
        answer = await other.log_in(password="wrong", previous=client.session.session_id)
        assert answer.status == NtStatus.LOGON_FAILURE
    await client.open("file")


async def test_guests_end_nobodys_session(server):
    async with connected(server, WINDOWS) as first, connected(server, WINDOWS) as second:
        for guest in (first, second):
            await guest.negotiate()
        assert (await first.log_in("guest", "")).status == 0
        assert (await second.log_in("guest", "", previous=first.session.session_id)).status == 0
        assert (await first.enter("public", signed=False)).status == 0


async def test_a_session_may_name_itself_as_the_one_before(client):
    login = client.session
    assert (await client.log_in(again=login, previous=login.session_id)).status == 0
    await client.open("file")


# --- the end ---


async def test_logoff_with_requests_in_flight_ends_them_all(server, client):
    """A LOCK that waits, a CHANGE_NOTIFY that waits: neither stays behind."""
    holder = await client.open("file")
    assert (await client.ask(LOCK, messages.lock(holder, (0, 10, 0x12)))).status == 0
    await client.log_in()
    await client.enter()
    login, waiting = client.session, await client.open("file")
    body = messages.lock(waiting, (0, 10, 2))
    await client.send(
        client.peer.request(LOCK, body), client.peer.request(READ, messages.read(waiting))
    )
    early = [(await client.answers())[0] for _ in range(2)]
    assert PENDING in {one.status for one in early}
    await client.send(client.peer.request(LOGOFF))
    with trio.fail_after(240):
        late = [(await client.answers())[0] for _ in range(2)]
    assert {one.command: one.status for one in late}[LOGOFF] == 0
    (lock,) = [one for one in late if one.command == LOCK]
    assert lock.status & 0xC0000000
    assert [one["user"] for one in server.server.document()["sessions"]] == ["test"]
    answer = await client.ask(READ, messages.read(waiting), session=login)
    assert answer.status == NtStatus.USER_SESSION_DELETED


async def test_the_answer_to_logoff_is_signed_and_a_second_one_finds_no_session(client):
    answer = await client.ask(LOGOFF)
    assert answer.status == 0
    assert answer.flags & SIGNED
    assert (await client.ask(LOGOFF)).status == NtStatus.USER_SESSION_DELETED
    assert (await client.ask(ECHO, session_id=0, signed=False)).status == 0


async def test_what_comes_behind_logoff_in_one_frame_finds_no_session(client):
    first, second = await client.ask_related((LOGOFF, messages.EMPTY), (CREATE, frames.create("")))
    assert first.status == 0
    assert second.status == NtStatus.USER_SESSION_DELETED


async def test_before_the_login_is_done_there_is_no_session(server):
    async with connected(server, WINDOWS) as client:
        await client.negotiate()
        token = Pyspnego("test", "test").context.step()
        answer = await client.ask(SESSION_SETUP, messages.session_setup(token))
        half = Session(answer.session_id)
        for command in (LOGOFF, TREE_CONNECT):
            body = messages.EMPTY if command == LOGOFF else messages.tree_connect(r"\\box\share")
            answer = await client.ask(command, body, session=half)
            assert answer.status == NtStatus.USER_SESSION_DELETED


async def test_a_related_request_cannot_borrow_a_session_that_is_not_there(client):
    client.session.session_id += 1
    answers = await client.ask_related((CREATE, frames.create("")), (QUERY_INFO, STANDARD))
    statuses = [one.status for one in answers]
    assert statuses[0] == NtStatus.USER_SESSION_DELETED
    assert statuses[1] in {NtStatus.USER_SESSION_DELETED, NtStatus.INVALID_PARAMETER}
