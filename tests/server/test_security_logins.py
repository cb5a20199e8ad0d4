"""Guesses at passwords, guests, and what becomes known of a secret."""

import logging

import pytest
import spnego
import trio
from spnego.channel_bindings import GssChannelBindings

from smbd.auth import nt_hash
from smbd.config import ShareConfig, UserConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve, serve_in_thread
from tests.auth.peers import Pyspnego
from tests.core import messages
from tests.core.messages import CANCEL, CREATE, ECHO, SESSION_SETUP, SIGNED, WRITE
from tests.scripted import WINDOWS, Connection, Session, connected, frames
from tests.server.clients import PypiClient, SambaClient

FREE = 3  # failures
SLOWEST = 5.0  # seconds


async def timed(attempt):
    """An answer, and how long it took on trio's clock."""
    before = trio.current_time()
    answer = await attempt
    return answer, trio.current_time() - before


async def fails(client, count=1, **credentials):
    """How long each of some failed logins took."""
    taken = []
    for _ in range(count):
        answer, seconds = await timed(client.log_in(**{"password": "wrong"} | credentials))
        assert answer.status == NtStatus.LOGON_FAILURE
        taken.append(seconds)
    return taken


@pytest.fixture
async def server(folder):
    async with serve(folder) as server:
        yield server


@pytest.fixture
async def client(server):
    async with connected(server, WINDOWS) as client:
        await client.negotiate()
        yield client


# --- guesses ---


async def test_typing_errors_cost_nothing_and_guessing_takes_longer_and_longer(
    client, autojump_clock
):
    assert (await client.log_in()).status == 0  # or the connection would be dropped after 30 s
    taken = await fails(client, 12)
    assert taken[:FREE] == [0, 0, 0]
    assert 0 < taken[3] < taken[4] < taken[5] < taken[6] <= SLOWEST
    assert all(SLOWEST * 0.9 < seconds <= SLOWEST for seconds in taken[9:])


async def test_a_name_that_is_not_known_is_slowed_like_a_wrong_password(server, autojump_clock):
    times = []
    for number, credentials in enumerate(({}, {"user": "nobody"})):
        async with await trio.open_tcp_stream(
            server.host, server.port, local_address=f"127.0.0.{number + 2}"
        ) as stream:
            client = Connection(stream, WINDOWS)
            await client.negotiate()
            times.append(await fails(client, 6, **credentials))
    assert times[0] == pytest.approx(times[1])


async def test_the_right_password_waits_too_and_is_not_locked_out(client, autojump_clock):
    await fails(client, 6)
    answer, seconds = await timed(client.log_in())
    assert answer.status == 0
    assert seconds > 0.5
    assert (await client.enter()).status == 0


async def test_failed_logins_are_forgiven_after_a_while(client, autojump_clock):
    assert (await client.log_in()).status == 0
    await fails(client, 6)
    await trio.sleep(6 * 20)
    assert await fails(client, 1) == [0]


async def test_another_address_is_not_slowed(server, client, autojump_clock):
    await fails(client, 6)
    async with await trio.open_tcp_stream(
        server.host, server.port, local_address="127.0.0.2"
    ) as stream:
        other = Connection(stream, WINDOWS)
        await other.negotiate()
        answer, seconds = await timed(other.log_in())
        assert answer.status == 0
        assert seconds == 0


async def guess(client, *, count):
    """Proofs of `count` logins, all wrong, each ready to be sent."""
    proofs = []
    for _ in range(count):
        context = Pyspnego("test", "wrong").context
        body = messages.session_setup(context.step())
        answer = await client.ask(SESSION_SETUP, body, session_id=0, signed=False)
        body = messages.session_setup(context.step(answer.token))
        proofs.append(
            client.peer.request(
                SESSION_SETUP, body, session=Session(answer.session_id), signed=False
            )
        )
    return proofs


async def test_guesses_that_are_sent_together_are_answered_one_after_the_other(
    client, autojump_clock
):
    assert (await client.log_in()).status == 0
    await fails(client, 8)  # now each takes seconds
    proofs = await guess(client, count=10)
    await client.send(*proofs)
    before = trio.current_time()
    for _ in proofs:
        assert (await client.answer()).status == NtStatus.LOGON_FAILURE
    assert trio.current_time() - before > 9 * 4


async def test_a_guess_cannot_be_cancelled_to_have_its_answer_at_once(client, autojump_clock):
    await fails(client, 8)
    (proof,) = await guess(client, count=1)
    message_id = client.peer.next_id - 1
    cancel = client.peer.request(CANCEL, message_id=message_id, signed=False)
    await client.send(proof, cancel)
    answer, seconds = await timed(client.answer())
    assert answer.status == NtStatus.LOGON_FAILURE
    assert answer.message_id == message_id
    assert seconds > 1


async def test_a_login_that_ends_while_its_answer_is_held_back_never_was(
    server, client, autojump_clock
):
    """A second token comes out of turn, and the right password of the first helps no more."""
    await fails(client, 8)
    context = Pyspnego("test", "test").context
    body = messages.session_setup(context.step())
    answer = await client.ask(SESSION_SETUP, body, session_id=0, signed=False)
    half, body = Session(answer.session_id), messages.session_setup(context.step(answer.token))
    proofs = [client.peer.request(SESSION_SETUP, body, session=half) for _ in range(2)]
    await client.send(*proofs)
    assert (await client.answer()).status == NtStatus.INVALID_PARAMETER
    assert (await client.answer()).status == NtStatus.USER_SESSION_DELETED
    assert server.server.document()["sessions"] == []


