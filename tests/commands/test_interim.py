"""Requests that take long: the interim response, and CANCEL."""

from itertools import pairwise
from struct import pack

import pytest
import trio
import trio.testing

from smbd.commands.reply import NO_REPLY
from smbd.interims import FOR_FILES_AFTER, FOR_OTHERS_AFTER, Interims
from smbd.ntstatus import NtStatus
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import (
    ASYNC,
    CANCEL,
    CLOSE,
    ECHO,
    LOCK,
    READ,
    SET_INFO,
    TREE_DISCONNECT,
    WRITE,
)

WHOLE = (0, 100, messages.EXCLUSIVE)


async def test_a_read_that_ends_in_time_gets_one_plain_response(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(READ, messages.read(file_id), asked=5)
        await stage.answers()
        mock_clock.jump(FOR_FILES_AFTER * 0.9)
        stage.engine.held[0].finish(b"data")
        answer = await stage.answer()
        assert (answer.data, answer.flags & ASYNC, answer.granted) == (b"data", 0, 5)
        mock_clock.jump(1)
        assert await stage.answers() == []


async def test_a_tree_connect_that_takes_long_has_its_tree_id_in_the_answer(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.calls.holding = True
        stage.burst(stage.peer.tree_connect("share"))
        assert await stage.answers() == []
        mock_clock.jump(FOR_OTHERS_AFTER + FOR_FILES_AFTER)
        assert await stage.answers() == []
        stage.calls.held[-1].finish()
        answer = await stage.answer()
        assert (answer.status, answer.flags & ASYNC) == (0, 0)
        assert answer.tree_id in stage.session.trees


async def test_a_read_that_takes_longer_gets_an_interim_response_with_its_credits(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        message_id = stage.ask(READ, messages.read(file_id), asked=5)
        assert await stage.answers() == []

        mock_clock.jump(FOR_FILES_AFTER)
        interim = await stage.answer()
        assert (interim.status, interim.command) == (NtStatus.PENDING, READ)
        assert (interim.message_id, interim.granted) == (message_id, 5)
        assert interim.flags & ASYNC
        assert interim.async_id != 0

        stage.engine.held[0].finish(b"data")
        final = await stage.answer()
        assert (final.status, final.data) == (0, b"data")
        assert (final.message_id, final.async_id) == (message_id, interim.async_id)
        assert final.granted == 0, "the interim response gave the credits already"


async def test_work_on_a_file_gets_none_for_longer_than_a_disk_takes(tmp_path, mock_clock):
    """go-smb2 takes an interim response for a forgery where signing is required."""
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(READ, messages.read(file_id))
        await stage.answers()
        mock_clock.jump(0.1)
        assert await stage.answers() == []
        stage.engine.held[0].finish(b"data")
        assert (await stage.answer()).data == b"data"


async def test_a_lock_that_waits_is_told_of_at_once_also_behind_a_slow_read(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        holder, waiter = await stage.open("a"), await stage.open("a")
        stage.ask(LOCK, messages.lock(holder, WHOLE))
        await stage.answers()
        stage.ask(READ, messages.read(holder))
        stage.ask(LOCK, messages.lock(waiter, WHOLE))
        await stage.answers()
        mock_clock.jump(FOR_OTHERS_AFTER)
        interim = await stage.answer()
        assert (interim.command, interim.status) == (LOCK, NtStatus.PENDING)
        mock_clock.jump(FOR_FILES_AFTER)
        assert (await stage.answer()).command == READ


async def test_each_of_several_slow_requests_gets_an_async_id_of_its_own(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        wanted = [stage.ask(READ, messages.read(file_id)) for _ in range(3)]
        await stage.answers()
        mock_clock.jump(FOR_FILES_AFTER / 2)
        wanted.append(stage.ask(READ, messages.read(file_id)))
        await stage.answers()
        mock_clock.jump(FOR_FILES_AFTER / 2)
        first_three = await stage.answers()
        assert {one.message_id for one in first_three} == set(wanted[:3])
        mock_clock.jump(FOR_FILES_AFTER)
        fourth = await stage.answer()
        assert fourth.message_id == wanted[3]
        assert len({one.async_id for one in [*first_three, fourth]}) == 4


async def test_nothing_but_the_interim_response_comes_while_a_request_waits(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(READ, messages.read(file_id))
        await stage.answers()
        mock_clock.jump(FOR_FILES_AFTER)
        assert (await stage.answer()).status == NtStatus.PENDING
        mock_clock.jump(3600)
        assert await stage.answers() == []


async def test_cancel_finds_a_request_by_its_async_id(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(READ, messages.read(file_id))
        await stage.answers()
        mock_clock.jump(FOR_FILES_AFTER)
        interim = await stage.answer()

        stage.ask(CANCEL, flags=ASYNC, async_id=interim.async_id, message_id=0)
        assert await stage.answers() == [], "a read cannot be called back from its buffer"
        stage.engine.held[0].finish(b"too late")
        final = await stage.answer()
        assert final.status == NtStatus.CANCELLED
        assert final.async_id == interim.async_id
        assert not stage.connection.request_list.pending


async def test_cancel_finds_a_request_by_its_message_id(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        message_id = stage.ask(READ, messages.read(file_id))
        other_id = stage.ask(READ, messages.read(file_id))
        await stage.answers()
        stage.ask(CANCEL, message_id=message_id)
        for operation in stage.engine.held:
            operation.finish(b"data")
        by_id = {one.message_id: one for one in await stage.answers()}
        assert by_id[message_id].status == NtStatus.CANCELLED
        assert not by_id[message_id].flags & ASYNC
        assert by_id[other_id].status == 0


async def all_done(stage):
    """The answers once every call of a worker or the engine has been let go."""
    answers = await stage.answers()
    while waiting := [one for one in (*stage.calls.held, *stage.engine.held) if not one.done]:
        waiting[0].finish()
        answers += await stage.answers()
    return answers


NEW_NAME = pack("<B7xQI", 0, 0, 2) + "b".encode("utf-16-le")


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (SET_INFO, lambda file_id: messages.set_info(file_id, 20, pack("<q", 5))),
        (SET_INFO, lambda file_id: messages.set_info(file_id, 10, NEW_NAME)),
        (WRITE, lambda file_id: messages.write(file_id, b"data", flags=1)),
        (CLOSE, messages.close),
    ],
    ids=["truncation", "rename", "write-through", "deletion"],
)
async def test_cancelled_is_not_said_of_what_is_done_all_the_same(
    tmp_path, mock_clock, command, body
):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a", options=messages.DELETE_ON_CLOSE)
        stage.calls.holding = True
        message_id = stage.ask(command, body(file_id))
        await stage.answers()
        stage.ask(CANCEL, message_id=message_id)
        assert [one.status for one in await all_done(stage)] == [0]
        stage.calls.holding = False


async def test_cancel_spends_no_message_id_and_gets_no_response(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        before = stage.connection.window.available
        for message_id in (0, 5, 2**64 - 1):
            stage.ask(CANCEL, message_id=message_id)
            stage.ask(CANCEL, flags=ASYNC, async_id=77, message_id=message_id)
        assert await stage.answers() == []
        assert stage.connection.window.available == before
        assert NO_REPLY.status == 0
        stage.ask(ECHO)
        assert (await stage.answer()).command == ECHO


async def test_cancel_in_a_compound_leaves_no_gap_in_the_answers(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        cancel = (CANCEL, messages.EMPTY, {"message_id": 1})
        stage.burst(stage.peer.compound(cancel, (ECHO, messages.EMPTY), cancel))
        assert (await stage.answer()).command == ECHO


async def test_a_cancel_that_is_refused_gets_no_response_either(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.ask(CANCEL, flags=messages.RELATED, message_id=1)
        assert await stage.answers() == []


async def test_cancel_ends_a_lock_that_waits_and_leaves_nothing_of_it(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        holder, waiter = await stage.open("a"), await stage.open("a")
        stage.ask(LOCK, messages.lock(holder, WHOLE))
        assert (await stage.answer()).status == 0
        locks = next(iter(stage.service.tables.opens)).locks
        for _ in range(10):
            stage.ask(LOCK, messages.lock(waiter, WHOLE))
            await stage.answers()
            mock_clock.jump(FOR_OTHERS_AFTER)
            interim = await stage.answer()
            stage.ask(CANCEL, flags=ASYNC, async_id=interim.async_id)
            assert (await stage.answer()).status == NtStatus.CANCELLED
        assert locks.held == 1
        assert not locks.waits, "who has gone is not to be woken"


async def test_the_end_of_a_tree_ends_a_lock_that_waits(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        holder, waiter = await stage.open("a"), await stage.open("a")
        stage.ask(LOCK, messages.lock(holder, WHOLE))
        stage.ask(LOCK, messages.lock(waiter, WHOLE))
        assert len(await stage.answers()) == 1
        stage.ask(TREE_DISCONNECT)
        by_command = {one.command: one for one in await stage.answers()}
        assert by_command[TREE_DISCONNECT].status == 0
        # Which of the two closes first decides whether the lock is granted before it dies.
        assert by_command[LOCK].status in {0, NtStatus.RANGE_NOT_LOCKED}
        assert not list(stage.service.tables.opens)


class Teller:
    """The place of a dispatch: it writes down which requests were told of."""

    def __init__(self):
        self.told = []

    def tell(self, request, _answers):
        self.told.append(request)


async def test_of_many_that_are_due_together_some_are_told_of_in_a_turn_of_the_loop(mock_clock):
    teller = Teller()
    turns = []
    async with trio.open_nursery() as nursery:
        interims = Interims(teller.tell, nursery.start_soon)
        for number in range(1000):
            interims.begin(number, [], for_others=True)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(FOR_OTHERS_AFTER)
        while len(teller.told) < 1000:
            turns.append(len(teller.told))
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    turns.append(1000)
    assert max(later - earlier for earlier, later in pairwise(turns)) <= 128
    assert teller.told == list(range(1000))


async def test_no_task_waits_for_the_requests_of_a_connection_that_has_none(autojump_clock):
    teller = Teller()
    async with trio.open_nursery() as nursery:
        interims = Interims(teller.tell, nursery.start_soon)
        assert not nursery.child_tasks
        for number in range(2):
            interims.begin(number, [], for_others=True)
        assert len(nursery.child_tasks) == 1
        await trio.sleep(1)
        assert teller.told == [0, 1]
        interims.begin(2, [], for_others=False)
        interims.end(2)
        await trio.sleep(60)
        assert not nursery.child_tasks
        interims.begin(3, [], for_others=False)
        await trio.sleep(1)
        assert teller.told == [0, 1, 3]
