"""What an operation's failure becomes, whosever fault it is."""

import errno
import logging
from struct import unpack_from

import pytest

from smbd.interims import FOR_FILES_AFTER
from smbd.ntstatus import NtStatus
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import ECHO, FLUSH, QUERY_INFO, READ, WRITE


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.EIO, NtStatus.UNEXPECTED_IO_ERROR),
        (errno.ENOSPC, NtStatus.DISK_FULL),
        (errno.EDQUOT, NtStatus.DISK_FULL),
        (errno.EROFS, NtStatus.MEDIA_WRITE_PROTECTED),
        (errno.EACCES, NtStatus.ACCESS_DENIED),
        (errno.ENOMEM, NtStatus.NO_MEMORY),
        (errno.EXFULL, NtStatus.UNEXPECTED_IO_ERROR),  # none that the table knows
    ],
)
async def test_the_errno_of_a_write_becomes_its_status(tmp_path, mock_clock, number, status):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(WRITE, messages.write(file_id, b"data"))
        await stage.answers()
        stage.engine.held[0].fail(number)
        assert (await stage.answer()).status == status


async def test_a_write_through_that_cannot_reach_the_disk_fails(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(WRITE, messages.write(file_id, b"data", flags=1))
        await stage.answers()
        stage.engine.held[0].finish()
        assert await stage.answers() == []
        assert stage.engine.held[1].name == "fsync"
        stage.engine.held[1].fail(errno.EIO)
        assert (await stage.answer()).status == NtStatus.UNEXPECTED_IO_ERROR


async def test_a_failure_after_the_interim_response_comes_under_its_async_id(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(FLUSH, messages.flush(file_id))
        await stage.answers()
        mock_clock.jump(FOR_FILES_AFTER)
        interim = await stage.answer()
        stage.engine.held[0].fail(errno.ENOSPC)
        final = await stage.answer()
        assert (final.status, final.async_id) == (NtStatus.DISK_FULL, interim.async_id)


async def test_a_bug_behind_an_operation_is_an_internal_error_and_the_connection_lives(
    tmp_path, mock_clock, caplog
):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(READ, messages.read(file_id))
        await stage.answers()
        with caplog.at_level(logging.ERROR, "smbd"):
            stage.engine.held[0].finish(RuntimeError("a bug of ours"))
            assert (await stage.answer()).status == NtStatus.INTERNAL_ERROR
        assert "a bug of ours" in caplog.text
        stage.ask(ECHO)
        assert (await stage.answer()).status == 0


async def test_a_bug_in_the_synchronous_half_is_an_internal_error_too(tmp_path, mock_clock, caplog):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.engine.cached = 17  # nothing that bytes could be taken from
        with caplog.at_level(logging.ERROR, "smbd"):
            stage.ask(READ, messages.read(file_id))
            assert (await stage.answer()).status == NtStatus.INTERNAL_ERROR
        assert "TypeError" in caplog.text
        stage.engine.cached = b"data"
        stage.ask(READ, messages.read(file_id))
        assert (await stage.answer()).data == b"data"


async def test_a_short_read_gives_what_there_is_and_nothing_at_all_is_the_end(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        for cached, asked, minimum, status, data in (
            (b"123", 10, 0, 0, b"123"),
            (b"123", 10, 4, NtStatus.END_OF_FILE, None),
            (b"", 10, 0, NtStatus.END_OF_FILE, None),
            (b"", 0, 0, 0, b""),
            (b"", 0, 1, NtStatus.END_OF_FILE, None),
        ):
            stage.engine.cached = cached
            stage.ask(READ, messages.read(file_id, length=asked, minimum=minimum))
            answer = await stage.answer()
            assert answer.status == status
            if data is not None:
                assert answer.data == data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0",
        messages.read(b"\0" * 16)[:-2],
        messages.read(b"\0" * 16, length=2**32 - 1),
        messages.read(b"\0" * 16, length=65537),  # one credit pays for 64 KiB
    ],
)
async def test_a_read_that_is_malformed_or_too_long_is_an_invalid_parameter(
    tmp_path, mock_clock, body
):
    async with on_stage(tmp_path) as stage:
        stage.ask(READ, body)
        assert (await stage.answer()).status == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize(("dialect", "contexts", "size"), [(0x0302, 0, 4), (0x0311, 1, 12)])
async def test_what_an_error_has_to_say_stands_in_a_context_on_3_1_1(
    tmp_path, mock_clock, dialect, contexts, size
):
    """[MS-SMB2] 2.2.2.1: the length that would do, for BUFFER_TOO_SMALL."""
    async with on_stage(tmp_path) as stage:
        stage.settle(dialect=dialect)
        file_id = await stage.open("a")
        security = messages.query_info(file_id, 0, length=1, info_type=3, additional=7)
        stage.ask(QUERY_INFO, security)
        answer = await stage.answer()
        assert answer.status == NtStatus.BUFFER_TOO_SMALL
        assert unpack_from("<HBxI", answer.body) == (9, contexts, size)
        (length,) = unpack_from("<I", answer.body, 8 + size - 4)
        assert 20 < length < 1000
