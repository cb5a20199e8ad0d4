"""LOCK: byte ranges that wait, that come free, and that others' READs and WRITEs meet."""

import pytest

from smbd.ntstatus import NtStatus
from smbd.state import Durability
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import (
    CLOSE,
    EXCLUSIVE,
    FAIL_IMMEDIATELY,
    LOCK,
    READ,
    SHARED,
    UNLOCK,
    WRITE,
)

NOW = FAIL_IMMEDIATELY


async def lock(stage, file_id, *elements):
    """The status of a LOCK, None while it waits."""
    stage.ask(LOCK, messages.lock(file_id, *elements))
    answered = await stage.answers()
    return answered[0].status if answered else None


async def two_opens(stage):
    return await stage.open("a"), await stage.open("a")


async def test_a_lock_waits_until_the_range_comes_free(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (0, 10, EXCLUSIVE)) == 0
        assert await lock(stage, other, (5, 10, EXCLUSIVE)) is None
        stage.ask(LOCK, messages.lock(one, (0, 10, UNLOCK)))
        assert [each.status for each in await stage.answers()] == [0, 0]
        assert await lock(stage, one, (5, 1, SHARED | NOW)) == NtStatus.LOCK_NOT_GRANTED


async def test_a_lock_that_must_not_wait_is_not_granted(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (0, 10, SHARED)) == 0
        assert await lock(stage, other, (5, 10, EXCLUSIVE | NOW)) == NtStatus.LOCK_NOT_GRANTED
        assert await lock(stage, other, (5, 10, SHARED | NOW)) == 0


async def test_the_holders_close_lets_who_waits_in(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (0, 10, EXCLUSIVE)) == 0
        assert await lock(stage, other, (0, 10, EXCLUSIVE)) is None
        stage.ask(CLOSE, messages.close(one))
        by_command = {each.command: each.status for each in await stage.answers()}
        assert by_command == {CLOSE: 0, LOCK: 0}


async def test_the_close_of_who_waits_ends_the_wait(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (0, 10, EXCLUSIVE)) == 0
        assert await lock(stage, other, (0, 10, EXCLUSIVE)) is None
        stage.ask(CLOSE, messages.close(other))
        by_command = {each.command: each.status for each in await stage.answers()}
        assert by_command == {CLOSE: 0, LOCK: NtStatus.RANGE_NOT_LOCKED}


async def test_a_lock_that_its_own_close_overtakes_is_never_held(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (0, 10, EXCLUSIVE)) == 0
        stage.ask(LOCK, messages.lock(other, (0, 10, EXCLUSIVE)))
        stage.ask(CLOSE, messages.close(other))
        stage.ask(LOCK, messages.lock(one, (0, 10, UNLOCK)))
        assert {each.status for each in await stage.answers()} == {0, NtStatus.RANGE_NOT_LOCKED}
        assert await lock(stage, one, (0, 10, EXCLUSIVE | NOW)) == 0


async def test_several_locks_are_all_taken_or_none(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (50, 1, EXCLUSIVE)) == 0
        wanted = ((0, 10, EXCLUSIVE | NOW), (20, 10, SHARED | NOW), (50, 10, EXCLUSIVE | NOW))
        assert await lock(stage, other, *wanted) == NtStatus.LOCK_NOT_GRANTED
        assert await lock(stage, one, (0, 40, EXCLUSIVE | NOW)) == 0


async def test_several_locks_that_cannot_be_had_take_nothing_that_was_held(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (50, 1, EXCLUSIVE)) == 0
        assert await lock(stage, other, (0, 10, EXCLUSIVE)) == 0
        wanted = ((0, 10, SHARED | NOW), (50, 10, SHARED | NOW))
        assert await lock(stage, other, *wanted) == NtStatus.LOCK_NOT_GRANTED
        # The exclusive lock is still there, and it alone.
        assert await lock(stage, one, (0, 1, SHARED | NOW)) == NtStatus.LOCK_NOT_GRANTED
        assert await lock(stage, other, (0, 10, UNLOCK)) == 0
        assert await lock(stage, one, (0, 1, EXCLUSIVE | NOW)) == 0


@pytest.mark.parametrize(
    "elements",
    [
        (),
        ((0, 1, 0),),
        ((0, 1, SHARED | EXCLUSIVE),),
        ((0, 1, UNLOCK | FAIL_IMMEDIATELY),),
        ((0, 1, 0x20),),
        ((0, 1, EXCLUSIVE), (5, 1, EXCLUSIVE)),  # several cannot wait
        ((0, 1, EXCLUSIVE | NOW), (0, 1, UNLOCK)),
        ((0, 1, UNLOCK), (5, 1, EXCLUSIVE | NOW)),
    ],
)
async def test_flags_that_make_no_sense_are_an_invalid_parameter(tmp_path, mock_clock, elements):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        await lock(stage, file_id, (0, 1, SHARED | NOW))
        assert await lock(stage, file_id, *elements) == NtStatus.INVALID_PARAMETER


