"""The control socket: who may ask, what is told, and who is sent away."""

import json
import socket
import stat
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from smbd.ntstatus import NtStatus
from smbd.server.listening import listen_unix
from tests.core import messages
from tests.core.messages import ECHO, EXCLUSIVE, LOCK, SHARED
from tests.scripted import connected
from tests.server.running import ONE_SHARE, USERS, running

STATUS = {"ask": "status"}
TWO_USERS = USERS + "[users.ann]\npassword = 'test'\n"


def disconnect(who):
    return {"ask": "disconnect", "who": who}


async def test_status_tells_sessions_opens_and_locks(tmp_path):
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()
        file_id = await client.open("a.txt", access=0x12019F)
        ranges = messages.lock(file_id, (0, 10, EXCLUSIVE | 16), (20, 5, SHARED | 16))
        assert (await client.ask(LOCK, ranges)).status == 0
        told = await server.ask(STATUS)
        [session], [opened], locks = told["sessions"], told["opens"], told["locks"]
        assert session["id"] == hex(client.session.session_id)
        assert session["user"] == "test"
        assert session["client"] == f"127.0.0.1:{client.stream.socket.getsockname()[1]}"
        assert session["signing"] == "AES-CMAC"
        assert not session["sealed"]
        assert (opened["share"], opened["path"], opened["access"]) == ("share", "a.txt", "rw")
        assert [(one["offset"], one["length"], one["kind"]) for one in locks] == [
            (0, 10, "exclusive"),
            (20, 5, "shared"),
        ]
        assert told["connections"] == {"now": 1, "without_login": 0, "refused": 0}


async def test_a_login_that_is_not_done_is_no_session(tmp_path):
    async with running(tmp_path) as server, connected(server) as client:
        await client.negotiate()
        await client.send(next(client.peer.login()))
        assert (await client.answer()).status == NtStatus.MORE_PROCESSING_REQUIRED
        told = await server.ask(STATUS)
        assert told["sessions"] == []
        assert told["connections"]["without_login"] == 1
        assert (await server.ask(disconnect("")))["ended"] == []


async def test_one_session_of_two_is_ended_and_the_other_goes_on(tmp_path):
    async with running(tmp_path) as server, connected(server) as one, connected(server) as two:
        await one.connect()
        await two.connect()
        await one.open("a")
        told = await server.ask(disconnect(hex(one.session.session_id)))
        assert told == {"ended": [f"test on 127.0.0.1:{one.stream.socket.getsockname()[1]}"]}
        assert await one.hung_up()
        assert await two.works()
        await wait_all_tasks_blocked(0.01)
        assert (await server.ask(STATUS))["opens"] == []


async def test_a_user_is_ended_wherever_and_whatever_the_spelling(tmp_path):
    async with (
        running(tmp_path, users=TWO_USERS) as server,
        connected(server) as one,
        connected(server) as two,
        connected(server) as ann,
    ):
        await one.connect()
        await two.connect()
        await ann.negotiate()
        assert (await ann.log_in("ann")).status == 0
        assert len((await server.ask(disconnect("TEST")))["ended"]) == 2
        assert await one.hung_up()
        assert await two.hung_up()
        assert (await ann.ask(ECHO)).status == 0


async def test_of_two_logins_on_one_connection_one_is_ended(tmp_path):
    async with running(tmp_path, users=TWO_USERS) as server, connected(server) as client:
        await client.connect()
        file_id = await client.open("a")
        first = client.session
        assert (await client.log_in("ann")).status == 0
        assert len((await server.ask(disconnect("test")))["ended"]) == 1
        assert (await client.ask(ECHO)).status == 0
        refused = await client.read(file_id, session=first)
        assert refused.status == NtStatus.USER_SESSION_DELETED


async def test_an_address_is_ended_logged_in_or_not(tmp_path):
    async with running(tmp_path) as server, connected(server) as one, connected(server) as two:
        await one.connect()
        await two.negotiate()
        peer = f"127.0.0.1:{two.stream.socket.getsockname()[1]}"
        assert await server.ask(disconnect(peer)) == {"ended": [f"the connection of {peer}"]}
        assert await two.hung_up()
        assert await one.works()
        assert len((await server.ask(disconnect("127.0.0.1")))["ended"]) == 1
        assert await one.hung_up()


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (b"\n", "not a JSON object"),
        (b"[]\n", "not a JSON object"),
        (b"x" * 5000, "not a JSON object"),
        (b'{"ask": "disconnect"}\n', "ask for status, health, disconnect or fault"),
        (b'{"ask": "disconnect", "who": 5}\n', "ask for status, health, disconnect or fault"),
        (b'{"ask": "passwords"}\n', "ask for status, health, disconnect or fault"),
    ],
)
async def test_other_questions_are_refused(tmp_path, question, told):
    async with running(tmp_path) as server:
        assert await server.ask(question) == {"error": told}


async def test_a_program_that_hangs_up_before_the_answer_harms_nobody(tmp_path):
    async with running(tmp_path) as server:
        for _ in range(20):
            stream = await trio.open_unix_socket(tmp_path / "control")
            await stream.send_all(b'{"ask": "status"}\n')
            await stream.aclose()
        assert (await server.ask(STATUS))["pid"]


async def test_a_program_that_asks_nothing_is_not_waited_for(tmp_path, autojump_clock):
    autojump_clock.autojump_threshold = 0.02
    async with running(tmp_path):
        async with await trio.open_unix_socket(tmp_path / "control") as stream:
            assert await stream.receive_some() == b""


async def test_only_this_user_may_ask(tmp_path):
    async with running(tmp_path):
        mode = await trio.Path(tmp_path / "control").stat()
        assert stat.S_IMODE(mode.st_mode) == 0o600


async def test_the_socket_of_a_live_server_is_not_taken(tmp_path):
    async with running(tmp_path) as server:
        with pytest.raises(OSError, match="in use") as refused:
            await trio.to_thread.run_sync(listen_unix, tmp_path / "control")
        assert refused.value.filename == str(tmp_path / "control")
        assert (await server.ask(STATUS))["pid"]


def test_the_socket_of_a_killed_server_is_replaced_and_a_file_never(tmp_path):
    path = Path(tmp_path, "control")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    listen_unix(path).close()
    path.unlink()
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        listen_unix(path)
    assert path.read_text() == "precious"


async def test_nothing_secret_is_told(tmp_path):
    secret = "correct horse battery staple"
    users = f"[users.test]\npassword = '{secret}'\n"
    async with running(tmp_path, ONE_SHARE, users=users) as server:
        assert secret not in json.dumps(await server.ask(STATUS))
