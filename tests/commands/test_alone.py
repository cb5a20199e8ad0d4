"""A READ that misses the page cache: no task, and all that a task would have kept is kept."""

import errno
import gc
import os

import trio
from trio.testing import wait_all_tasks_blocked

from smbd.crypto import make_signer
from smbd.memory import REQUEST
from smbd.ntstatus import NtStatus
from smbd.state import Open
from smbd.wire.negotiate_contexts import SigningAlgorithm
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CANCEL, CLOSE, READ


async def test_a_miss_is_no_task(tmp_path, mock_clock):
    (tmp_path / "long").write_bytes(bytes(1 << 20))
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("long")
        stage.settle(max_read=1 << 20)
        stage.ask(READ, messages.read(file_id, 0, 65536))
        tasks = len(stage.nursery.child_tasks)  # with the one that tells of interim responses
        for number in range(15):
            stage.ask(READ, messages.read(file_id, number, 65536))
        stage.ask(READ, messages.read(file_id, 0, 1 << 20), charge=16)
        assert len(stage.nursery.child_tasks) == tasks
        assert len(stage.engine.held) == 17
        for held in stage.engine.held:
            held.finish(b"data")
        assert len(await stage.answers()) == 17


async def test_a_long_one_that_is_to_be_signed_is_a_task(tmp_path, mock_clock):
    (tmp_path / "long").write_bytes(bytes(1 << 20))
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("long")
        stage.settle(max_read=1 << 20)
        signer = make_signer(SigningAlgorithm.HMAC_SHA256, bytes(16))
        stage.session.signer = stage.connection.channels[7].signer = signer
        stage.peer.session.signer = signer
        stage.ask(READ, messages.read(file_id, 0, 65536))
        tasks = len(stage.nursery.child_tasks)
        stage.ask(READ, messages.read(file_id, 0, 65537), charge=2)
        assert len(stage.nursery.child_tasks) == tasks + 1
        await wait_all_tasks_blocked()
        for held in stage.engine.held:
            held.finish(b"data")
        assert [one.status for one in await stage.answers()] == [0, 0]


async def test_each_long_reply_leaves_by_itself(tmp_path, mock_clock):
    """Its way to the socket takes long, and counts for the turn of those that have ended."""
    (tmp_path / "long").write_bytes(bytes(1 << 20))
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("long")
        stage.settle(max_read=1 << 20)
        for _ in range(3):
            stage.ask(READ, messages.read(file_id, 0, 1 << 20), charge=16)
        flushes = stage.wire.flushes
        stage.engine.finish_all(bytes(1 << 20))
        assert stage.wire.flushes == flushes + 3


async def test_the_engine_is_kicked_once_for_a_burst(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.burst(*(stage.peer.request(READ, messages.read(file_id)) for _ in range(16)))
        assert (stage.engine.kicks, len(stage.engine.held)) == (1, 16)


async def test_replies_of_one_burst_of_completions_leave_together(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        for _ in range(16):
            stage.ask(READ, messages.read(file_id))
        flushes = stage.wire.flushes
        stage.engine.finish_all(b"data")
        assert stage.wire.flushes == flushes + 1
        assert [one.data for one in await stage.answers()] == [b"data"] * 16


async def test_its_frame_is_copied_and_its_memory_counted(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        burst = bytearray(4096)
        frame = stage.peer.request(READ, messages.read(file_id))
        burst[: len(frame)] = frame
        used = stage.dispatch.frame(memoryview(burst)[: len(frame)], 0.0)
        assert used is False
        burst[:] = bytes(4096)  # the next bytes that come
        assert stage.wire.in_work == len(frame) + REQUEST + 65536
        stage.engine.held[0].finish(b"data")
        assert (await stage.answer()).data == b"data"
        assert stage.wire.in_work == 0


async def test_no_more_are_in_work_than_may_be(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        most = stage.service.config.server.limits.requests
        stage.connection.window.grant(most)
        file_id = await stage.open("a")
        for _ in range(most + 1):
            stage.ask(READ, messages.read(file_id))
        assert (await stage.answer()).status == NtStatus.INSUFFICIENT_RESOURCES
        assert len(stage.engine.held) == most
        stage.engine.finish_all(b"data")
        assert {one.status for one in await stage.answers()} == {0}


async def test_one_that_is_cancelled_is_answered_when_the_engine_is_ready(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        message_id = stage.ask(READ, messages.read(file_id))
        stage.ask(CANCEL, message_id=message_id)
        assert await stage.answers() == []
        assert stage.engine.held[0].withdrawn
        stage.engine.held[0].finish(b"data")
        answer = await stage.answer()
        assert (answer.command, answer.status) == (READ, NtStatus.CANCELLED)


async def test_a_connection_that_is_lost_waits_for_the_engine(tmp_path, mock_clock):
    """The engine has the file's descriptor and the reply's buffer."""
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        (fd,) = stage.fds
        stage.ask(READ, messages.read(file_id))
        stage.ask(CLOSE, messages.close(file_id))
        await stage.answers()
        (held,) = stage.engine.held
        stage.engine.held = []
        stage.nursery.start_soon(stage.dispatch.end)
        stage.nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked()
            assert held.withdrawn
            os.fstat(fd)
            held.finish(b"data")
            await wait_all_tasks_blocked()
            assert await stage.answers() == []
            assert not stage.engine.attached


async def test_the_end_of_the_server_waits_for_the_answer(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(READ, messages.read(file_id))
        ended = trio.Event()

        async def finish():
            await stage.dispatch.finish()
            ended.set()

        stage.nursery.start_soon(finish)
        await wait_all_tasks_blocked()
        assert not ended.is_set()
        stage.engine.held[0].finish(b"data")
        assert (await stage.answer()).data == b"data"
        assert ended.is_set()


async def test_an_error_keeps_neither_open_nor_buffer_alive(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        gc.collect()
        gc.disable()
        try:
            stage.ask(READ, messages.read(file_id))
            stage.engine.held.pop().fail(errno.EIO)
            assert (await stage.answer()).status == NtStatus.UNEXPECTED_IO_ERROR
            stage.ask(CLOSE, messages.close(file_id))
            await stage.answer()
            await wait_all_tasks_blocked()
            assert not [one for one in gc.get_objects() if type(one) is Open]
        finally:
            gc.enable()


async def test_a_bug_where_an_answer_is_made_ends_the_connection_alone(
    tmp_path, mock_clock, monkeypatch
):
    def fail(*_):
        raise ZeroDivisionError

    raised = []
    try:
        async with on_stage(tmp_path) as stage:
            file_id = await stage.open("a")
            stage.ask(READ, messages.read(file_id))
            monkeypatch.setattr(stage.connection.__class__, "finish", fail)
            stage.engine.held[0].finish(b"data")
            await trio.sleep_forever()
    except* ZeroDivisionError as group:
        raised += group.exceptions
    assert len(raised) == 1
