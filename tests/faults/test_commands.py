"""Every command may go wrong, and is carried out as ever behind a delay."""

import pytest
import trio

from smbd.faults.rule import COMMANDS
from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    ECHO,
    FLUSH,
    IOCTL,
    LOCK,
    LOGOFF,
    OPLOCK_BREAK,
    QUERY_DIRECTORY,
    QUERY_INFO,
    READ,
    SET_INFO,
    TREE_CONNECT,
    TREE_DISCONNECT,
    WRITE,
)
from tests.scripted import WINDOWS, connected

BASIC, END_OF_FILE = 4, 20
OBJECT_ID = 0x900C0  # FSCTL_CREATE_OR_GET_OBJECT_ID
# What a client asks that is logged in, and what it is answered when all goes well.
ASKED = {
    "ECHO": (ECHO, lambda _file, _folder: messages.EMPTY, 0),
    "TREE_CONNECT": (TREE_CONNECT, lambda *_: messages.tree_connect(r"\\box\share"), 0),
    "CREATE": (CREATE, lambda *_: messages.create("new"), 0),
    "READ": (READ, lambda file, _: messages.read(file, 0, 10), 0),
    "WRITE": (WRITE, lambda file, _: messages.write(file, b"data"), 0),
    "FLUSH": (FLUSH, lambda file, _: messages.flush(file), 0),
    "LOCK": (LOCK, lambda file, _: messages.lock(file, (0, 1, messages.EXCLUSIVE)), 0),
    "IOCTL": (IOCTL, lambda file, _: messages.ioctl(file, OBJECT_ID), 0),
    "QUERY_DIRECTORY": (QUERY_DIRECTORY, lambda _, folder: messages.query_directory(folder), 0),
    "QUERY_INFO": (QUERY_INFO, lambda file, _: messages.query_info(file, BASIC), 0),
    "SET_INFO": (SET_INFO, lambda file, _: messages.set_info(file, END_OF_FILE, bytes(8)), 0),
    "CHANGE_NOTIFY": (CHANGE_NOTIFY, lambda _, folder: messages.change_notify(folder), None),
    "OPLOCK_BREAK": (OPLOCK_BREAK, lambda file, _: messages.oplock_break(file, 0), None),
    "CLOSE": (CLOSE, lambda file, _: messages.close(file), 0),
    "TREE_DISCONNECT": (TREE_DISCONNECT, lambda *_: messages.EMPTY, 0),
    "LOGOFF": (LOGOFF, lambda *_: messages.EMPTY, 0),
}


@pytest.fixture
async def served(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 100)
    async with serve(tmp_path) as server, connected(server, WINDOWS) as client:
        yield server, client


async def logged_in(client):
    await client.connect()
    return await client.open("file"), await client.open("", options=1)


def test_all_commands_are_here():
    assert {*ASKED, "NEGOTIATE", "SESSION_SETUP", "CANCEL"} == set(COMMANDS)


@pytest.mark.parametrize("name", ASKED)
async def test_a_status(served, name):
    server, client = served
    file, folder = await logged_in(client)
    command, body, _ = ASKED[name]
    with server.fault(command=name, status="UNSUCCESSFUL") as fault:
        assert (await client.ask(command, body(file, folder))).status == NtStatus.UNSUCCESSFUL
    assert fault.hits == 1
    assert (await client.ask(ECHO)).status == 0


@pytest.mark.parametrize("name", ASKED)
async def test_a_delay(served, name):
    server, client = served
    file, folder = await logged_in(client)
    command, body, expected = ASKED[name]
    with server.fault(command=name, delay=0.001) as fault:
        asked = await client.begin(command, body(file, folder))
        if name == "CHANGE_NOTIFY":
            await client.interim(asked)
            await client.cancel(asked)
        answer = await client.reply(asked)
    if expected is None:
        assert answer.status not in {0, NtStatus.INTERNAL_ERROR}
    else:
        assert answer.status == expected
    assert fault.hits == 1


@pytest.mark.parametrize("name", [*ASKED, "NEGOTIATE", "SESSION_SETUP"])
async def test_what_hangs_ends_with_its_connection(served, name):
    server, client = served
    fault = server.fault(command=name, hang=True)
    if name == "NEGOTIATE":
        await client.send(client.peer.negotiate())
    elif name == "SESSION_SETUP":
        await client.negotiate()
        await client.send(next(client.peer.login()))
    else:
        command, body, _ = ASKED[name]
        with server.fault(command="SESSION_SETUP", delay=0.001):
            if name in {"TREE_CONNECT", "CREATE"}:
                fault.remove()
            file, folder = await logged_in(client)
            if name in {"TREE_CONNECT", "CREATE"}:
                fault = server.fault(command=name, hang=True)
        await client.begin(command, body(file, folder))
    await fault.await_hits()
    await trio.aclose_forcefully(client.stream)
    while fault.held or server.server.document()["connections"]["now"]:  # noqa: ASYNC110
        await trio.sleep(0.001)
    assert server.server.document()["opens"] == []


async def test_pipes_too(served):
    server, client = served
    await client.connect("IPC$")
    fault = server.fault(share="ipc$", path="srvsvc", delay=0.001, pending=True)
    pipe = await client.open("srvsvc", access=0x12019F)
    assert (await client.write(pipe, b"abc")).status == 0
    assert fault.hits == 2
    fault.remove()
    with server.fault(command="WRITE", short=1):
        assert (await client.write(pipe, b"abc")).body[4] == 1
