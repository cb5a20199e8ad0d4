"""The log: one line for each connection, login, tree and error; none for what is done with them."""

import errno
import io
import json
import logging
import os

import pytest
from trio.testing import wait_all_tasks_blocked

from smbd.cli.logs import JsonFormatter, TextFormatter
from smbd.ntstatus import NtStatus
from smbd.wire.access import FILE_GENERIC_READ, FILE_GENERIC_WRITE
from smbd.wire.create import CreateDisposition
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, READ, WRITE
from tests.scripted import connected
from tests.server.running import ONE_SHARE, USERS, connect_status, login_status, running

SECRET = "correct horse battery staple"
HASH = "0123456789abcdef0123456789abcdef"


@pytest.fixture(params=["text", "json"])
def log(request):
    """All that the server says at its most talkative, as it would be written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if request.param == "json" else TextFormatter())
    logger = logging.getLogger()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)


async def test_a_client_s_visit_is_told_in_a_line_for_each_step(tmp_path, caplog):
    caplog.set_level(logging.INFO, "smbd")
    async with running(tmp_path) as server:
        async with connected(server) as client:
            await client.connect()
            file_id = await client.open("a")
            for _ in range(100):
                assert (await client.ask(WRITE, messages.write(file_id, b"data"))).status == 0
                assert (await client.ask(READ, messages.read(file_id))).status == 0
            assert (await client.ask(CLOSE, messages.close(file_id))).status == 0
            peer = f"127.0.0.1:{client.stream.socket.getsockname()[1]}"
        await wait_all_tasks_blocked(0.01)
        assert [one.message for one in caplog.records] == [
            f"{peer}: connected",
            f"{peer}: test logged in",
            f"{peer}: test connected to share",
            f"{peer}: left",
        ]


async def test_each_refusal_is_told_with_its_peer(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "smbd")
    text = ONE_SHARE + "users = ['other']\n"
    users = USERS + "[users.other]\npassword = 'x'\n"
    async with running(tmp_path, text, users=users) as server:
        assert await login_status(server, "test", "wrong") == NtStatus.LOGON_FAILURE
        assert await connect_status(server, "nowhere") == NtStatus.BAD_NETWORK_NAME
        assert await connect_status(server, "share") == NtStatus.ACCESS_DENIED
        assert await connect_status(server, "n" * 30_000) == NtStatus.BAD_NETWORK_NAME
        async with connected(server) as client:
            await client.send(bytes(100))
            assert await client.hung_up()
        await wait_all_tasks_blocked(0.01)
    told = [one.message.split(": ", 1) for one in caplog.records]
    assert all(peer.startswith("127.0.0.1:") for peer, _ in told)
    assert [what for _, what in told] == [
        "login failed: LOGON_FAILURE",
        "test may not connect to nowhere: BAD_NETWORK_NAME",
        "test may not connect to share: ACCESS_DENIED",
        f"test may not connect to {'n' * 81}: BAD_NETWORK_NAME",
        "dropped: neither SMB2 nor an SMB1 NEGOTIATE",
    ]


async def test_a_disk_that_fails_is_told(tmp_path, caplog, monkeypatch):
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()
        file_id = await client.open("a")

        def try_read(_fd, _into, _offset):
            raise OSError(5, "Input/output error")

        engine = server.server.service.shares["share"].engine
        monkeypatch.setattr(engine, "try_read", try_read)
        assert (await client.ask(READ, messages.read(file_id))).status != 0
        [line] = caplog.records
        assert line.levelname == "ERROR"
        assert line.message.startswith("127.0.0.1:")
        assert line.message.endswith(": READ: Input/output error")


async def test_passwords_are_never_in_the_log(tmp_path, log):
    users = (
        f"[users.test]\npassword = '{SECRET}'\n[users.hashed]\nnt_hash = '{HASH}'\n"
        "[users.made]\npassword_file = 'made'\ngenerate = true\n"
    )
    async with running(tmp_path, users=users) as server:
        assert await login_status(server, "test", SECRET) == 0
        assert await login_status(server, "test", SECRET + "x") == NtStatus.LOGON_FAILURE
        assert await login_status(server, SECRET, "x") == NtStatus.LOGON_FAILURE
        made = (tmp_path / "made").read_text().strip()
        assert await server.reload()
        (tmp_path / "made").unlink()
        assert await server.reload(), "which makes another one"
        server.write(
            ONE_SHARE, users=f"[users.test]\npassword = ['{SECRET}']\nnt_hash = '{HASH}x'\n"
        )
        assert not await server.reload()
        server.write(ONE_SHARE, users=f"[users.test]\npasswort = '{SECRET}'\n{HASH} = '{SECRET}'\n")
        assert not await server.reload()
        await server.server.disconnect("test")
        logging.getLogger("smbd").info("%r", server.server.service.config)
        new = (tmp_path / "made").read_text().strip()
    said = log.getvalue()
    assert "login failed" in said
    assert "must be a string" in said
    for secret in (SECRET, made, new, bytes.fromhex(HASH).hex(" ")):
        assert secret not in said
    assert said.count(HASH) == said.count(f"users.test.{HASH}: unknown key"), "it stands for a key"


async def test_json_has_one_object_a_line(tmp_path, log):
    async with running(tmp_path) as server:
        assert await login_status(server, "test", "wrong") == NtStatus.LOGON_FAILURE
    lines = log.getvalue().splitlines()
    if lines[0].startswith("{"):
        assert {json.loads(line)["level"] for line in lines} >= {"info", "warning"}
    assert len(lines) >= 2


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EDQUOT, "Disk quota exceeded"),
        (errno.EROFS, "Read-only file system"),
        (errno.EACCES, "Permission denied; the server runs as "),
    ],
)
async def test_a_refused_write_is_told_once_for_each_share_and_cause(
    tmp_path, caplog, monkeypatch, cause, told
):
    two = ONE_SHARE + "[shares.other]\npath = 'two'\n"
    async with running(tmp_path, two) as server, connected(server) as client:
        await client.connect()
        file_id = await client.open("a")

        def refuse(*_):
            raise OSError(cause, os.strerror(cause))

        share = server.server.service.shares["share"]
        monkeypatch.setattr(share.engine, "try_write", refuse)
        monkeypatch.setattr(share.engine, "try_read", refuse)
        if cause == errno.EACCES:
            assert (await client.ask(READ, messages.read(file_id))).status != 0
            assert caplog.records == [], "a file that may not be read is no news"
        for _ in range(3):
            assert (await client.ask(WRITE, messages.write(file_id, b"data"))).status != 0
        [line] = caplog.records
        assert line.levelname == "WARNING"
        assert line.message.startswith(f"share: the file system refuses a WRITE: {told}")
        assert server.server.service.shares["other"].refusals_told == set()


async def test_a_name_that_cannot_be_made_is_told_and_one_that_cannot_be_read_is_not(
    tmp_path, caplog, monkeypatch
):
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()

        def refuse(*_):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr("smbd.vfs.Root.open", refuse)
        monkeypatch.setattr("smbd.vfs.Root.open_cached", refuse)
        (tmp_path / "one" / "secret").touch()
        create = messages.create(
            "secret", access=FILE_GENERIC_READ, disposition=CreateDisposition.OPEN
        )
        assert (await client.ask(CREATE, create)).status == NtStatus.ACCESS_DENIED
        assert caplog.records == []
        create = messages.create("new", access=FILE_GENERIC_WRITE)
        assert (await client.ask(CREATE, create)).status == NtStatus.ACCESS_DENIED
        assert "share: the file system refuses a CREATE: Permission denied" in caplog.text


async def test_json_has_what_a_line_is_about_as_fields(tmp_path):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("smbd")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        async with running(tmp_path) as server:
            assert await connect_status(server, "share") == 0
            await wait_all_tasks_blocked(0.01)
            assert await login_status(server, "test", "wrong") != 0
            await wait_all_tasks_blocked(0.01)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines][:4] == [
        "connected",
        "logged in",
        "share connected",
        "disconnected",
    ]
    assert all(line["client"].startswith("127.0.0.1:") for line in lines)
    assert (lines[2]["user"], lines[2]["share"]) == ("test", "share")
    failed = [line for line in lines if line["event"] == "login failed"]
    assert len(failed) == 1
    assert "user" not in failed[0], "people type their password there"
