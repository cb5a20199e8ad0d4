"""CLOSE against operations in flight: the descriptor closes last, whatever ends first."""

import errno
import os

from smbd.ntstatus import NtStatus
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CLOSE, FLUSH, QUERY_DIRECTORY, READ, WRITE


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


async def test_close_takes_the_open_away_at_once_and_the_descriptor_with_the_last_read(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        (fd,) = stage.fds
        stage.ask(READ, messages.read(file_id))
        stage.ask(READ, messages.read(file_id, 4096))
        assert await stage.answers() == []

        stage.ask(CLOSE, messages.close(file_id))
        assert (await stage.answer()).command == CLOSE
        stage.ask(READ, messages.read(file_id))
        assert (await stage.answer()).status == NtStatus.FILE_CLOSED

        first, second = stage.engine.held
        second.finish(b"second")
        assert (await stage.answer()).data == b"second"
        assert is_open(fd)
        first.finish(b"first")
        assert (await stage.answer()).data == b"first"
        assert not is_open(fd)


async def test_a_close_in_the_same_burst_does_not_overtake_a_read_that_waits(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(READ, messages.read(file_id))
        stage.ask(CLOSE, messages.close(file_id))
        assert (await stage.answer()).command == CLOSE
        stage.engine.held[0].finish(b"data")
        answer = await stage.answer()
        assert (answer.status, answer.data) == (0, b"data")


async def test_a_close_in_the_same_burst_does_not_overtake_a_listing(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("", options=1, access=1)
        stage.ask(QUERY_DIRECTORY, messages.query_directory(file_id))
        stage.ask(CLOSE, messages.close(file_id))
        close, listing = await stage.answers()
        assert (close.command, close.status) == (CLOSE, 0)
        assert (listing.command, listing.status) == (QUERY_DIRECTORY, 0)


async def test_a_close_in_the_same_burst_does_not_overtake_write_and_flush(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(WRITE, messages.write(file_id, b"data"))
        stage.ask(FLUSH, messages.flush(file_id))
        stage.ask(CLOSE, messages.close(file_id))
        assert (await stage.answer()).command == CLOSE
        for operation in stage.engine.held:
            operation.finish()
        assert [one.status for one in await stage.answers()] == [0, 0]


async def test_a_read_that_fails_after_the_close_gives_its_own_status(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        (fd,) = stage.fds
        stage.ask(READ, messages.read(file_id))
        await stage.answers()
        stage.ask(CLOSE, messages.close(file_id))
        await stage.answers()
        stage.engine.held[0].fail(errno.EIO)
        assert (await stage.answer()).status == NtStatus.UNEXPECTED_IO_ERROR
        assert not is_open(fd)


async def test_two_closes_of_one_file_that_goes_with_them_give_one_success(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a", options=messages.DELETE_ON_CLOSE)
        stage.ask(CLOSE, messages.close(file_id))
        stage.ask(CLOSE, messages.close(file_id))
        first, second = await stage.answers()
        assert sorted((first.status, second.status)) == [0, NtStatus.FILE_CLOSED]
        assert not (tmp_path / "a").exists()


async def test_a_file_is_deleted_at_its_close_though_a_read_still_uses_it(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a", options=messages.DELETE_ON_CLOSE)
        stage.ask(READ, messages.read(file_id))
        await stage.answers()
        stage.ask(CLOSE, messages.close(file_id))
        assert (await stage.answer()).status == 0
        assert not (tmp_path / "a").exists()
        stage.engine.held[0].finish(b"the last of it")
        assert (await stage.answer()).data == b"the last of it"


async def test_a_connection_that_ends_closes_what_was_in_flight(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(WRITE, messages.write(file_id, b"data"))
        stage.ask(READ, messages.read(file_id))
        await stage.answers()
        assert len(stage.engine.held) == 2
    # The end of the stage sees to it that no descriptor is left.
