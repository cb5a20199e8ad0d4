"""The client that is busy alone does not go ahead of the others, however quickly it asks."""

from functools import partial

import trio

from smbd.wire.change_notify import CompletionFilter, FileAction
from tests.core import messages
from tests.core.messages import CHANGE_NOTIFY, QUERY_INFO, SET_INFO
from tests.scripted import connected, frames
from tests.server.quick import QuickClient, busy_alone, send, standing_by

BASIC = 4
HIDDEN = bytes(32) + b"\2\0\0\0" + bytes(4)


async def test_a_watch_that_came_ahead_of_a_quick_client_is_told_of_its_changes(
    folder, monkeypatch
):
    monkeypatch.setattr("smbd.vfs.at_once.AtOnce.admits", lambda *_: True)  # whatever is going on
    (folder / "file").write_bytes(b"")
    async with (
        standing_by(folder) as (server, meanwhile),
        connected(server) as watcher,
        connected(server) as quick,
    ):
        for one in (watcher, quick):
            await one.connect()
        watch = frames.change_notify(
            await watcher.open("", options=1), completion_filter=CompletionFilter.ATTRIBUTES
        )
        file = await quick.open("file")
        look = QUERY_INFO, messages.query_info(file, BASIC)
        hide = SET_INFO, messages.set_info(file, BASIC, HIDDEN)
        await busy_alone(quick, *look)
        client = QuickClient(server, quick, *[[look]] * 4, [hide])
        meanwhile.acts += [partial(send, watcher, (CHANGE_NOTIFY, watch)), client.ask]
        with trio.fail_after(240):
            told = await watcher.answer()
            await client.done.wait()
        assert frames.changed(told) == [(FileAction.MODIFIED, "file")]
        assert client.statuses == [0] * 5


async def test_a_quick_client_is_answered_without_its_task_while_it_is_alone(folder):
    async with standing_by(folder) as (server, meanwhile), connected(server) as connection:
        await connection.connect()
        look = QUERY_INFO, messages.query_info(await connection.open("", options=1), BASIC)
        await busy_alone(connection, *look)
        client = QuickClient(server, connection, *[[look]] * 20)
        answer, answered = client.transport.answer_promptly, []
        client.transport.answer_promptly = lambda: answered.append(answer()) or answered[-1]
        meanwhile.acts.append(client.ask)
        with trio.fail_after(240):
            await client.done.wait()
        assert client.statuses == [0] * 20
        assert answered == [True] * 20
