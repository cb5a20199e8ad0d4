"""Requests alone in their frame whose header is as one before: answered as the first one was."""

import tempfile
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smbd.connection import Connection
from smbd.crypto import make_signer
from smbd.ntstatus import NtStatus, ProtocolError
from smbd.repeats import Repeats
from smbd.wire.negotiate_contexts import SigningAlgorithm
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    ECHO,
    FILE_OPEN,
    FLUSH,
    LOGOFF,
    QUERY_INFO,
    SET_INFO,
    TREE_DISCONNECT,
)

READS = 0x120089
ALL, VOLUME, FILE_SYSTEM = 18, 1, 2
DISPOSITION = 13
DFS_OPERATIONS, REPLAY, RELATED, PRIORITY = 0x10000000, 0x20000000, 4, 0x20


@pytest.fixture
def disk(monkeypatch):
    """Where the kernel can say that it need not wait."""
    monkeypatch.setattr("smbd.vfs.Root.SLOW_OPEN", inf)  # whatever this machine does
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name, "file").write_bytes(b"data")
        yield Path(name)


@asynccontextmanager
async def a_stage(disk, *, signer=None):
    async with on_stage(disk) as stage:
        if signer is not None:
            stage.session.channels[0].signer = stage.session.signer = signer
            stage.peer.session.signer = signer
        await stage.open("file", access=READS, disposition=FILE_OPEN)  # by a worker
        yield stage


@pytest.fixture
async def stage(disk):
    async with a_stage(disk) as stage:
        yield stage


@pytest.fixture
def looked_at(monkeypatch):
    """The commands of the requests whose headers were looked at."""
    found, receive = [], Connection.receive

    def listening(connection, frame, *now):
        found.append(frame[12])
        return receive(connection, frame, *now)

    monkeypatch.setattr(Connection, "receive", listening)
    return found


async def asked(stage, command, body, **fields):
    stage.ask(command, body, **fields)
    return await stage.answer()


async def opened(stage, name="file", **how):
    body = messages.create(name, **{"access": READS, "disposition": FILE_OPEN} | how)
    return await asked(stage, CREATE, body)


async def told(stage, file_id, **fields):
    return await asked(stage, QUERY_INFO, messages.query_info(file_id, ALL), **fields)


async def closed(stage, file_id):
    return await asked(stage, CLOSE, messages.close(file_id))


async def test_only_the_first_of_a_kind_is_looked_at(stage, looked_at):
    for _ in range(3):
        file_id = (await opened(stage)).file_id
        assert (await told(stage, file_id)).status == 0
        assert (await closed(stage, file_id)).status == 0
    assert looked_at == [CREATE, QUERY_INFO, CLOSE]


async def test_each_answer_has_the_id_of_its_request_and_the_credits_it_asks_for(stage):
    file_id = (await opened(stage)).file_id
    for credits_asked in (1, 1, 3, 0, 2):
        message_id = stage.peer.next_id
        answer = await told(stage, file_id, asked=credits_asked)
        assert (answer.message_id, answer.granted) == (message_id, credits_asked)


async def test_a_refusal_is_answered_alike(stage):
    first = (await opened(stage)).file_id
    assert (await told(stage, first)).status == 0
    assert (await closed(stage, first)).status == 0
    assert (await told(stage, first)).status == NtStatus.FILE_CLOSED
    assert (await closed(stage, first)).status == NtStatus.FILE_CLOSED
    missing = await opened(stage, "missing")
    assert missing.status == NtStatus.OBJECT_NAME_NOT_FOUND
    assert (await opened(stage)).status == 0


async def test_an_id_that_was_used_ends_the_connection(stage):
    file_id = (await opened(stage)).file_id
    spent = stage.peer.next_id
    assert (await told(stage, file_id)).status == 0
    with pytest.raises(ProtocolError):
        await told(stage, file_id, message_id=spent)


async def test_what_goes_on_in_a_worker_and_the_next_one_keep_apart(stage):
    file_id = (await opened(stage)).file_id
    assert (await told(stage, file_id)).status == 0
    stage.calls.holding = True
    body = messages.query_info(file_id, VOLUME, info_type=FILE_SYSTEM)
    waiting = stage.ask(QUERY_INFO, body)
    assert not await stage.answers()
    answer = await told(stage, file_id)
    assert (answer.status, answer.message_id) == (0, waiting + 1)
    also = stage.ask(QUERY_INFO, body)
    assert not await stage.answers()
    for call in stage.calls.held:
        call.finish()
    assert {one.message_id for one in await stage.answers()} == {waiting, also}


async def test_a_flush_in_work_is_found_by_its_own_id(stage):
    file_id = (await opened(stage, access=0x12019F)).file_id
    flushes = [stage.ask(FLUSH, messages.flush(file_id)) for _ in range(3)]
    assert not await stage.answers()
    stage.engine.finish_all(None)
    assert sorted(one.message_id for one in await stage.answers()) == flushes