async def test_no_interim_response_while_an_answer_is_held_back(client, autojump_clock):
    """It would be a message of the login that no preauthentication hash knows of."""
    await fails(client, 8)
    (proof,) = await guess(client, count=1)
    await client.send(proof)
    (only,) = await client.answers()
    assert only.status == NtStatus.LOGON_FAILURE


async def test_nobody_else_waits_while_an_answer_is_held_back(server, client, autojump_clock):
    await fails(client, 8)
    async with connected(server, WINDOWS) as bystander:
        with trio.fail_after(SLOWEST + 1):  # the same address: this login is held back as well
            await bystander.negotiate()
            assert (await bystander.log_in()).status == 0
        (proof,) = await guess(client, count=1)
        await client.send(proof)
        answer, seconds = await timed(bystander.ask(ECHO))
        assert answer.status == 0
        assert seconds == 0


async def test_anonymous_clients_guess_at_nothing(client, autojump_clock):
    """Many clients try without a name first: that must not slow them down."""
    for _ in range(FREE + 3):
        answer, seconds = await timed(client.log_in("", ""))
        assert answer.status == NtStatus.ACCESS_DENIED
        assert seconds == 0
    assert (await timed(client.log_in()))[1] == 0


# --- what an NTLM response may be bound to ---


@pytest.mark.parametrize("target", ["box", "another.example"])
@pytest.mark.parametrize("bound", [False, True])
async def test_channel_bindings_and_target_names_are_not_held_against_a_client(
    folder, target, bound
):
    """There is no TLS channel here to compare with, and a server has more names than it knows."""
    bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + bytes(32))
    context = spnego.client(
        "test",
        "test",
        target,
        service="cifs",
        channel_bindings=bindings if bound else None,
        options=spnego.NegotiateOptions.use_ntlm | spnego.NegotiateOptions.use_negotiate,
    )
    async with serve(folder) as server, connected(server, WINDOWS) as client:
        await client.negotiate()
        assert (await client.log_in(context=context)).status == 0
        assert (await client.enter()).status == 0


# --- guests ---


@pytest.fixture
async def open_house(folder, tmp_path):
    """Signing is required, "public" is for guests, "share" is not."""
    (tmp_path / "public").mkdir()
    public = ShareConfig(name="public", path=tmp_path / "public", guest=True)
    async with serve(folder, shares=[public]) as server:
        yield server


@pytest.mark.parametrize(("user", "flag"), [("guest", 1), ("", 2), ("whoever", 1)])
async def test_guests_are_told_so_and_never_get_a_signature(open_house, user, flag):
    async with connected(open_house, WINDOWS) as client:
        await client.negotiate()
        answer = await client.log_in(user, "")
        assert answer.status == 0
        assert client.session.flags == flag
        assert not answer.flags & SIGNED
        assert (await client.enter()).status == NtStatus.ACCESS_DENIED
        answer = await client.enter("public")
        assert answer.status == 0
        assert not answer.flags & SIGNED
        answer = await client.ask(CREATE, frames.everything("note"))
        assert answer.status == 0
        assert not answer.flags & SIGNED
        body = messages.write(answer.file_id, b"a guest was here")
        assert (await client.ask(WRITE, body)).status == 0


@pytest.mark.parametrize("user", ["guest", ""])
async def test_without_a_share_for_guests_they_do_not_come_in(folder, user):
    async with serve(folder) as server, connected(server, WINDOWS) as client:
        await client.negotiate()
        answer = await client.log_in(user, "")
        assert answer.status in {NtStatus.LOGON_FAILURE, NtStatus.ACCESS_DENIED}


# --- secrets ---

PASSWORD = "correct horse battery staple"
HASHED = UserConfig(name="hashed", nt_hash=nt_hash("known by its hash"))


def test_an_nt_hash_stands_for_the_password(folder):
    with serve_in_thread(folder, users=[HASHED]) as server:
        for client in (PypiClient, SambaClient):
            with client(server, user="hashed", password="known by its hash") as connected:
                connected.put("file", b"in")
                assert connected.get("file") == b"in"


async def test_no_secret_gets_into_the_log(folder, caplog):
    """Nor does the name of a login that failed: people type passwords into the wrong field."""
    caplog.set_level(logging.DEBUG)
    async with serve(folder, password=PASSWORD, users=[HASHED]) as server:
        async with connected(server, WINDOWS) as client:
            await client.connect(password=PASSWORD)
            assert (await client.log_in(password="a wrong one")).status == NtStatus.LOGON_FAILURE
            answer = await client.log_in(user="my password!", password="")
            assert answer.status == NtStatus.LOGON_FAILURE
            await client.ask(SESSION_SETUP, messages.session_setup(b"garbage"), session_id=0)
            logged = f"{caplog.text}{server.server.service!r}{server.server.document()}"
    assert "test logged in" in caplog.text
    assert "login failed" in caplog.text
    for secret in (
        PASSWORD,
        "a wrong one",
        "my password!",
        nt_hash(PASSWORD).hex(),
        repr(nt_hash(PASSWORD)),
        HASHED.nt_hash.hex(),
        repr(HASHED.nt_hash),
    ):
        assert secret not in logged
