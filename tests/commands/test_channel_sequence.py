"""ChannelSequence ([MS-SMB2] 3.3.5.2.10): what a client sent before it lost a channel."""

from itertools import pairwise

import pytest

from smbd.ntstatus import NtStatus
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import IOCTL, READ, REPLAY, SET_INFO, WRITE

TOO_OLD = NtStatus.FILE_NOT_AVAILABLE
POSITION = 14  # FilePositionInformation


async def status_of(stage, command, body, sequence, flags=0):
    stage.ask(command, body, channel_sequence=sequence, flags=flags)
    return (await stage.answer()).status


async def moved(stage, file_id, sequence, **how):
    """What a SET_INFO of a ChannelSequence gives."""
    return await status_of(
        stage, SET_INFO, messages.set_info(file_id, POSITION, bytes(8)), sequence, **how
    )


async def test_what_a_client_sent_before_it_lost_a_channel_does_nothing_any_more(tmp_path):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        assert await moved(stage, file_id, 5) == 0
        assert await moved(stage, file_id, 4) == TOO_OLD
        assert await status_of(stage, WRITE, messages.write(file_id, b"x", 0), 4) == TOO_OLD
        old = await status_of(stage, IOCTL, messages.ioctl(file_id, 0x900C4), 4)
        assert old == TOO_OLD
        assert await moved(stage, file_id, 5) == 0


async def test_a_request_of_old_may_still_read(tmp_path):
    async with on_stage(tmp_path) as stage:
        stage.engine.cached = b"data"
        file_id = await stage.open("a")
        assert await moved(stage, file_id, 5) == 0
        assert await status_of(stage, READ, messages.read(file_id, 0, 4), 4) == 0


@pytest.mark.parametrize(
    "steps",
    [
        # (ChannelSequence, whether it goes on from the one before), as the numbers turn round
        [(0x8000, False), (0x7FFF, True), (0x7FFE, False), (0, False), (0x8000, True)],
        [(0x7FFF, True), (0xFFFE, True), (0, True), (0xFFFF, False)],
    ],
)
async def test_half_of_all_numbers_are_newer_than_any_other(tmp_path, steps):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        for sequence, newer in steps:
            assert await moved(stage, file_id, sequence) == (0 if newer else TOO_OLD)


async def test_the_sequence_begins_with_that_of_create(tmp_path):
    async with on_stage(tmp_path) as stage:
        stage.ask(messages.CREATE, messages.create("a"), channel_sequence=9)
        file_id = (await stage.answer()).file_id
        assert await moved(stage, file_id, 8) == TOO_OLD
        assert await moved(stage, file_id, 9) == 0


async def test_a_replay_waits_for_that_which_it_may_repeat(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        body = messages.write(file_id, b"data", 0)
        stage.ask(WRITE, body)
        assert not await stage.answers()
        for sequence in (1, 1, 2):
            assert await status_of(stage, WRITE, body, sequence, REPLAY) == TOO_OLD
        stage.engine.held[0].finish()
        assert (await stage.answer()).status == 0
        stage.ask(WRITE, body, channel_sequence=2, flags=REPLAY)
        assert not await stage.answers()  # in work
        stage.engine.held[1].finish()
        assert (await stage.answer()).status == 0


async def test_a_late_read_that_ends_lets_no_replay_pass_a_write_in_work(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        body = messages.write(file_id, b"data", 0)
        stage.ask(WRITE, body)
        assert await moved(stage, file_id, 1) == 0
        stage.ask(READ, messages.read(file_id, 0, 4))
        assert not await stage.answers()
        write, read = stage.engine.held
        read.finish(b"old.")
        assert (await stage.answer()).status == 0
        assert await status_of(stage, WRITE, body, 1, REPLAY) == TOO_OLD
        write.finish()
        assert (await stage.answer()).status == 0


async def test_a_write_in_work_stays_valid_when_the_sequence_moves_on(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(WRITE, messages.write(file_id, b"data", 0))
        assert await moved(stage, file_id, 1) == 0
        stage.engine.held[0].finish()
        assert [one.status for one in await stage.answers()] == [0]


async def test_before_3_0_the_field_is_none(tmp_path):
    async with on_stage(tmp_path) as stage:
        stage.settle(dialect=0x0210)
        file_id = await stage.open("a")
        for one, other in pairwise((5, 4, 0xFFFF)):
            assert await moved(stage, file_id, one) == await moved(stage, file_id, other) == 0
