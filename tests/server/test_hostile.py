"""Clients that break the rules: each loses at most its own connection."""

from contextlib import asynccontextmanager
from struct import pack, pack_into

import pytest
import trio

import smbd.testing
from smbd.config import Limits
from smbd.ntstatus import NtStatus
from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    ECHO,
    LOGOFF,
    NEGOTIATE,
    QUERY_DIRECTORY,
    QUERY_INFO,
    READ,
    SESSION_SETUP,
    TREE_CONNECT,
    WRITE,
    answers,
    message,
)
from tests.scripted import connected, plain

A_MINUTE = 60  # no test waits so long, unless the server never answers


@asynccontextmanager
async def beside_a_bystander(tmp_path, **options):
    """A server, with somebody on it whose work must go on whatever the others do."""
    async with smbd.testing.serve(tmp_path, **options) as server, connected(server) as bystander:
        await bystander.connect()
        with trio.fail_after(A_MINUTE):
            yield server
            assert await bystander.works()


NO_FRAMES = {
    "four zero bytes": bytes(4),
    "a frame of one byte": b"\0\0\0\1x",
    "a length of 16 MiB": b"\0\xff\xff\xff" + bytes(100),
    "a length with a type": b"\x83\0\0\1\x80",
    "a long keep-alive": b"\x85\0\0\1x",
    "a session request for a megabyte": b"\x81\x10\0\0" + bytes(1000),
    "http": b"GET / HTTP/1.1\r\nHost: box\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
    "zeros": bytes(1000),
    "smb1 garbage": b"\0\0\0\x40\xffSMB" + b"\x5a" * 60,
    "a response": b"\0\0\0\x44" + message(NEGOTIATE, messages.EMPTY, flags=messages.RESPONSE),
    "something compressed": b"\0\0\0\x44" + message(0, messages.EMPTY, protocol=b"\xfcSMB"),
    "something sealed": b"\0\0\0\x44" + message(0, messages.EMPTY, protocol=b"\xfdSMB"),
    "a command before negotiate": b"\0\0\0\x44" + message(ECHO, messages.EMPTY),
    "message id out of the window": b"\0\0\0\x44" + message(0, messages.EMPTY, message_id=1),
}


@pytest.mark.parametrize("sent", NO_FRAMES.values(), ids=NO_FRAMES)
async def test_what_is_no_smb2_ends_its_connection(tmp_path, sent):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.stream.send_all(sent)
        assert await client.hung_up()


async def test_half_a_frame_and_silence_keeps_nobody_else_waiting(tmp_path):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.connect()
        frame = client.peer.request(WRITE, messages.write(bytes(16), bytes(60000)))
        await client.stream.send_all(len(frame).to_bytes(4, "big") + frame[:1000])
        async with connected(server) as other:
            await other.connect()
            assert await other.works()


async def test_a_frame_may_come_byte_by_byte(tmp_path):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.negotiate()
        frame = client.peer.request(ECHO)
        for byte in len(frame).to_bytes(4, "big") + frame:
            await client.stream.send_all(bytes([byte]))
            await trio.lowlevel.checkpoint()
        assert (await client.answer()).command == ECHO


@pytest.mark.parametrize("count", [65, 1000])
async def test_many_requests_in_one_compound_are_all_answered(tmp_path, count):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.negotiate()
        await client.log_in(asked=2000)
        await client.send(client.peer.compound(*[(ECHO, messages.EMPTY)] * count))
        got = await client.answers()
        assert [one.status for one in got] == [0] * count
        assert len({one.message_id for one in got}) == count


async def test_a_compound_of_a_thousand_opens_and_closes(tmp_path):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(ECHO, asked=2000)
        create = (CREATE, messages.create("a"))
        close = (CLOSE, messages.close(messages.PREVIOUS_FILE))
        await client.send(client.peer.related(*[create, close] * 500))
        got = await client.answers()
        assert [one.status for one in got] == [0] * 1000
        assert not list(server.server.service.tables.opens)


async def test_a_compound_of_more_data_than_a_frame_can_say_is_refused(tmp_path):
    (tmp_path / "big").write_bytes(bytes(8 << 20))
    long = Limits(max_read=8 << 20)
    async with (
        beside_a_bystander(tmp_path, limits=long) as server,
        connected(server) as client,
    ):
        await client.connect()
        assert (await client.ask(ECHO, asked=8192)).granted > 2000
        file_id = await client.open("big", disposition=messages.FILE_OPEN)
        read = (READ, messages.read(file_id, length=8 << 20), {"charge": 128})
        await client.send(client.peer.compound(*[read] * 10))
        got = await client.answers()
        assert got[0].status == 0
        assert len(got[0].data) == 8 << 20
        refused = {one.status for one in got[1:]} - {0}
        assert refused == {NtStatus.INSUFFICIENT_RESOURCES}
        assert await client.works()


@pytest.mark.parametrize("next_command", [8, 63, 64 + 4, 1 << 31, (1 << 32) - 8])
async def test_next_command_that_leads_nowhere_ends_the_connection(tmp_path, next_command):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.negotiate()
        frame = bytearray(client.peer.compound((ECHO, messages.EMPTY), (ECHO, messages.EMPTY)))
        pack_into("<I", frame, 20, next_command)
        await client.send(bytes(frame))
        assert await client.hung_up()


async def test_a_message_id_that_comes_twice_ends_the_connection(tmp_path):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.connect()
        spent = client.peer.next_id - 1
        await client.send(client.peer.request(ECHO, message_id=spent))
        assert await client.hung_up()


