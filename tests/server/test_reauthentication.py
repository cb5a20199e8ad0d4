"""A session proves itself again ([MS-SMB2] 3.3.5.5.2): as the same account, or with fewer rights.

NTLM's messages prove an account, but not to whom: whoever gets a client to log in to him can pass
its messages on.  He does not get the keys, so what he can do with them must need the keys.
"""

import pytest
import trio

from smbd.commands import session_setup
from smbd.config import ShareConfig, UserConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.auth.peers import Pyspnego
from tests.core import messages
from tests.core.messages import CREATE, ECHO, QUERY_INFO, READ, SESSION_SETUP, SET_INFO, WRITE
from tests.scripted import MORE_PROCESSING, WINDOWS, Bare, Session, connected, frames

SECOND = UserConfig(name="second", password="second")
NAMED_GUEST = UserConfig(name="guest", password="of the account")
LINK = 11  # FileLinkInformation
ANONYMOUS = ("", "")
GUEST = ("nobody in particular", "")
TEST = ("test", "test")
THE_SECOND = ("second", "second")


@pytest.fixture
async def server(folder, tmp_path):
    """Shares "share" for all users, "theirs" for the second, "public" for guests as well."""
    for name in ("theirs", "public"):
        (tmp_path / name).mkdir()
    shares = [
        ShareConfig(name="theirs", path=tmp_path / "theirs", users=("second",)),
        ShareConfig(name="public", path=tmp_path / "public", guest=True),
    ]
    async with serve(folder, users=[SECOND], shares=shares) as server:
        yield server


@pytest.fixture
async def client(server):
    async with connected(server, WINDOWS) as client:
        await client.negotiate()
        yield client


async def relay(client, user, password):
    """Pass on the messages of somebody who logs in to us; the last answer."""
    context = Pyspnego(user, password).context if user else Bare()
    answer = await client.ask(SESSION_SETUP, messages.session_setup(context.step()))
    assert answer.status == MORE_PROCESSING
    return await client.ask(SESSION_SETUP, messages.session_setup(context.step(answer.token)))


TAKEN_OVER = [
    (TEST, THE_SECOND),
    (THE_SECOND, TEST),
    (GUEST, TEST),
    (ANONYMOUS, TEST),
    (ANONYMOUS, GUEST),
]


@pytest.mark.parametrize(("own", "relayed"), TAKEN_OVER)
async def test_nobody_takes_over_another_identity(server, client, own, relayed):
    assert (await client.log_in(*own)).status == 0
    assert (await relay(client, *relayed)).status == NtStatus.ACCESS_DENIED
    assert server.server.document()["sessions"] == []
    answer = await client.enter("public")
    assert answer.status == NtStatus.USER_SESSION_DELETED


@pytest.mark.parametrize("dialect", [0x0202, 0x0210, 0x0300, 0x0302, 0x0311])
async def test_nor_in_any_dialect(server, dialect):
    async with connected(server, WINDOWS) as client:
        await client.negotiate((dialect,))
        await client.log_in(*TEST)
        assert (await relay(client, *THE_SECOND)).status == NtStatus.ACCESS_DENIED


async def test_nor_behind_a_step_down(client):
    """The keys stay those of the first login, whoever the session is meanwhile."""
    await client.log_in(*TEST)
    assert (await relay(client, *ANONYMOUS)).status == 0
    assert (await relay(client, *THE_SECOND)).status == NtStatus.ACCESS_DENIED


async def test_nor_in_a_sealed_session(folder):
    async with (
        serve(folder, encryption="required", users=[SECOND]) as server,
        connected(server, WINDOWS) as client,
    ):
        await client.connect()
        assert client.session.must_seal
        assert (await relay(client, *THE_SECOND)).status == NtStatus.ACCESS_DENIED
        assert server.server.document()["sessions"] == []


async def test_nor_does_the_account_named_guest_belong_to_guests(folder, tmp_path):
    (tmp_path / "public").mkdir()
    public = ShareConfig(name="public", path=tmp_path / "public", guest=True)
    async with serve(folder, users=[NAMED_GUEST], shares=[public]) as server:
        async with connected(server, WINDOWS) as client:
            await client.negotiate()
            assert (await client.log_in("guest", "")).status == 0
            answer = await relay(client, "guest", "of the account")
            assert answer.status == NtStatus.ACCESS_DENIED
            assert (await client.log_in("guest", "")).status == 0
            async with connected(server, WINDOWS) as other:
                await other.negotiate()
                previous = client.session.session_id
                await other.log_in("guest", "of the account", previous=previous)
            assert (await client.enter("public", signed=False)).status == 0


async def test_the_same_account_keeps_keys_trees_and_files(client):
    await client.log_in(*TEST)
    await client.enter()
    file_id = await client.open("file")
    for name in ("test", "TEST"):
        assert (await client.log_in(name, "test", again=client.session)).status == 0
        assert (await client.ask(QUERY_INFO, frames.query(1, 5, file_id))).status == 0
    assert (await client.ask(WRITE, messages.write(file_id, b"signed"))).status == 0
    await client.open("another")