async def test_so_many_forms_are_kept_and_no_more(stage):
    file_id = (await opened(stage)).file_id
    for priority in range(8):
        for charge in (1, 2):
            flags = {"flags": priority << 4, "charge": charge}
            assert (await told(stage, file_id, **flags)).status == 0
    assert len(stage.dispatch._learned.repeats._forms) <= 8


@pytest.mark.parametrize("algorithm", [SigningAlgorithm.AES_GMAC, SigningAlgorithm.HMAC_SHA256])
async def test_what_is_signed_is_verified_and_its_answer_is_signed(disk, looked_at, algorithm):
    signer = make_signer(algorithm, bytes(range(16)))
    async with a_stage(disk, signer=signer) as stage:
        file_id = (await opened(stage)).file_id
        for _ in range(3):
            answer = await told(stage, file_id)
            assert answer.status == 0
            assert signer.verify(memoryview(bytearray(answer.raw)))
        assert looked_at.count(QUERY_INFO) == 1
        frame = bytearray(stage.peer.request(QUERY_INFO, messages.query_info(file_id, ALL)))
        frame[50] ^= 1
        stage.burst(frame)
        assert (await stage.answer()).status == NtStatus.ACCESS_DENIED
        assert (await told(stage, file_id)).status == 0


def suspended(stage):
    stage.session.suspended = not stage.session.suspended


def signing_required(stage):
    stage.session.signing_required = not stage.session.signing_required


def encrypts(stage):
    stage.session.encrypt = not stage.session.encrypt


def tree_encrypts(stage):
    for tree in stage.session.trees.values():
        tree.encrypt = not tree.encrypt


def barred(stage):
    for tree in stage.session.trees.values():
        tree.barred = not tree.barred


def logging_in(stage):
    session = stage.session
    session.first_identity = session.first_identity or session.identity
    session.identity = None if session.identity else session.first_identity


CHANGES = (suspended, signing_required, encrypts, tree_encrypts, barred, logging_in)
ODD = (
    {"flags": PRIORITY},
    {"flags": DFS_OPERATIONS},
    {"flags": RELATED},
    {"flags": REPLAY},
    {"charge": 0},
    {"charge": 2},
    {"asked": 40},
    {"channel_sequence": 1},
    {"tree_id": 99},
    {"session_id": 99},
)
FIELDS = st.sampled_from([{}] * 6 + [*ODD])
REQUESTS = st.sampled_from(
    [CREATE, CREATE, QUERY_INFO, QUERY_INFO, CLOSE, CLOSE, SET_INFO, ECHO, FLUSH]
)
LAST = st.sampled_from([TREE_DISCONNECT, LOGOFF])
STEPS = st.lists(
    st.one_of(st.tuples(REQUESTS, FIELDS), st.tuples(REQUESTS, FIELDS), st.sampled_from(CHANGES)),
    min_size=3,
    max_size=14,
)


def body_of(command, file_id):
    return {
        CREATE: messages.create("file", access=0x12019F, disposition=FILE_OPEN),
        QUERY_INFO: messages.query_info(file_id, ALL),
        CLOSE: messages.close(file_id),
        SET_INFO: messages.set_info(file_id, DISPOSITION, b"\0"),
        FLUSH: messages.flush(file_id),
    }.get(command, messages.EMPTY)


async def play(disk, steps, last):
    """What the client gets, but for FileIds; and how the connection ends."""
    heard, file_id = [], bytes(16)
    async with a_stage(disk) as stage:
        stage.connection.window.grant(2000)
        for step in [*steps, (last, {}), (QUERY_INFO, {})]:
            if callable(step):
                step(stage)
                continue
            command, fields = step
            try:
                stage.ask(command, body_of(command, file_id), **fields)
            except ProtocolError as error:
                heard.append(str(error))
                break
            stage.engine.finish_all(None)
            for one in await stage.answers():
                raw = bytearray(one.raw)
                if one.command == CREATE and not one.status:
                    file_id = one.file_id
                    raw[128:144] = bytes(16)
                heard.append(bytes(raw))
        window = stage.connection.window
        heard.append((window.low, window.high))
    return heard


def check_alike(disk, steps, last):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Repeats, "learn", lambda *_: None)
        plainly = trio.run(play, disk, steps, last)
    assert trio.run(play, disk, steps, last) == plainly


USUAL = [(CREATE, {}), (QUERY_INFO, {}), (CLOSE, {})]


@pytest.mark.parametrize("what", [*CHANGES, *((QUERY_INFO, fields) for fields in ODD)])
@pytest.mark.parametrize("last", [TREE_DISCONNECT, LOGOFF])
def test_what_has_changed_since_counts(disk, what, last):
    steps = [*USUAL, (CREATE, {}), what, (QUERY_INFO, {}), (CLOSE, {}), *USUAL, what, *USUAL]
    check_alike(disk, steps, last)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STEPS, LAST)
def test_a_client_gets_the_same_bytes_with_forms_and_without(disk, steps, last):
    check_alike(disk, steps, last)