LIES = {
    "no body": (READ, b""),
    "half a body": (READ, messages.read(bytes(16))[:20]),
    "a structure size that is none": (READ, b"\x99" + messages.read(bytes(16))[1:]),
    "a name beyond the frame": (TREE_CONNECT, pack("<HHHH", 9, 0, 72, 60000)),
    "a name before the frame": (TREE_CONNECT, pack("<HHHH", 9, 0, 3, 8) + b"name"),
    "an odd name": (TREE_CONNECT, pack("<HHHH", 9, 0, 72, 3) + b"abc"),
    "data beyond the frame": (
        WRITE,
        pack("<HHIQ16sIIHHI", 49, 112, 2**32 - 1, 0, bytes(16), 0, 0, 0, 0, 0),
    ),
    "data inside the header": (
        WRITE,
        pack("<HHIQ16sIIHHI", 49, 4, 60, 0, bytes(16), 0, 0, 0, 0, 0),
    ),
    "a token beyond the frame": (
        SESSION_SETUP,
        pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, 60000, 0) + b"x",
    ),
    "contexts beyond the frame": (
        CREATE,
        messages.create("a")[:48] + pack("<II", 2**32 - 8, 2**32 - 1) + b"a\0",
    ),
    "contexts that overlap": (
        CREATE,
        messages.create("a")[:48] + pack("<II", 128, 16) + b"a\0" + bytes(6) + b"\4" + bytes(15),
    ),
    "too long an answer": (QUERY_INFO, messages.query_info(bytes(16), 5, length=2**32 - 1)),
    "too long a listing": (
        QUERY_DIRECTORY,
        messages.query_directory(bytes(16), length=2**32 - 1),
    ),
}


@pytest.mark.parametrize(("command", "body"), LIES.values(), ids=LIES)
async def test_lengths_and_offsets_that_lie_are_an_invalid_parameter(tmp_path, command, body):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.connect()
        answer = await client.ask(command, body)
        assert answer.status == NtStatus.INVALID_PARAMETER
        assert await client.works()


async def test_any_command_with_any_body_is_answered(tmp_path):
    """Every command with bodies of every length, and of its right size with nonsense in it."""
    async with beside_a_bystander(tmp_path) as server:
        for filling in (b"\0", b"\xff", b"\x18\0"):
            async with connected(server) as client:
                await client.connect()
                await client.ask(ECHO, asked=8000)
                for command in (*range(1, 12), *range(13, 30), 0xFFFF):
                    if command in {SESSION_SETUP, LOGOFF}:
                        continue
                    for size in (0, 2, 4, 24, 48, 49, 57, 100):
                        body = (filling * size)[:size]
                        fixed = bytes([size | 1, 0]) + body[2:]
                        await client.ask(command, body)
                        assert (await client.ask(command, fixed)).command == command
                assert (await client.ask(ECHO)).status == 0


async def test_a_wrong_signature_is_denied_and_the_connection_lives(tmp_path):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.connect()
        frame = bytearray(client.peer.request(ECHO))
        frame[50] ^= 1
        await client.send(bytes(frame))
        assert (await client.answer()).status == NtStatus.ACCESS_DENIED
        assert await client.works()


async def test_where_signing_is_required_what_is_not_signed_is_denied(tmp_path):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.connect()
        signer, client.session.signer = client.session.signer, None
        answer = await client.ask(CREATE, messages.create("a"))
        assert answer.status == NtStatus.ACCESS_DENIED
        assert not (tmp_path / "a").exists()
        client.session.signer = signer
        assert await client.works()


async def test_on_3_1_1_a_tree_connect_without_signature_ends_the_connection(tmp_path):
    served = beside_a_bystander(tmp_path, signing="enabled")
    async with served as server, connected(server, plain(0x0311)) as client:
        await client.negotiate()
        await client.log_in()
        client.session.signer = None
        await client.send(client.peer.tree_connect())
        assert await client.hung_up()


@pytest.mark.parametrize("flags", [0, messages.RELATED], ids=["unrelated", "related"])
async def test_what_hides_behind_somebodys_login_in_one_frame_needs_a_signature_too(
    tmp_path, flags
):
    """Else whoever sits in between could append requests to a login and act as its user."""
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.negotiate(asked=2)  # the middle of a login brings one credit alone
        steps = client.peer.login(asked=64)
        await client.send(next(steps))
        challenge = await client.answer()
        login = steps.send(challenge)
        appended = message(
            TREE_CONNECT,
            messages.tree_connect(r"\\box\share"),
            message_id=client.peer.next_id,
            session_id=challenge.session_id,
            flags=flags,
        )
        await client.send(messages.chain(login, appended))
        logged_in, entered = await client.answers()
        assert logged_in.status == 0
        assert entered.status == NtStatus.ACCESS_DENIED


async def test_a_pipe_is_closed_once(tmp_path):
    async with beside_a_bystander(tmp_path) as server, connected(server) as client:
        await client.connect("IPC$")
        pipe = (CREATE, messages.create("srvsvc", access=0x12019F, disposition=1))
        close = (CLOSE, messages.close(messages.PREVIOUS_FILE))
        await client.send(client.peer.related(pipe, close, close))
        got = [one.status for one in await client.answers()]
        assert got == [0, 0, NtStatus.FILE_CLOSED]


async def test_a_client_that_never_logs_in_is_dropped(tmp_path, autojump_clock):
    limits = Limits(login_time=3)
    served = smbd.testing.serve(tmp_path, limits=limits)
    async with served as server, connected(server) as client:
        began = trio.current_time()
        await client.negotiate()
        assert await client.hung_up()
        assert trio.current_time() - began >= 2


def test_answers_of_the_scripted_client_are_told_apart_from_requests():
    with pytest.raises(AssertionError):
        answers(message(ECHO))
