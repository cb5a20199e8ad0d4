"""LOGOFF, TREE_DISCONNECT and CLOSE at the same time: each end comes once, and leaves nothing."""

from struct import pack

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from smbd.closing import end_open
from smbd.ntstatus import NtStatus
from smbd.state import Durability
from smbd.teardown import end_session
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import (
    CANCEL,
    CLOSE,
    CREATE,
    DELETE_ON_CLOSE,
    LOGOFF,
    TREE_DISCONNECT,
)

DOOMED = ("a", "b", "c", "d")


def names(folder):
    return sorted(one.name for one in folder.iterdir())


async def open_doomed(stage):
    return [await stage.open(name, options=DELETE_ON_CLOSE) for name in DOOMED]


@pytest.mark.parametrize("command", [LOGOFF, TREE_DISCONNECT])
async def test_an_end_in_one_burst_with_closes_that_delete_closes_everything_once(
    tmp_path, mock_clock, command
):
    async with on_stage(tmp_path) as stage:
        file_ids = await open_doomed(stage)
        await stage.open("kept")
        closes = [stage.peer.request(CLOSE, messages.close(one)) for one in file_ids[1:]]
        stage.burst(stage.peer.request(command), *closes)
        told = {one.status for one in await stage.answers()}
        assert told <= {0, NtStatus.FILE_CLOSED}
        assert not stage.session.opens
        assert not stage.fds
        assert names(tmp_path) == ["kept"]


