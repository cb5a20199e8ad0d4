"""A request that begins to wait for others in the middle of its work: a CREATE behind a break."""

import pytest
import trio

from smbd.commands import TABLE, Handler
from smbd.interims import FOR_FILES_AFTER, FOR_OTHERS_AFTER
from smbd.memory import REQUEST, TASK
from smbd.ntstatus import NtStatus
from smbd.request import Reply
from smbd.state import Wait
from smbd.waiting import until
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import ASYNC, CANCEL, CREATE, ECHO, EMPTY, FLUSH

# A CREATE can be cancelled while it works, and told to wait in the middle of a compound; a FLUSH
# neither.
BOTH = pytest.mark.parametrize("command", [CREATE, FLUSH])


@pytest.fixture
def begins_to_wait(tmp_path, mock_clock, monkeypatch):
    """Let both work for a moment and then wait; what they wait for, in their order."""
    waits = []

    async def run(request):
        await trio.lowlevel.checkpoint()
        waits.append(Wait())
        await until(request.waits_for(waits[-1]))
        return Reply(EMPTY)

    def from_now_on():
        for command in (CREATE, FLUSH):
            monkeypatch.setitem(TABLE, command, Handler(lambda _: None, run))
        return waits

    return from_now_on


async def bodies(stage):
    return {CREATE: messages.create("b"), FLUSH: messages.flush(await stage.open("a"))}


@BOTH
async def test_its_client_hears_soon_that_it_waits(tmp_path, mock_clock, begins_to_wait, command):
    async with on_stage(tmp_path) as stage:
        body, waits = (await bodies(stage))[command], begins_to_wait()
        stage.ask(command, body)
        assert await stage.answers() == []
        mock_clock.jump(FOR_OTHERS_AFTER)
        assert (await stage.answer()).status == NtStatus.PENDING
        mock_clock.jump(35)
        assert await stage.answers() == []
        waits[0].end()
        answer = await stage.answer()
        assert (answer.status, answer.flags & ASYNC) == (0, ASYNC)


@BOTH
async def test_a_cancel_ends_the_wait_of_whatever_it_means(
    tmp_path, mock_clock, begins_to_wait, command
):
    async with on_stage(tmp_path) as stage:
        body, waits = (await bodies(stage))[command], begins_to_wait()
        message_id = stage.ask(command, body)
        assert await stage.answers() == []
        stage.ask(CANCEL, message_id=message_id)
        assert (await stage.answer()).status == NtStatus.CANCELLED
        assert waits[0].over


@BOTH
async def test_the_end_of_the_server_ends_the_wait_begun_or_to_come(
    tmp_path, mock_clock, begins_to_wait, command
):
    async with on_stage(tmp_path) as stage:
        body, _ = (await bodies(stage))[command], begins_to_wait()
        stage.ask(command, body)
        assert await stage.answers() == []
        stage.ask(command, body)
        with trio.fail_after(1):
            await stage.dispatch.finish()
        assert [one.status for one in await stage.answers()] == [NtStatus.CANCELLED] * 2


async def test_it_keeps_nothing_from_being_read_that_it_may_wait_for(
    tmp_path, mock_clock, begins_to_wait
):
    async with on_stage(tmp_path) as stage:
        body, waits = (await bodies(stage))[CREATE], begins_to_wait()
        held = stage.connection.memory.held
        stage.ask(CREATE, body)
        assert stage.wire.in_work > TASK
        await stage.answers()
        assert stage.wire.in_work == 0
        assert stage.connection.memory.held > held + TASK
        waits[0].end()
        await stage.answers()
        assert stage.connection.memory.held == held


async def test_where_the_client_holds_too_much_it_is_refused(tmp_path, mock_clock, begins_to_wait):
    async with on_stage(tmp_path) as stage:
        body, memory = (await bodies(stage))[CREATE], stage.connection.memory
        begins_to_wait()
        stage.ask(CREATE, body)
        while memory.has_room(TASK + REQUEST):
            memory.add(TASK)
        assert (await stage.answer()).status == NtStatus.INSUFFICIENT_RESOURCES
        assert stage.wire.in_work == 0


async def test_a_create_may_be_told_to_wait_in_the_middle_of_a_compound(
    tmp_path, mock_clock, begins_to_wait
):
    async with on_stage(tmp_path) as stage:
        wanted, waits = await bodies(stage), begins_to_wait()
        stage.burst(stage.peer.compound((ECHO, EMPTY), (CREATE, wanted[CREATE]), (ECHO, EMPTY)))
        assert await stage.answers() == []
        mock_clock.jump(FOR_OTHERS_AFTER)
        told = await stage.answers()
        assert [(one.command, one.status) for one in told] == [
            (ECHO, 0),
            (CREATE, NtStatus.PENDING),
        ]
        waits[0].end()
        assert [(one.command, one.status) for one in await stage.answers()] == [
            (CREATE, 0),
            (ECHO, 0),
        ]


async def test_any_other_is_told_so_only_where_it_is_the_last(tmp_path, mock_clock, begins_to_wait):
    async with on_stage(tmp_path) as stage:
        wanted, waits = await bodies(stage), begins_to_wait()
        stage.burst(stage.peer.compound((FLUSH, wanted[FLUSH]), (ECHO, EMPTY)))
        assert await stage.answers() == []
        mock_clock.jump(FOR_OTHERS_AFTER + FOR_FILES_AFTER)
        assert await stage.answers() == []
        waits[0].end()
        assert [one.command for one in await stage.answers()] == [FLUSH, ECHO]


async def test_one_that_waits_again_is_told_once(tmp_path, mock_clock, begins_to_wait, monkeypatch):
    async with on_stage(tmp_path) as stage:
        body, waits = (await bodies(stage))[CREATE], begins_to_wait()
        once = TABLE[CREATE].run

        async def run_twice(request):
            await once(request)
            return await once(request)

        monkeypatch.setitem(TABLE, CREATE, Handler(lambda _: None, run_twice))
        stage.ask(CREATE, body)
        await stage.answers()
        mock_clock.jump(FOR_OTHERS_AFTER)
        assert (await stage.answer()).status == NtStatus.PENDING
        waits[0].end()
        await stage.answers()
        mock_clock.jump(FOR_OTHERS_AFTER)
        assert await stage.answers() == []
        waits[1].end()
        assert (await stage.answer()).status == 0
