"""READs that wait at a pipe, and the rights that a pipe was opened with."""

from contextlib import asynccontextmanager
from struct import pack

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.fsctl import Fsctl
from tests.commands.stage import on_stage
from tests.commands.story import OPEN
from tests.core import messages
from tests.core.messages import CANCEL, CLOSE, CREATE, IOCTL, QUERY_INFO, READ, WRITE

BIND = bytes.fromhex(
    "05000b03100000004800000001000000b810b810000000000100000000000100"
    "c84f324b7016d30112785a47bf6ee18803000000"
    "045d888aeb1cc9119fe808002b10486002000000"
)
BOTH = 0x0012019F


def call(number):
    """NetrRemoteTOD with a NULL name; its answer has the same call_id."""
    stub = pack("<IHH", 4, 0, 28) + bytes(4)
    return pack("<BBBBIHHI", 5, 0, 0, 3, 0x10, 16 + len(stub), 0, number) + stub


def call_id(answer):
    return int.from_bytes(answer.data[12:16], "little")


@asynccontextmanager
async def at_a_pipe(path, access=BOTH):
    """The stage, and the FileId of srvsvc, bound."""
    async with on_stage(path) as stage:
        tree = stage.session.connect(None, 0x1F01FF, encrypt=False)
        stage.peer.session.tree_id = tree.tree_id
        stage.ask(CREATE, messages.create("srvsvc", access=access, disposition=OPEN))
        opened = await stage.answer()
        assert opened.status == 0
        yield stage, opened.file_id


async def bind(stage, pipe):
    stage.ask(WRITE, messages.write(pipe, BIND))
    assert (await stage.answer()).status == 0
    stage.ask(READ, messages.read(pipe))
    assert (await stage.answer()).data[2] == 12


async def final(stage):
    """Answers that are no interim ones, by MessageId."""
    found = await stage.answers()
    return {one.message_id: one for one in found if one.status != NtStatus.PENDING}


async def test_reads_that_wait_each_get_a_message_in_their_order(tmp_path):
    async with at_a_pipe(tmp_path) as (stage, pipe):
        await bind(stage, pipe)
        reads = [stage.ask(READ, messages.read(pipe)) for _ in range(3)]
        assert await final(stage) == {}
        stage.ask(WRITE, messages.write(pipe, call(1)))
        found = await final(stage)
        assert call_id(found[reads[0]]) == 1
        assert reads[1] not in found
        stage.ask(WRITE, messages.write(pipe, call(2) + call(3)))
        found = await final(stage)
        assert [call_id(found[read]) for read in reads[1:]] == [2, 3]


async def test_a_read_behind_those_that_wait_takes_no_message_from_them(tmp_path):
    async with at_a_pipe(tmp_path) as (stage, pipe):
        await bind(stage, pipe)
        first = stage.ask(READ, messages.read(pipe))
        await stage.answers()
        write = stage.peer.request(WRITE, messages.write(pipe, call(1)))
        second = stage.peer.next_id
        stage.burst(write, stage.peer.request(READ, messages.read(pipe)))
        found = await final(stage)
        assert call_id(found[first]) == 1
        assert second not in found


async def test_a_close_answers_all_reads_that_wait(tmp_path):
    async with at_a_pipe(tmp_path) as (stage, pipe):
        await bind(stage, pipe)
        reads = [stage.ask(READ, messages.read(pipe)) for _ in range(5)]
        await stage.answers()
        stage.ask(CLOSE, messages.close(pipe))
        found = await final(stage)
        assert [found[read].status for read in reads] == [NtStatus.PIPE_BROKEN] * 5


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_a_read_that_is_cancelled_leaves_its_message_to_the_next(tmp_path, cancelled):
    async with at_a_pipe(tmp_path) as (stage, pipe):
        await bind(stage, pipe)
        reads = [stage.ask(READ, messages.read(pipe)) for _ in range(2)]
        await stage.answers()
        stage.ask(CANCEL, message_id=reads[cancelled])
        assert (await final(stage))[reads[cancelled]].status == NtStatus.CANCELLED
        stage.ask(WRITE, messages.write(pipe, call(1)))
        assert call_id((await final(stage))[reads[1 - cancelled]]) == 1


