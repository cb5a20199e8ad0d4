"""Requests that wait for somebody else: their order, and CANCEL and CLOSE in the same burst."""

from struct import pack, unpack_from

import pytest

from smbd.ntstatus import NtStatus
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import (
    CANCEL,
    CHANGE_NOTIFY,
    CLOSE,
    EXCLUSIVE,
    FAIL_IMMEDIATELY,
    LOCK,
    UNLOCK,
)

A_FOLDER, LIST = 1, 0x81


def notify(file_id, *, wanted=0xFFF, tree=False, room=4096):
    return pack("<HHI16sII", 32, tree, room, file_id, wanted, 0)


def names(answer):
    """Of a CHANGE_NOTIFY response."""
    at, length = unpack_from("<HI", answer.raw, 66)
    found, events, step = [], answer.raw[at : at + length], bool(length)
    at = 0
    while step:
        step, _, length = unpack_from("<III", events, at)
        found.append(events[at + 12 : at + 12 + length].decode("utf-16-le"))
        at += step
    return found


async def a_held_lock(stage):
    """Two handles, of which the first has locked the first ten bytes."""
    holder, waiter = await stage.open("a"), await stage.open("a")
    stage.ask(LOCK, messages.lock(holder, (0, 10, EXCLUSIVE)))
    assert (await stage.answer()).status == 0
    return holder, waiter


async def a_waiting_request(stage, command):
    """The frame of a request that will wait."""
    if command == LOCK:
        _, waiter = await a_held_lock(stage)
        return stage.peer.request(LOCK, messages.lock(waiter, (0, 10, EXCLUSIVE)))
    folder = await stage.open("", options=A_FOLDER, access=LIST)
    return stage.peer.request(CHANGE_NOTIFY, notify(folder))


@pytest.mark.parametrize("command", [LOCK, CHANGE_NOTIFY])
async def test_a_cancel_in_the_same_burst_is_not_lost(tmp_path, mock_clock, command):
    async with on_stage(tmp_path) as stage:
        request = await a_waiting_request(stage, command)
        meant = stage.peer.next_id - 1
        stage.burst(request, stage.peer.request(CANCEL, message_id=meant))
        answer = await stage.answer()
        assert (answer.command, answer.status) == (command, NtStatus.CANCELLED)


async def test_a_cancelled_lock_is_not_held_though_it_came_free_at_that_moment(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        holder, waiter = await a_held_lock(stage)
        stage.ask(LOCK, messages.lock(waiter, (0, 10, EXCLUSIVE)))
        assert await stage.answers() == []
        meant = stage.peer.next_id - 1
        stage.burst(
            stage.peer.request(CANCEL, message_id=meant),
            stage.peer.request(LOCK, messages.lock(holder, (0, 10, UNLOCK))),
        )
        unlocked, cancelled = await stage.answers()
        assert (unlocked.status, cancelled.status) == (0, NtStatus.CANCELLED)
        stage.ask(LOCK, messages.lock(holder, (0, 10, EXCLUSIVE | FAIL_IMMEDIATELY)))
        assert (await stage.answer()).status == 0


async def test_locks_are_granted_in_the_order_in_which_they_were_asked_for(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        holder, _ = await a_held_lock(stage)
        waiters = [await stage.open("a") for _ in range(5)]
        wanted = [messages.lock(one, (0, 10, EXCLUSIVE)) for one in waiters]
        stage.burst(*[stage.peer.request(LOCK, one) for one in wanted])
        first = stage.peer.next_id - 5
        assert await stage.answers() == []
        for number, file_id in enumerate([holder, *waiters[:-1]]):
            stage.ask(LOCK, messages.lock(file_id, (0, 10, UNLOCK)))
            _, granted = await stage.answers()
            assert (granted.message_id, granted.status) == (first + number, 0)


async def test_watchers_of_one_handle_are_answered_in_their_order(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        folder = await stage.open("", options=A_FOLDER, access=LIST)
        stage.burst(*[stage.peer.request(CHANGE_NOTIFY, notify(folder)) for _ in range(3)])
        first = stage.peer.next_id - 3
        for number in range(3):
            stage.ask(messages.CREATE, messages.create(f"file {number}"))
            answered = {one.command: one for one in await stage.answers()}
            assert answered[CHANGE_NOTIFY].message_id == first + number
            assert names(answered[CHANGE_NOTIFY]) == [f"file {number}"]


async def test_a_watcher_hears_of_what_came_behind_it_in_the_same_burst(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        folder = await stage.open("", options=A_FOLDER, access=LIST)
        stage.burst(
            stage.peer.request(CHANGE_NOTIFY, notify(folder)),
            stage.peer.request(messages.CREATE, messages.create("a")),
        )
        answered = {one.command: one for one in await stage.answers()}
        assert names(answered[CHANGE_NOTIFY]) == ["a"]


async def test_a_close_in_the_same_burst_ends_the_watch(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        folder = await stage.open("", options=A_FOLDER, access=LIST)
        stage.burst(
            stage.peer.request(CHANGE_NOTIFY, notify(folder)),
            stage.peer.request(CLOSE, messages.close(folder)),
        )
        answered = {one.command: one.status for one in await stage.answers()}
        assert answered == {CLOSE: 0, CHANGE_NOTIFY: NtStatus.NOTIFY_CLEANUP}


async def test_a_request_too_many_leaves_nobody_in_the_queue(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        holder, waiter = await a_held_lock(stage)
        folder = await stage.open("", options=A_FOLDER, access=LIST)
        stage.dispatch._most_in_work = 1
        stage.ask(CHANGE_NOTIFY, notify(folder))
        assert await stage.answers() == []

        stage.ask(LOCK, messages.lock(waiter, (0, 10, EXCLUSIVE)))
        assert (await stage.answer()).status == NtStatus.INSUFFICIENT_RESOURCES
        stage.ask(CHANGE_NOTIFY, notify(folder))
        assert (await stage.answer()).status == NtStatus.INSUFFICIENT_RESOURCES

        stage.ask(LOCK, messages.lock(holder, (0, 10, UNLOCK)))
        assert (await stage.answer()).status == 0
        stage.ask(LOCK, messages.lock(holder, (0, 10, EXCLUSIVE | FAIL_IMMEDIATELY)))
        assert (await stage.answer()).status == 0
        assert [len(one.notify.waits) for one in stage.service.tables.opens if one.notify] == [1]


async def test_a_folder_that_is_watched_in_too_many_ways_refuses_one_more_and_all_can_close(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        folders = [await stage.open("", options=A_FOLDER, access=LIST) for _ in range(66)]
        statuses = []
        for wanted, folder in enumerate(folders, 1):
            stage.ask(CHANGE_NOTIFY, notify(folder, wanted=wanted))
            statuses += [one.status for one in await stage.answers()]
        assert statuses == [NtStatus.INSUFFICIENT_RESOURCES] * 2
        for folder in folders:
            stage.ask(CLOSE, messages.close(folder))
        closed = [one.status for one in await stage.answers() if one.command == CLOSE]
        assert closed == [0] * 66
