"""Oplocks between clients, over real sockets ([MS-SMB2] 3.3.4.6, 3.3.5.9, 3.3.5.22.1)."""

from struct import pack

import pytest
import trio

from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, PREVIOUS_FILE, QUERY_INFO
from tests.scripted import caching, clients, frames
from tests.scripted.caching import BATCH, EXCLUSIVE, LEVEL_II, NONE, OplockBreak

OVERWRITE = 4  # CreateDisposition
BASIC, ALLOCATION, END_OF_FILE = 4, 19, 20  # FileInfoClass
SET_ZERO_DATA, REQUEST_RESUME_KEY, COPYCHUNK = 0x000980C8, 0x00140078, 0x001440F2


@pytest.fixture
async def stage(tmp_path):
    """(server, ann, bob): each a client with one connection."""
    async with serve(tmp_path) as server, clients(server) as new_client:
        with trio.fail_after(240):
            yield server, await new_client().connect(), await new_client().connect()


async def told(connection):
    return caching.parse_break(await connection.notification())


async def begin_create(connection, name, **wanted):
    message_id = await connection.begin(CREATE, messages.create(name, **wanted))
    await connection.interim(message_id)
    return message_id


def size(answer):
    """EndofFile of a CREATE response."""
    return int.from_bytes(answer.body[48:56], "little")


@pytest.mark.parametrize("level", [NONE, LEVEL_II, EXCLUSIVE, BATCH])
async def test_the_first_open_gets_what_it_asks_for(stage, level):
    _, ann, _ = stage
    assert (await ann.create("file", oplock=level)).oplock == level


async def test_a_second_open_waits_for_the_first_ones_acknowledgment_and_sees_what_it_wrote(stage):
    _, ann, bob = stage
    opened = await ann.open("file", oplock=BATCH)
    waits = await begin_create(bob, "file", oplock=BATCH)

    assert await told(ann) == OplockBreak(LEVEL_II, opened)
    assert (await ann.write(opened, b"from the cache")).status == 0
    answer = await ann.acknowledge_oplock(opened, LEVEL_II)
    assert (answer.status, answer.body[2]) == (0, LEVEL_II)

    second = await bob.reply(waits)
    assert (second.status, second.oplock, size(second)) == (0, LEVEL_II, 14)
    assert await bob.was_told_nothing()


async def test_a_write_breaks_level_ii_of_all_and_waits_for_nobody(stage):
    _, ann, bob = stage
    first = await ann.open("file", oplock=LEVEL_II)
    second = await bob.open("file", oplock=LEVEL_II)

    assert (await bob.write(second, b"data")).status == 0

    assert await told(ann) == OplockBreak(NONE, first)
    assert await told(bob) == OplockBreak(NONE, second)
    refused = await ann.acknowledge_oplock(first, NONE)
    assert refused.status == NtStatus.INVALID_OPLOCK_PROTOCOL


async def test_a_lone_writer_is_told_nothing_of_its_own_writes_and_locks(stage):
    _, ann, _ = stage
    opened = await ann.open("file", oplock=EXCLUSIVE)
    assert (await ann.write(opened, b"data")).status == 0
    assert (await ann.lock(opened, (0, 1, messages.EXCLUSIVE))).status == 0
    assert (await ann.set_info(opened, END_OF_FILE, bytes(8))).status == 0
    assert await ann.was_told_nothing()


@pytest.mark.parametrize("change", ["size", "allocation", "lock", "zeros", "copy"])
async def test_what_changes_data_breaks_level_ii(stage, change):
    _, ann, bob = stage
    made = await bob.open("file")
    await bob.write(made, bytes(8192))
    other = await ann.open("file", oplock=LEVEL_II)

    if change == "size":
        answer = await bob.set_info(made, END_OF_FILE, (1).to_bytes(8, "little"))
    elif change == "allocation":
        answer = await bob.set_info(made, ALLOCATION, bytes(8))
    elif change == "lock":
        answer = await bob.lock(made, (0, 1, messages.EXCLUSIVE))
    elif change == "zeros":
        zeros = bytes(8) + (4096).to_bytes(8, "little")
        answer = await bob.ioctl(made, SET_ZERO_DATA, zeros)
    else:
        key = (await bob.ioctl(made, REQUEST_RESUME_KEY)).ioctl_output[:24]
        chunk = pack("<24sI4xQQI4x", key, 1, 0, 4096, 4096)
        answer = await bob.ioctl(made, COPYCHUNK, chunk, length=12)
    assert answer.status == 0

    assert await told(ann) == OplockBreak(NONE, other)


async def test_attributes_times_and_a_look_break_nothing(stage):
    _, ann, bob = stage
    opened = await ann.open("file", oplock=BATCH)
    look = await bob.create("file", access=0x180, oplock=BATCH)  # READ_ and WRITE_ATTRIBUTES
    assert (look.status, look.oplock) == (0, NONE)
    hidden = pack("<QQQQI4x", 0, 0, 0, 0, 2)
    assert (await bob.set_info(look.file_id, BASIC, hidden)).status == 0
    assert await ann.was_told_nothing()
    assert (await ann.close(opened)).status == 0


async def test_overwriting_breaks_to_none_and_empties_the_file_after_the_acknowledgment(stage):
    _, ann, bob = stage
    opened = await ann.open("file", oplock=EXCLUSIVE)
    await ann.write(opened, b"data")
    waits = await begin_create(bob, "file", disposition=OVERWRITE, oplock=EXCLUSIVE)

    assert await told(ann) == OplockBreak(NONE, opened)
    assert (await ann.read(opened)).data == b"data"
    assert (await ann.acknowledge_oplock(opened, NONE)).status == 0

    second = await bob.reply(waits)
    assert (second.status, second.oplock, size(second)) == (0, LEVEL_II, 0)