@pytest.mark.parametrize("less", [ANONYMOUS, GUEST])
async def test_a_step_down_and_back_keeps_what_is_open(client, less):
    """Samba's session.reauth tests do this: as anonymous, and then as who they were."""
    await client.log_in(*TEST)
    await client.enter()
    file_id = await client.open("file")
    assert (await client.log_in(*less, again=client.session)).status == 0
    assert (await client.ask(WRITE, messages.write(file_id, b"still"))).status == 0
    denied = NtStatus.ACCESS_DENIED
    assert (await client.ask(CREATE, frames.everything("new"))).status == denied
    assert (await client.enter("theirs")).status == denied
    client.session.tree_id = 1
    assert (await client.log_in(*TEST, again=client.session)).status == 0
    assert (await client.ask(READ, messages.read(file_id))).status == 0
    await client.open("new")


@pytest.mark.parametrize("kind", [frames.RENAME, LINK], ids=["rename", "link"])
async def test_a_step_down_gives_no_file_a_name_where_guests_may_not_be(client, kind, folder):
    await client.log_in(*TEST)
    await client.enter()
    file_id = await client.open("file")
    await client.log_in(*ANONYMOUS, again=client.session)
    body = messages.set_info(file_id, kind, frames.rename("named by nobody"))
    assert (await client.ask(SET_INFO, body)).status == NtStatus.ACCESS_DENIED
    assert not (folder / "named by nobody").exists()
    await client.log_in(*TEST, again=client.session)
    assert (await client.ask(SET_INFO, body)).status == 0


async def test_a_guest_may_become_anonymous_and_a_guest_again(client):
    await client.log_in(*GUEST)
    assert (await relay(client, *ANONYMOUS)).status == 0
    assert (await relay(client, *GUEST)).status == 0
    assert (await client.enter("public")).status == 0


async def test_a_session_that_stepped_down_is_still_ended_by_its_account(server, client):
    await client.log_in(*TEST)
    await client.log_in(*ANONYMOUS, again=client.session)
    async with connected(server, WINDOWS) as again:
        await again.negotiate()
        assert (await again.log_in(*TEST, previous=client.session.session_id)).status == 0
        assert len(server.server.document()["sessions"]) == 1


async def test_a_reauthentication_that_nobody_signed_is_denied_where_signing_is_required(client):
    await client.log_in(*TEST)
    await client.enter()
    token = Pyspnego("test", "test").context.step()
    answer = await client.ask(SESSION_SETUP, messages.session_setup(token), signed=False)
    assert answer.status == NtStatus.ACCESS_DENIED
    assert (await client.ask(ECHO)).status == 0
    await client.open("file")


async def test_nor_is_one_that_is_neither_signed_nor_sealed_where_all_is_sealed(folder):
    async with (
        serve(folder, signing="enabled", encryption="desired") as server,
        connected(server, WINDOWS) as client,
    ):
        await client.connect()
        assert client.session.must_seal
        token = Pyspnego("test", "test").context.step()
        body = messages.session_setup(token)
        answer = await client.ask(SESSION_SETUP, body, signed=False, seal=False)
        assert answer.status == NtStatus.ACCESS_DENIED
        answer = await client.ask(SESSION_SETUP, body, signed=True, seal=False)
        assert answer.status == MORE_PROCESSING
        assert (await client.log_in(again=client.session)).status == NtStatus.INVALID_PARAMETER


async def test_no_second_login_begins_in_a_session_while_the_first_is_being_settled(
    server, monkeypatch
):
    """A login that names a previous session waits until that one has ended."""
    begun, go_on, ended = trio.Event(), trio.Event(), trio.Event()

    async def slowly(service, session, **how):
        if session.identity is not None:  # the previous one
            begun.set()
            await go_on.wait()
        await end(service, session, **how)
        ended.set()

    end = session_setup.end_session
    async with connected(server, WINDOWS) as client:
        await client.negotiate()
        await client.log_in(*TEST)
        context = Pyspnego(*TEST).context
        fields = {"previous": client.session.session_id}
        new = Session()
        body = messages.session_setup(context.step(), **fields)
        answer = await client.ask(SESSION_SETUP, body, session=new)
        new.session_id = answer.session_id
        monkeypatch.setattr(session_setup, "end_session", slowly)
        body = messages.session_setup(context.step(answer.token), **fields)
        await client.send(client.peer.request(SESSION_SETUP, body, session=new))
        await begun.wait()
        body = messages.session_setup(Pyspnego(*THE_SECOND).context.step())
        await client.send(client.peer.request(SESSION_SETUP, body, session=new))
        with trio.fail_after(240):
            await ended.wait()
        go_on.set()
        statuses = [(await client.answer()).status for _ in range(2)]
        assert 0 not in statuses
        assert MORE_PROCESSING not in statuses
        assert server.server.document()["sessions"] == []


async def test_a_session_that_stepped_down_is_known_by_its_account(server, client):
    """Or it would be counted as another's, and nobody could end it by the name of its user."""
    await client.log_in(*TEST)
    await client.enter()
    await client.open("file")
    await client.log_in(*ANONYMOUS, again=client.session)
    document = server.server.document()
    assert [one["user"] for one in document["sessions"]] == ["test"]
    assert [one["user"] for one in document["opens"]] == ["test"]
    assert len(await server.server.disconnect("test")) == 1
    assert server.server.document()["sessions"] == []
