"""Faults as a scripted client meets them, signed and sealed, alone and in compounds."""

import struct
from contextlib import nullcontext

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from smbd.config import Limits
from smbd.ntstatus import NtStatus, ProtocolError
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    ECHO,
    LOCK,
    PREVIOUS_FILE,
    READ,
    RELATED,
    TREE_CONNECT,
    WRITE,
)
from tests.scripted import PENDING, SEALED, WINDOWS, HungUpError, clients, connected
from tests.scripted.caching import BATCH, BY_LEASE, H, R, W, lease, parse_break

CONTENT = bytes(range(256)) * 400
OPEN_READ_CLOSE = (
    (CREATE, messages.create("file.bin")),
    (READ, messages.read(PREVIOUS_FILE, 0, 10)),
    (CLOSE, messages.close(PREVIOUS_FILE)),
)


@pytest.fixture(params=["off", "required"])
async def served(request, tmp_path):
    """A server with two files and a client of it: signed, and sealed."""
    for name in ("file.bin", "file.txt"):
        (tmp_path / name).write_bytes(CONTENT)
    async with serve(tmp_path, encryption=request.param) as server, clients(server) as make:
        client = await make(WINDOWS).connect()
        client.make = make
        yield server, client


async def until_held(fault, count):
    """A task holds a request back a moment after its rule has struck."""
    while fault.held != count:  # noqa: ASYNC110
        await trio.sleep(0.001)


async def test_a_status_for_the_third_read_of_such_a_file(served):
    server, client = served
    fault = server.fault(command="READ", path="*.bin", after=2, times=1, status="DISK_FULL")
    binary, text = await client.open("file.bin"), await client.open("file.txt")
    statuses = [(await client.read(one)).status for one in (binary, text, binary, binary, binary)]
    assert statuses == [0, 0, 0, NtStatus.DISK_FULL, 0]
    assert (fault.seen, fault.hits) == (4, 1)


async def test_it_ends_with_its_block(served):
    server, client = served
    file_id = await client.open("file.bin")
    with server.fault(status="ACCESS_DENIED") as fault:
        assert (await client.read(file_id)).status == NtStatus.ACCESS_DENIED
        assert (await client.ask(ECHO)).status == NtStatus.ACCESS_DENIED
    assert (await client.read(file_id)).status == 0
    assert fault.hits == 2


async def test_each_request_of_a_compound_is_met_for_itself(served):
    server, client = served
    with server.fault(
        command="READ", path="FILE.BIN", share="Share", user="TEST", status="EA_TOO_LARGE"
    ):
        answers = await client.ask_related(*OPEN_READ_CLOSE)
    assert [one.status for one in answers] == [0, NtStatus.EA_TOO_LARGE, 0]
    with server.fault(command="CREATE", status="DISK_FULL"):
        answers = await client.ask_related(*OPEN_READ_CLOSE)
    assert [one.status for one in answers] == [NtStatus.DISK_FULL] * 3
    assert server.server.document()["opens"] == []


async def test_a_delay_holds_up_nothing_else(served):
    server, client = served
    file_id = await client.open("file.bin")
    with server.fault(command="READ", delay=0.05, times=1):
        began = trio.current_time()
        slow = await client.begin(READ, messages.read(file_id, 0, 10))
        assert len((await client.read(file_id, 0, 20)).data) == 20
        assert (await client.reply(slow)).data == CONTENT[:10]
        assert trio.current_time() - began >= 0.05


async def test_a_delay_ends_in_a_status_behind_an_interim_response(served):
    server, client = served
    file_id = await client.open("file.bin")
    server.fault(command="READ", delay=0.01, pending=True, status="IO_TIMEOUT")
    asked = await client.begin(READ, messages.read(file_id, 0, 10))
    assert (await client.interim(asked)).status == PENDING
    assert (await client.reply(asked)).status == NtStatus.IO_TIMEOUT


async def test_an_interim_response_in_the_middle_of_a_compound(served):
    server, client = served
    server.fault(command="READ", pending=True)
    create, read, close = await client.begin_compound(*OPEN_READ_CLOSE, flags=RELATED)
    assert (await client.interim(read)).status == PENDING
    assert (await client.reply(create)).status == 0
    assert (await client.reply(read)).data == CONTENT[:10]
    assert (await client.reply(close)).status == 0