async def test_a_client_that_breaks_the_protocol_is_told_by_all_its_reads(tmp_path):
    async with at_a_pipe(tmp_path) as (stage, pipe):
        reads = [stage.ask(READ, messages.read(pipe)) for _ in range(3)]
        await stage.answers()
        stage.ask(WRITE, messages.write(pipe, bytes(16)))
        found = await final(stage)
        assert {found[read].status for read in reads} == {NtStatus.PIPE_DISCONNECTED}


READS, WRITES = Access.FILE_READ_DATA, Access.FILE_WRITE_DATA
OPERATIONS = {
    "READ": (READ, messages.read, lambda access: access & READS),
    "WRITE": (
        WRITE,
        lambda pipe: messages.write(pipe, BIND),
        lambda access: access & (WRITES | Access.FILE_APPEND_DATA),
    ),
    "TRANSCEIVE": (
        IOCTL,
        lambda pipe: messages.ioctl(pipe, Fsctl.PIPE_TRANSCEIVE, BIND),
        lambda access: access & READS and access & WRITES,
    ),
    "QUERY_INFO basic": (
        QUERY_INFO,
        lambda pipe: messages.query_info(pipe, 4),
        lambda access: access & Access.FILE_READ_ATTRIBUTES,
    ),
    "QUERY_INFO standard": (
        QUERY_INFO,
        lambda pipe: messages.query_info(pipe, 5),
        lambda _: True,
    ),
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_pipe_gives_what_it_was_opened_for(tmp_path, operation):
    command, body, allowed = OPERATIONS[operation]
    for access in (*(1 << bit for bit in (*range(9), *range(16, 21))), READS | WRITES):
        async with at_a_pipe(tmp_path, access) as (stage, pipe):
            asked = stage.ask(command, body(pipe))
            found = (await final(stage)).get(asked)  # a READ waits
            denied = found is not None and found.status == NtStatus.ACCESS_DENIED
            assert denied != bool(allowed(access)), hex(access)


async def test_pipes_are_counted_as_what_they_may_hold(tmp_path):
    async with at_a_pipe(tmp_path) as (stage, pipe):
        memory = stage.connection.memory
        memory.open(3 * memory.held)
        opened = []
        for _ in range(2):
            stage.ask(CREATE, messages.create("srvsvc", access=BOTH, disposition=OPEN))
            opened.append(await stage.answer())
        assert [one.status for one in opened] == [0, NtStatus.INSUFFICIENT_RESOURCES]
        for file_id in (pipe, opened[0].file_id):
            stage.ask(CLOSE, messages.close(file_id))
            assert (await stage.answer()).status == 0
        assert memory.held < 10_000


async def test_a_pipe_is_not_opened_for_nothing(tmp_path):
    async with at_a_pipe(tmp_path) as (stage, _pipe):
        for access in (0, 1 << 22):
            stage.ask(CREATE, messages.create("srvsvc", access=access, disposition=OPEN))
            assert (await stage.answer()).status == NtStatus.ACCESS_DENIED


@pytest.mark.parametrize("command", [READ, WRITE])
async def test_a_pipe_moves_no_more_than_its_client_pays_for(tmp_path, command):
    async with at_a_pipe(tmp_path) as (stage, pipe):
        too_long = 65537
        body = {
            READ: messages.read(pipe, length=too_long),
            WRITE: messages.write(pipe, bytes(too_long)),
        }
        stage.ask(command, body[command])
        assert (await stage.answer()).status == NtStatus.INVALID_PARAMETER


async def test_a_pipe_reads_no_more_than_was_negotiated_however_well_paid(tmp_path):
    async with at_a_pipe(tmp_path) as (stage, pipe):
        stage.ask(READ, messages.read(pipe, length=2 * 65536), charge=2)
        assert (await stage.answer()).status == NtStatus.INVALID_PARAMETER