async def test_a_sharing_violation_is_told_once_the_batch_oplock_is_gone(stage):
    _, ann, bob = stage
    opened = await ann.open("file", share=0, oplock=BATCH)
    waits = await begin_create(bob, "file")
    assert await told(ann) == OplockBreak(LEVEL_II, opened)
    await ann.acknowledge_oplock(opened, LEVEL_II)
    assert (await bob.reply(waits)).status == NtStatus.SHARING_VIOLATION

    assert (await bob.create("file")).status == NtStatus.SHARING_VIOLATION
    assert await ann.was_told_nothing()


async def test_a_handle_that_no_program_used_is_closed_and_the_other_open_succeeds(stage):
    _, ann, bob = stage
    opened = await ann.open("file", share=0, oplock=BATCH)
    waits = await begin_create(bob, "file", share=0, oplock=BATCH)
    await told(ann)
    await ann.close(opened)
    second = await bob.reply(waits)
    assert (second.status, second.oplock) == (0, BATCH)


@pytest.mark.parametrize("level", [EXCLUSIVE, BATCH, 0x55])
async def test_an_acknowledgment_that_keeps_too_much_leaves_nothing(stage, level):
    _, ann, bob = stage
    opened = await ann.open("file", oplock=BATCH)
    waits = await begin_create(bob, "file", oplock=LEVEL_II)
    await told(ann)
    refused = await ann.acknowledge_oplock(opened, level)
    assert refused.status == NtStatus.INVALID_OPLOCK_PROTOCOL
    assert (await bob.reply(waits)).status == 0
    again = await ann.acknowledge_oplock(opened, NONE)
    assert again.status == NtStatus.INVALID_OPLOCK_PROTOCOL


async def test_an_acknowledgment_by_the_level_of_leases_is_a_wrong_parameter(stage):
    _, ann, bob = stage
    opened = await ann.open("file", oplock=BATCH)
    waits = await begin_create(bob, "file")
    await told(ann)
    refused = await ann.acknowledge_oplock(opened, caching.BY_LEASE)
    assert refused.status == NtStatus.INVALID_PARAMETER
    assert (await bob.reply(waits)).status == 0


async def test_nobody_acknowledges_for_another(stage):
    _, ann, bob = stage
    opened = await ann.open("file", oplock=BATCH)
    waits = await begin_create(bob, "file")
    await told(ann)
    assert (await bob.acknowledge_oplock(opened, NONE)).status == NtStatus.FILE_CLOSED
    assert (await ann.acknowledge_oplock(opened, LEVEL_II)).status == 0
    assert (await bob.reply(waits)).status == 0


async def test_a_create_that_waits_can_be_cancelled_and_leaves_nothing(stage):
    server, ann, bob = stage
    await ann.open("file", oplock=BATCH)
    opens = len(server.server.service.tables.opens)
    waits = await begin_create(bob, "file")
    await bob.cancel(waits)
    assert (await bob.reply(waits)).status == NtStatus.CANCELLED
    assert len(server.server.service.tables.opens) == opens
    assert await bob.works()


async def test_the_end_of_the_holders_connection_lets_the_waiting_open_go_on(stage):
    _, ann, bob = stage
    await ann.open("file", oplock=BATCH)
    waits = await begin_create(bob, "file", oplock=BATCH)
    await trio.aclose_forcefully(ann.stream)
    second = await bob.reply(waits)
    assert (second.status, second.oplock) == (0, BATCH)


async def test_a_create_in_the_middle_of_a_compound_waits_too(stage):
    _, ann, bob = stage
    opened = await ann.open("file", oplock=EXCLUSIVE)
    ids = await bob.begin_compound(
        (CREATE, messages.create("other")),
        (CREATE, messages.create("file")),
        (QUERY_INFO, messages.query_info(PREVIOUS_FILE, frames.STANDARD)),
        (CLOSE, messages.close(PREVIOUS_FILE)),
        flags=0,
    )
    await bob.interim(ids[1])
    assert (await bob.reply(ids[0])).status == 0, "what came before goes ahead"
    assert await told(ann) == OplockBreak(LEVEL_II, opened)
    await ann.acknowledge_oplock(opened, LEVEL_II)
    assert (await bob.reply(ids[1])).status == 0


async def test_a_related_compound_goes_on_behind_the_create_that_waited(stage):
    _, ann, bob = stage
    opened = await ann.open("file", oplock=EXCLUSIVE)
    ids = await bob.begin_compound(
        (CREATE, messages.create("file")),
        (QUERY_INFO, messages.query_info(PREVIOUS_FILE, frames.STANDARD)),
        (CLOSE, messages.close(PREVIOUS_FILE)),
        flags=messages.RELATED,
    )
    await bob.interim(ids[0])
    await told(ann)
    await ann.acknowledge_oplock(opened, NONE)
    for message_id in ids:
        assert (await bob.reply(message_id)).status == 0


async def test_the_end_of_the_server_does_not_wait_for_an_acknowledgment(tmp_path):
    with trio.fail_after(240):
        async with serve(tmp_path) as server, clients(server) as new_client:
            ann, bob = await new_client().connect(), await new_client().connect()
            await ann.open("file", oplock=BATCH)
            waits = await begin_create(bob, "file")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.server.drain)
                assert (await bob.reply(waits)).status == NtStatus.CANCELLED
                nursery.cancel_scope.cancel()


async def test_a_share_without_leases_grants_no_oplock(tmp_path):
    async with serve(tmp_path, leases=False) as server, clients(server) as new_client:
        client = await new_client().connect()
        assert (await client.create("file", oplock=BATCH)).oplock == NONE