async def test_what_hangs_goes_on_when_the_rule_is_removed(served):
    server, client = served
    file_id = await client.open("file.bin")
    with server.fault(command="READ", hang=True) as fault:
        asked = await client.begin(READ, messages.read(file_id, 0, 10))
        await until_held(fault, 1)
        assert fault.hits == 1
    assert (await client.reply(asked)).data == CONTENT[:10]
    assert fault.held == 0


async def test_a_rule_that_is_removed_in_the_burst_that_it_strikes_in_holds_nothing_back(served):
    server, client = served
    fault = server.fault(command="ECHO", hang=True)
    server.server.faults.find(1).struck = fault.remove
    assert (await client.ask(ECHO)).status == 0
    assert fault.hits == 1


@pytest.mark.parametrize("command", [READ, WRITE])
async def test_what_hangs_is_ended_by_cancel_also_a_write(served, command):
    server, client = served
    file_id = await client.open("file.bin")
    fault = server.fault(command=["READ", "WRITE"], hang=True, pending=True)
    body = messages.read(file_id, 0, 10) if command == READ else messages.write(file_id, b"new")
    asked = await client.begin(command, body)
    async_id = (await client.interim(asked)).async_id
    await client.cancel(async_id=async_id)
    assert (await client.reply(asked)).status == NtStatus.CANCELLED
    assert fault.held == 0
    fault.remove()
    assert (await client.read(file_id, 0, 3)).data == CONTENT[:3]


async def test_a_cancel_may_be_ignored(served):
    server, client = served
    fault = server.fault(command="CANCEL", hang=True)
    folder = await client.open("", options=1)
    asked = await client.begin(CHANGE_NOTIFY, messages.change_notify(folder))
    await client.interim(asked)
    await client.cancel(asked)
    assert (await client.ask(ECHO)).status == 0
    fault.remove()
    await client.cancel(asked)
    assert (await client.reply(asked)).status == NtStatus.CANCELLED
    assert fault.hits == 1


async def test_what_hangs_ends_with_its_connection(served):
    server, client = served
    file_id = await client.open("file.bin")
    fault = server.fault(command="READ", hang=True)
    for _ in range(3):
        await client.begin(READ, messages.read(file_id, 0, 10))
    await until_held(fault, 3)
    await trio.aclose_forcefully(client.stream)
    await until_held(fault, 0)
    assert fault.hits == 3


async def test_what_hangs_counts_in_the_limits_of_its_connection(tmp_path):
    limits = Limits(requests=16)
    async with serve(tmp_path, limits=limits) as server, connected(server) as client:
        await client.connect()
        with server.fault(command="ECHO", hang=True) as fault:
            hanging = [await client.begin(ECHO) for _ in range(17)]
            assert (await client.reply(hanging[16])).status == NtStatus.INSUFFICIENT_RESOURCES
            await until_held(fault, 16)
        for one in hanging[:16]:
            assert (await client.reply(one)).status == 0


async def test_the_server_ends_in_time_while_requests_hang(tmp_path):
    async with serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        server.fault(command="ECHO", hang=True)
        asked = await client.begin(ECHO)
        await client.ask(TREE_CONNECT, messages.tree_connect(r"\\box\share"))
        began = trio.current_time()
        await server.astop()
        assert trio.current_time() - began < 3
        assert (await client.reply(asked)).status == NtStatus.CANCELLED


async def test_a_lock_that_is_held_back_in_a_compound_is_not_refused(served):
    server, client = served
    server.fault(command="LOCK", delay=0.01)
    answers = await client.ask_related(
        (CREATE, messages.create("file.bin")),
        (LOCK, messages.lock(PREVIOUS_FILE, (0, 10, messages.EXCLUSIVE))),
        (CLOSE, messages.close(PREVIOUS_FILE)),
    )
    assert [one.status for one in answers] == [0, 0, 0]


@pytest.mark.parametrize("how", [True, "reset", "half", "half-reset"])
async def test_the_connection_ends(served, how):
    server, client = served
    file_id = await client.open("file.bin")
    fault = server.fault(command="READ", drop=how)
    await client.begin(ECHO)  # what was answered before leaves before
    await client.begin(READ, messages.read(file_id, 0, 1000), charge=1)
    received = b""
    with pytest.raises(trio.BrokenResourceError) if "reset" in str(how) else nullcontext():
        while some := await client.stream.receive_some():
            received += some
    echo = int.from_bytes(received[:4], "big")
    rest = received[4 + echo :]
    assert client.peer.read(received[4 : 4 + echo])[0].status == 0
    if "half" in str(how):
        assert 4 < len(rest) < int.from_bytes(rest[:4], "big")
    else:
        assert not rest
    assert fault.hits == 1


