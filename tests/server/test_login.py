"""Logins that succeed, logins that fail, and the answers to these."""

import pytest
import trio

from smbd.config import ShareConfig, UserConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve, serve_in_thread
from smbd.wire.header import Command
from tests.scripted import connected
from tests.server.clients import PypiClient, SambaClient, refusal, status_of
from tests.server.clients.refusals import SambaError
from tests.server.tap import tapped

SECOND = UserConfig(name="Jürgen", password="pässwörd €")


def attempt(connect, server, **credentials):
    """The NTSTATUS's name that a login is refused with."""
    with pytest.raises(Exception) as refused, connect(server, **credentials) as client:
        client.names()
    return status_of(refused.value)


def test_wrong_password_and_unknown_user_look_the_same(server, connect):
    assert attempt(connect, server, password="wrong") == "LOGON_FAILURE"
    assert attempt(connect, server, user="nobody") == "LOGON_FAILURE"


async def test_on_the_wire_too_they_look_the_same(folder):
    async with serve(folder) as server, tapped(server) as tap:
        refusals = []
        for credentials in ({"password": "wrong"}, {"user": "nobody"}):
            await trio.to_thread.run_sync(
                lambda more=credentials: refusal(PypiClient, tap.place, **more)
            )
            (last,) = [
                one
                for one in tap.messages()
                if one.sender == "server" and one.status == NtStatus.LOGON_FAILURE
            ]
            refusals.append(last)
            tap.frames.clear()
    wrong_password, unknown_user = refusals
    assert wrong_password.body == unknown_user.body
    assert wrong_password.is_signed == unknown_user.is_signed


def test_after_a_wrong_password_the_right_one_still_comes_in(server, connect):
    attempt(connect, server, password="wrong")
    with connect(server) as client:
        assert client.names() == set()


def test_an_empty_password_is_a_wrong_one(server, connect):
    assert attempt(connect, server, password="") in {"LOGON_FAILURE", "ACCESS_DENIED"}


@pytest.mark.parametrize("name", ["Jürgen", "jürgen", "JÜRGEN"])
def test_names_and_passwords_are_unicode_and_names_have_no_case(folder, connect, name):
    with serve_in_thread(folder, users=[SECOND]) as server:
        with connect(server, user=name, password=SECOND.password) as client:
            client.put("mine", "gehört mir".encode())
            assert client.get("mine") == "gehört mir".encode()


def test_anonymous_stays_outside_unless_guests_are_allowed(folder):
    with serve_in_thread(folder) as server, SambaClient(server, user="", password="") as nobody:
        with pytest.raises(SambaError) as refused:
            nobody.run("ls")
    assert status_of(refused.value) == "ACCESS_DENIED"


def test_anonymous_comes_in_where_guests_are_allowed(folder):
    (folder / "for all").write_bytes(b"to read")
    with serve_in_thread(folder, guest=True) as server:
        with SambaClient(server, user="", password="") as nobody:
            assert nobody.names() == {"for all"}


@pytest.mark.parametrize("user", ["guest", "Guest", "whoever"])
def test_a_client_without_a_password_is_a_guest_where_guests_are_allowed(folder, user):
    (folder / "for all").write_bytes(b"to read")
    with serve_in_thread(folder, guest=True, signing="enabled") as server:
        with PypiClient(server, user=user, password="", sign=False, guest=True) as client:
            assert client.get("for all") == b"to read"
        with SambaClient(server, user=user, password="") as client:
            assert client.get("for all") == b"to read"


def test_a_guest_that_is_not_allowed_is_a_wrong_password(folder):
    with serve_in_thread(folder, signing="enabled") as server:
        assert (
            refusal(PypiClient, server, user="guest", password="", sign=False, guest=True)
            == NtStatus.LOGON_FAILURE
        )


@pytest.mark.parametrize("name", ["nobody", "Guest"])
def test_where_unknown_users_are_guests_their_password_says_nothing(folder, name):
    (folder / "for all").write_bytes(b"to read")
    options = {"guest": "unknown", "signing": "enabled"}
    with serve_in_thread(folder, **options) as server:
        with PypiClient(server, user=name, password="any", sign=False, guest=True) as client:
            assert client.get("for all") == b"to read"
        with SambaClient(server, user=name, password="any") as client:
            assert client.get("for all") == b"to read"
        with SambaClient(server, password="wrong") as client:
            with pytest.raises(SambaError) as refused:
                client.names()
        assert status_of(refused.value) == "LOGON_FAILURE"


async def test_an_unknown_user_enters_what_is_for_guests_alone(folder, tmp_path):
    (tmp_path / "private").mkdir()
    shares = [ShareConfig(name="private", path=tmp_path / "private")]
    async with serve(folder, guest="unknown", shares=shares) as server:
        async with connected(server) as client:
            await client.negotiate()
            assert (await client.log_in("nobody", "any")).status == 0
            assert (await client.enter("private")).status == NtStatus.ACCESS_DENIED
            assert (await client.enter("share")).status == 0


def test_where_guests_are_allowed_a_wrong_password_is_still_wrong(folder):
    with serve_in_thread(folder, guest=True, signing="enabled") as server:
        assert refusal(PypiClient, server, password="wrong") == NtStatus.LOGON_FAILURE
        with PypiClient(server) as client:
            assert client.names() == set()


async def test_two_users_on_one_connection_keep_apart(folder):
    """[MS-SMB2] 3.3.5.5: a second session must not end the first (an elevated prompt)."""
    async with serve(folder, users=[SECOND]) as server:

        def story():
            with PypiClient(server) as client:
                first = client.open("first")
                second_session = client.second_session(SECOND.name, SECOND.password)
                assert second_session.session_id != client.session.session_id
                assert first.write(b"still mine") == len(b"still mine")
                trio.from_thread.run_sync(look)
                second_session.disconnect()
                assert first.read(0, 10) == b"still mine"

        def look():
            users = {one["user"] for one in server.server.document()["sessions"]}
            assert users == {server.user, SECOND.name}

        await trio.to_thread.run_sync(story)


async def test_logging_off_ends_the_session_and_closes_its_files(folder):
    async with serve(folder) as server, tapped(server) as tap:

        def story():
            client = PypiClient(tap.place)
            client.open("left open")
            client.session.disconnect(close=False)
            client.connection.disconnect(close=False)

        await trio.to_thread.run_sync(story)
        assert server.server.document()["opens"] == []
        assert server.server.document()["sessions"] == []
    (answer,) = [
        one for one in tap.messages() if one.sender == "server" and one.command == Command.LOGOFF
    ]
    assert answer.status == 0
    assert answer.is_signed


async def test_the_middle_of_a_login_brings_one_credit(folder):
    """As on Windows and Samba, whatever the client asks for."""
    async with serve(folder) as server, connected(server) as client:
        await client.negotiate()
        steps = client.peer.login(asked=64)
        await client.send(next(steps))
        answer = await client.answer()
        assert answer.status == NtStatus.MORE_PROCESSING_REQUIRED
        assert answer.granted == 1
        await client.send(steps.send(answer))
        assert (await client.answer()).granted == 64
