"""close(2) that may wait for a disk is a worker's: the event loop goes on meanwhile."""

import errno
import os
from types import SimpleNamespace

import pytest
from trio.testing import wait_all_tasks_blocked

from smbd import closing
from smbd.ntstatus import NtStatus
from smbd.vfs import root
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CANCEL, CLOSE, DELETE_ON_CLOSE, ECHO, LOGOFF, READ
from tests.scripted import PENDING

READING = 0x120089


async def known(stage):
    """The kind of file system is known after one close there."""
    file_id = await stage.open("known")
    stage.ask(CLOSE, messages.close(file_id))
    assert (await stage.answer()).status == 0


def held(stage):
    return [call.name for call in stage.calls.held]


async def final(stage):
    return [one for one in await stage.answers() if one.status != PENDING]


async def test_the_close_of_a_file_that_was_only_read_is_answered_in_its_burst(
    tmp_path, mock_clock
):
    (tmp_path / "a").write_bytes(b"data")
    async with on_stage(tmp_path) as stage:
        await known(stage)
        file_id = await stage.open("a", access=READING)
        stage.calls.holding = True
        stage.ask(CLOSE, messages.close(file_id))
        assert len(stage.wire.frames) == 1
        assert (await stage.answer()).status == 0


@pytest.mark.parametrize("access", [0x12019F, 0x100180])
async def test_the_close_of_a_file_that_may_have_been_written_waits_in_a_worker(
    tmp_path, mock_clock, access
):
    async with on_stage(tmp_path) as stage:
        await known(stage)
        writing = await stage.open("a")
        file_id = await stage.open("a", access=access)
        stage.calls.holding = True
        stage.ask(CLOSE, messages.close(file_id))
        stage.ask(CLOSE, messages.close(writing))
        stage.ask(ECHO)
        assert [one.command for one in await final(stage)] == [ECHO]
        assert held(stage) == ["_close_file"] * 2
        assert not stage.fds
        for call in stage.calls.held:
            call.finish()
        assert [one.status for one in await final(stage)] == [0, 0]


async def test_the_close_of_a_file_that_somebody_else_has_removed_waits_in_a_worker(
    tmp_path, mock_clock
):
    (tmp_path / "a").write_bytes(b"data")
    async with on_stage(tmp_path) as stage:
        await known(stage)
        file_id = await stage.open("a", access=READING)
        (tmp_path / "a").unlink()
        stage.calls.holding = True
        stage.ask(CLOSE, messages.close(file_id))
        assert await final(stage) == []
        assert held(stage) == ["_close_file"]
        stage.calls.held[0].finish()
        assert [one.status for one in await final(stage)] == [0]


async def test_a_read_in_flight_that_is_the_last_user_closes_in_a_worker(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        await known(stage)
        file_id = await stage.open("a")
        stage.ask(READ, messages.read(file_id))
        await stage.answers()
        stage.calls.holding = True
        stage.ask(CLOSE, messages.close(file_id))
        assert [one.command for one in await final(stage)] == [CLOSE]
        assert held(stage) == []
        stage.engine.held[0].finish(b"data")
        await wait_all_tasks_blocked()
        assert held(stage) == ["_close_file"]
        stage.calls.held[0].finish()
        assert [one.data for one in await final(stage)] == [b"data"]


async def test_a_logoff_frees_all_names_before_the_first_worker_closes(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        await known(stage)
        await stage.open("a", share=0)
        await stage.open("b", share=0, options=DELETE_ON_CLOSE)
        await stage.open("c", share=0)
        stage.calls.holding = True
        stage.ask(LOGOFF)
        assert await final(stage) == []
        assert held(stage) == ["delete"]
        assert not stage.fds
        stage.calls.holding = False
        stage.calls.held[0].finish()
        assert [one.status for one in await final(stage)] == [0]


async def test_what_close_fails_with_is_told_to_the_client(tmp_path, mock_clock, monkeypatch):
    def full(fd):
        os.fstat(fd)
        real(fd)
        raise OSError(errno.ENOSPC, "No space left on device")

    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        real = os.close
        with monkeypatch.context() as patched:
            patched.setattr(root.os, "close", full)
            stage.ask(CLOSE, messages.close(file_id))
            assert (await stage.answer()).status == NtStatus.DISK_FULL
        stage.ask(CLOSE, messages.close(file_id))
        assert (await stage.answer()).status == NtStatus.FILE_CLOSED


async def test_a_cancel_comes_too_late_once_a_worker_closes(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.calls.holding = True
        closing = stage.ask(CLOSE, messages.close(file_id))
        assert await final(stage) == []
        stage.ask(CANCEL, message_id=closing)
        [call] = stage.calls.held
        call.finish()
        assert [one.status for one in await final(stage)] == [0]


async def test_a_close_that_fails_after_its_answer_is_told_to_the_operator(monkeypatch, caplog):
    async def failing(_open):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(closing, "close_descriptor", failing)
    one = SimpleNamespace(share=SimpleNamespace(name="share"), file=SimpleNamespace(path="a"))
    await closing.close_unused(one)
    [told] = caplog.records
    assert (told.event, told.share) == ("close failed", "share")
    assert told.message == "share: a: while it was closed: Input/output error"