async def test_a_drop_behind_the_command_loses_the_answer_and_not_the_work(served, tmp_path):
    server, client = served
    file_id = await client.open("file.bin")
    server.fault(command="WRITE", drop=True, done=True, delay=0.01)
    await client.begin(WRITE, messages.write(file_id, b"done"))
    assert await client.hung_up()
    assert (tmp_path / "file.bin").read_bytes()[:4] == b"done"


async def test_a_status_behind_the_command(served, tmp_path):
    server, client = served
    with server.fault(command="CREATE", path="new", status="IO_TIMEOUT", done=True):
        assert (await client.create("new")).status == NtStatus.IO_TIMEOUT
    assert (tmp_path / "new").exists()


async def test_a_read_gives_less_and_so_does_a_write(served, tmp_path):
    server, client = served
    file_id = await client.open("file.bin")
    with server.fault(command="READ,WRITE", short=100) as fault:
        assert (await client.read(file_id, 10, 4096)).data == CONTENT[10:110]
        written = await client.write(file_id, b"x" * 4096, 0)
        assert struct.unpack_from("<I", written.body, 4) == (100,)
        assert len((await client.read(file_id, 0, 50)).data) == 50
    assert (tmp_path / "file.bin").read_bytes() == b"x" * 100 + CONTENT[100:]
    assert fault.hits == 2


async def test_only_the_signature_is_damaged(served):
    server, client = served
    file_id = await client.open("file.bin")
    right = (await client.read(file_id, 0, 10)).data
    with server.fault(command="READ", garble=True, times=1) as fault:
        await client.begin(READ, messages.read(file_id, 0, 10))
        frame = bytearray(await client.frame())
    at = 4 if frame.startswith(SEALED) else 48
    with pytest.raises((AssertionError, ProtocolError)):
        client.peer.read(bytes(frame))
    frame[at : at + 16] = bytes(byte ^ 0xFF for byte in frame[at : at + 16])
    (answer,) = client.peer.read(bytes(frame))
    assert answer.data == right
    assert fault.hits == 1


async def test_an_answer_without_a_signature_counts_for_none(tmp_path):
    async with serve(tmp_path, signing="enabled") as server, connected(server) as client:
        await client.connect()
        fault = server.fault(command="ECHO", garble=True)
        assert (await client.ask(ECHO, signed=False)).status == 0
        assert fault.hits == 0


async def test_credits(served):
    server, client = served
    with server.fault(command="ECHO", credits=1) as fault:
        assert (await client.ask(ECHO, asked=100)).granted == 1
    assert (await client.ask(ECHO, asked=100)).granted == 100
    assert fault.hits == 1