async def test_two_ends_of_one_session_at_once_close_each_file_once(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        await open_doomed(stage)
        stage.calls.holding = True
        stage.ask(LOGOFF)
        async with trio.open_nursery() as nursery:  # as `smbd disconnect` does
            nursery.start_soon(end_session, stage.service, stage.session)
            await wait_all_tasks_blocked()
            stage.calls.holding = False
            for call in stage.calls.held:
                call.finish()
        assert {one.status for one in await stage.answers()} <= {0, NtStatus.PENDING}
        assert names(tmp_path) == []


@pytest.mark.parametrize("command", [LOGOFF, TREE_DISCONNECT])
async def test_an_end_that_is_cancelled_half_way_is_made_to_its_end(tmp_path, mock_clock, command):
    async with on_stage(tmp_path) as stage:
        await open_doomed(stage)
        stage.calls.holding = True
        ended = stage.ask(command)
        await stage.answers()
        stage.ask(CANCEL, message_id=ended)
        stage.calls.holding = False
        stage.calls.held[0].finish()
        assert not [one for one in await stage.answers() if one.status]
        assert not stage.fds
        assert names(tmp_path) == []


async def test_an_end_whose_task_is_cancelled_is_made_to_its_end(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        await open_doomed(stage)
        stage.calls.holding = True
        async with trio.open_nursery() as nursery:  # as the loss of the connection does
            nursery.start_soon(end_session, stage.service, stage.session)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            stage.calls.holding = False
            stage.calls.held[0].finish()
        assert not stage.fds
        assert names(tmp_path) == []


async def test_a_second_close_of_an_open_does_nothing(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        await stage.open("a", options=DELETE_ON_CLOSE)
        [open_] = stage.service.tables.opens
        await end_open(stage.service, open_)
        await stage.open("a")
        await end_open(stage.service, open_)
        assert len(stage.fds) == 1
        assert names(tmp_path) == ["a"]


def park(stage, opened):
    opened.durable = Durability(stage.session.identity, 60.0, persistent=True)
    assert stage.service.tables.park(opened, 0.0)


async def test_a_parked_open_outlives_its_session_and_is_closed_without_one(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        await stage.open("a", options=DELETE_ON_CLOSE)
        await stage.open("kept")
        parked, _ = stage.service.tables.opens
        park(stage, parked)
        stage.ask(LOGOFF)
        assert (await stage.answer()).status == 0
        assert stage.fds == [parked.file.fd]
        assert names(tmp_path) == ["a", "kept"]
        await end_open(stage.service, parked)
        assert not stage.fds
        assert not stage.engine.attached
        assert names(tmp_path) == ["kept"]


async def test_a_parked_open_serves_the_session_that_it_is_given_to(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        before = await stage.open("a")
        [opened] = stage.service.tables.opens
        [tree] = stage.session.trees.values()
        park(stage, opened)
        stage.ask(CLOSE, messages.close(before))
        assert (await stage.answer()).status == NtStatus.FILE_CLOSED
        stage.service.tables.rehome(opened, tree)
        stage.ask(CLOSE, messages.close(before))
        assert (await stage.answer()).status == NtStatus.FILE_CLOSED, "its volatile id is another"
        now = pack("<QQ", opened.persistent_id, opened.volatile_id)
        stage.ask(CLOSE, messages.close(now))
        assert (await stage.answer()).status == 0


async def test_share_modes_and_locks_are_free_before_the_first_file_is_deleted(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        await open_doomed(stage)
        await stage.open("kept", share=0)
        stage.calls.holding = True
        stage.ask(LOGOFF)
        await stage.answers()
        assert len(stage.calls.held) == 1
        assert not stage.fds
        stage.calls.holding = False
        stage.calls.held[0].finish()
        await stage.answers()
        assert names(tmp_path) == ["kept"]


async def test_a_close_that_fails_leaves_none_of_the_others(
    tmp_path, mock_clock, monkeypatch, caplog
):
    async with on_stage(tmp_path) as stage:
        await open_doomed(stage)
        removed = stage.service.tables.notify.removed
        failed = []

        def failing(file):
            if not failed:
                failed.append(file)
                raise RuntimeError("our bug")
            removed(file)

        monkeypatch.setattr(
            type(stage.service.tables.notify), "removed", lambda _, file: failing(file)
        )
        stage.ask(LOGOFF)
        assert (await stage.answer()).status == 0
        assert not stage.fds
        assert names(tmp_path) == []
        assert "our bug" in caplog.text


async def test_a_folder_goes_after_the_files_in_it(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        await stage.open("folder", options=DELETE_ON_CLOSE | 1)
        await stage.open("folder\\file", options=DELETE_ON_CLOSE)
        stage.ask(LOGOFF)
        await stage.answers()
        assert names(tmp_path) == []


@pytest.mark.parametrize("command", [LOGOFF, TREE_DISCONNECT])
async def test_a_create_that_is_in_a_worker_when_the_end_comes_opens_nothing(
    tmp_path, mock_clock, command
):
    async with on_stage(tmp_path) as stage:
        stage.calls.holding = True
        stage.ask(CREATE, messages.create("late"))
        await wait_all_tasks_blocked()
        stage.calls.holding = False
        stage.ask(command)
        await wait_all_tasks_blocked()
        stage.calls.held[0].finish()
        told = {one.command: one.status for one in await stage.answers()}
        gone = {
            LOGOFF: NtStatus.USER_SESSION_DELETED,
            TREE_DISCONNECT: NtStatus.NETWORK_NAME_DELETED,
        }
        assert told == {command: 0, CREATE: gone[command]}
        assert not stage.fds


class NoWalk(dict):
    def __iter__(self):
        raise AssertionError("a walk")

    keys = values = items = __iter__


async def test_the_end_of_a_tree_looks_at_no_open_of_another(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        for number in range(5):
            await stage.open(f"kept {number}")
        [first] = stage.session.trees.values()
        other = stage.session.connect(stage.share, 0x1F01FF, encrypt=False, root=first.root)
        stage.peer.session.tree_id = other.tree_id
        await stage.open("other")
        stage.session.opens = guarded = NoWalk(stage.session.opens)
        stage.ask(TREE_DISCONNECT)
        assert (await stage.answer()).status == 0
        assert len(guarded) == len(stage.service.tables.opens) == 5
        stage.session.opens = {one.volatile_id: one for one in stage.service.tables.opens}