async def test_a_range_beyond_the_last_byte_is_invalid(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        last = 2**64 - 1
        assert await lock(stage, file_id, (last, 2, SHARED)) == NtStatus.INVALID_LOCK_RANGE
        assert await lock(stage, file_id, (last, 1, SHARED)) == 0
        assert await lock(stage, file_id, (last, 0, SHARED)) == 0


async def test_unlocking_what_is_not_locked(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (0, 10, EXCLUSIVE)) == 0
        assert await lock(stage, one, (0, 9, UNLOCK)) == NtStatus.RANGE_NOT_LOCKED
        assert await lock(stage, other, (0, 10, UNLOCK)) == NtStatus.RANGE_NOT_LOCKED
        assert await lock(stage, one, (0, 10, UNLOCK)) == 0


async def test_a_directory_has_no_bytes_to_lock(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("d", options=1)
        assert await lock(stage, file_id, (0, 1, SHARED)) == NtStatus.INVALID_PARAMETER


async def test_read_and_write_of_others_meet_the_lock(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.engine.cached = bytes(100)
        one, other = await two_opens(stage)
        assert await lock(stage, one, (10, 10, EXCLUSIVE)) == 0
        for offset, status in ((0, 0), (5, NtStatus.FILE_LOCK_CONFLICT), (20, 0)):
            stage.ask(READ, messages.read(other, offset, 10))
            assert (await stage.answer()).status == status
        stage.ask(READ, messages.read(one, 5, 10))
        assert (await stage.answer()).status == 0
        stage.ask(WRITE, messages.write(other, b"data", 15))
        assert (await stage.answer()).status == NtStatus.FILE_LOCK_CONFLICT


async def test_ones_own_shared_lock_blocks_ones_own_write(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        assert await lock(stage, file_id, (0, 10, SHARED)) == 0
        stage.ask(WRITE, messages.write(file_id, b"data", 5))
        assert (await stage.answer()).status == NtStatus.FILE_LOCK_CONFLICT


async def test_a_lock_refused_for_too_much_work_is_never_granted(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, one, (0, 10, EXCLUSIVE)) == 0
        stage.dispatch._most_in_work = 0
        refused = NtStatus.INSUFFICIENT_RESOURCES
        assert await lock(stage, other, (0, 10, EXCLUSIVE)) == refused
        assert await lock(stage, one, (0, 10, UNLOCK)) == 0
        assert await lock(stage, one, (0, 10, EXCLUSIVE | NOW)) == 0


async def replayed(stage, file_id, sequence, *element):
    """The status of a LOCK with a LockSequence, (index, number)."""
    index, number = sequence
    stage.ask(LOCK, messages.lock(file_id, element, sequence=index << 4 | number))
    return (await stage.answer()).status


async def test_a_lock_that_a_client_sends_again_is_carried_out_once(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await replayed(stage, one, (1, 3), 0, 10, SHARED) == 0
        assert await replayed(stage, one, (1, 3), 0, 10, SHARED) == 0
        assert await replayed(stage, one, (1, 4), 0, 10, UNLOCK) == 0
        assert await replayed(stage, one, (1, 4), 0, 10, UNLOCK) == 0
        assert await lock(stage, other, (0, 10, EXCLUSIVE | NOW)) == 0


async def test_a_lock_that_failed_is_tried_again(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, other, (0, 10, EXCLUSIVE)) == 0
        for _ in range(2):
            status = await replayed(stage, one, (64, 1), 0, 10, EXCLUSIVE | NOW)
            assert status == NtStatus.LOCK_NOT_GRANTED
        assert await lock(stage, other, (0, 10, UNLOCK)) == 0
        assert await replayed(stage, one, (64, 1), 0, 10, EXCLUSIVE | NOW) == 0
        assert await replayed(stage, one, (64, 1), 0, 10, EXCLUSIVE | NOW) == 0


@pytest.mark.parametrize("index", [0, 65])
async def test_an_index_beyond_the_array_is_never_verified(tmp_path, mock_clock, index):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        assert await replayed(stage, file_id, (index, 1), 0, 10, EXCLUSIVE | NOW) == 0
        again = await replayed(stage, file_id, (index, 1), 0, 10, EXCLUSIVE | NOW)
        assert again == NtStatus.LOCK_NOT_GRANTED


async def test_a_lock_that_had_to_wait_is_known_too(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        one, other = await two_opens(stage)
        assert await lock(stage, other, (0, 10, EXCLUSIVE)) == 0
        element = (0, 10, EXCLUSIVE)
        stage.ask(LOCK, messages.lock(one, element, sequence=1 << 4 | 1))
        assert not await stage.answers()
        stage.ask(LOCK, messages.lock(other, (0, 10, UNLOCK)))
        assert [each.status for each in await stage.answers()] == [0, 0]
        assert await replayed(stage, one, (1, 1), *element) == 0


async def test_of_2_1_a_durable_handle_knows_lock_sequences(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.settle(dialect=0x0210)
        file_id = await stage.open("a")
        [opened] = stage.service.tables.opens
        opened.durable = Durability(stage.session.identity, 60.0)
        for _ in range(2):
            assert await replayed(stage, file_id, (1, 1), 0, 10, EXCLUSIVE | NOW) == 0


async def test_before_3_0_a_lock_sequence_means_nothing(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.settle(dialect=0x0210)
        file_id = await stage.open("a")
        assert await replayed(stage, file_id, (1, 1), 0, 10, EXCLUSIVE | NOW) == 0
        again = await replayed(stage, file_id, (1, 1), 0, 10, EXCLUSIVE | NOW)
        assert again == NtStatus.LOCK_NOT_GRANTED