async def test_smaller_limits_count(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    async with serve(tmp_path) as server, connected(server, WINDOWS) as client:
        server.fault(max_read=4096, max_write=5000)
        answer = await client.negotiate()
        assert struct.unpack_from("<II", answer.body, 32) == (4096, 5000)
        assert (await client.log_in()).status == 0
        await client.enter()
        file_id = await client.open("file")
        assert len((await client.read(file_id, 0, 4096)).data) == 4096
        assert (await client.read(file_id, 0, 4097)).status == NtStatus.INVALID_PARAMETER


async def test_another_guid(tmp_path):
    async def guid(server):
        async with connected(server) as client:
            return (await client.negotiate()).body[8:24]

    async with serve(tmp_path) as server:
        first = await guid(server)
        with server.fault(guid=True, times=1):
            second, third = await guid(server), await guid(server)
        assert first != second == third


async def test_a_session_is_forgotten(served):
    server, client = served
    file_id = await client.open("file.bin")
    fault = server.fault(command="READ", forget=True)
    if client.session.must_seal:
        with pytest.raises(HungUpError):
            await client.read(file_id)
    else:
        assert (await client.read(file_id)).status == NtStatus.USER_SESSION_DELETED
        assert (await client.read(file_id)).status == NtStatus.USER_SESSION_DELETED
    assert server.server.document()["opens"] == []
    assert fault.hits == 1


async def test_a_session_has_to_log_in_again(served):
    server, client = served
    file_id = await client.open("file.bin")
    fault = server.fault(command="READ", expire=True, times=1)
    assert (await client.read(file_id)).status == NtStatus.NETWORK_SESSION_EXPIRED
    assert (await client.read(file_id)).status == NtStatus.NETWORK_SESSION_EXPIRED
    assert (await client.log_in(again=client.session)).status == 0
    assert (await client.read(file_id)).status == 0
    assert fault.hits == 1


async def test_a_file_is_closed(served):
    server, client = served
    file_id = await client.open("file.bin")
    with server.fault(command="READ", closed=True):
        assert (await client.read(file_id)).status == NtStatus.FILE_CLOSED
    assert (await client.close(file_id)).status == NtStatus.FILE_CLOSED
    assert server.server.document()["opens"] == []


@pytest.mark.parametrize(("said", "left"), [(True, 0), ("r", R), ("rh", R | H), ("rw", R | W)])
async def test_a_lease_is_broken_at_once(served, said, left):
    server, client = served
    fault = server.fault(command="CREATE", breaks=said)
    key = b"lease key is 16b"
    answer = await client.create("file.bin", oplock=BY_LEASE, contexts=[lease(key, R | H | W)])
    assert answer.status == 0
    told = parse_break(await client.notification())
    assert (told.current, told.new) == (R | H | W, left)
    assert fault.hits == 1


async def test_an_oplock_is_broken_at_once_and_what_is_not_granted_is_not(served):
    server, client = served
    fault = server.fault(command="CREATE", breaks=True)
    await client.open("file.txt")
    assert fault.hits == 0
    await client.open("file.bin", oplock=BATCH)
    assert parse_break(await client.notification()).level == 0
    assert fault.hits == 1


async def test_a_slow_line(tmp_path):
    (tmp_path / "file").write_bytes(bytes(20_000))
    async with serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        file_id = await client.open("file")
        with server.fault(rate=200_000):
            began = trio.current_time()
            assert len((await client.read(file_id, 0, 20_000)).data) == 20_000
            assert 0.05 < trio.current_time() - began < 20
        with server.fault(latency=0.02):
            began = trio.current_time()
            await client.ask(ECHO)
            assert trio.current_time() - began >= 0.02
        began = trio.current_time()
        assert len((await client.read(file_id, 0, 20_000)).data) == 20_000


async def test_a_fault_is_there_again_when_the_server_has_come_back(tmp_path):
    async with serve(tmp_path) as server:
        fault = server.fault(command="ECHO", status="DISK_FULL")
        for _ in range(2):
            async with connected(server) as client:
                await client.connect()
                assert (await client.ask(ECHO)).status == NtStatus.DISK_FULL
            await server.arestart()
        assert fault.hits == 2


async def test_every_channel_of_a_session_meets_it(served):
    server, client = served
    make = client.make(WINDOWS)
    first = await make.connect()
    second, answer = await make.bind(first.session)
    assert answer.status == 0
    server.fault(command="ECHO", hang=True, pending=True)
    for one in (first, second):
        asked = await one.begin(ECHO)
        await one.interim(asked)
        await one.cancel(asked)
        assert (await one.reply(asked)).status == NtStatus.CANCELLED


async def test_a_login_may_fail_or_take_long(tmp_path):
    async with serve(tmp_path) as server:
        with server.fault(command="SESSION_SETUP", after=1, status="LOGON_FAILURE", delay=0.01):
            async with connected(server) as client:
                await client.negotiate()
                assert (await client.log_in()).status == NtStatus.LOGON_FAILURE
        async with connected(server) as client:
            with server.fault(command="NEGOTIATE", status="NOT_SUPPORTED"):
                assert (await client.negotiate()).status == NtStatus.NOT_SUPPORTED


async def test_what_hangs_counts_in_the_memory_of_its_connection(tmp_path):
    (tmp_path / "file").touch()
    async with serve(tmp_path) as server, connected(server, WINDOWS) as client:
        await client.connect()
        file_id = await client.open("file")
        fault = server.fault(command="WRITE", hang=True)
        while fault.held == fault.hits:  # of 1 MiB each: 64 MiB is what it may hold
            write = messages.write(file_id, bytes(1 << 20))
            asked = await client.begin(WRITE, write, charge=16)
            await client.ask(ECHO)
            await wait_all_tasks_blocked(0.005)
        assert (await client.reply(asked)).status == NtStatus.INSUFFICIENT_RESOURCES
        assert 10 < fault.held < 64
        fault.remove()
        assert (await client.write(file_id, b"x")).status == 0
