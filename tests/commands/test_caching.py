"""Oplocks with a clock and an engine that the test holds: patience, and long WRITEs."""

import pytest
import trio

from smbd import turns
from smbd.ntstatus import NtStatus, ProtocolError
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CREATE, LOCK, NEGOTIATE, OPLOCK_BREAK, READ, WRITE
from tests.scripted.caching import BATCH, LEVEL_II, NONE, OplockBreak, parse_break

PENDING = NtStatus.PENDING


async def breaks(stage):
    return [parse_break(one) for one in await stage.answers() if one.command == OPLOCK_BREAK]


async def test_a_client_has_35_seconds_for_its_acknowledgment(tmp_path, autojump_clock):
    async with on_stage(tmp_path) as stage:
        opened = await stage.open("file", oplock=BATCH)
        stage.ask(CREATE, messages.create("file", oplock=BATCH))
        assert await breaks(stage) == [OplockBreak(LEVEL_II, opened)]
        await trio.sleep(34.9)
        assert [one.status for one in await stage.answers()] == [PENDING]
        await trio.sleep(0.2)
        answer = await stage.answer()
        assert (answer.status, answer.oplock) == (0, LEVEL_II)

        stage.ask(OPLOCK_BREAK, messages.oplock_break(opened, LEVEL_II))
        assert (await stage.answer()).status == NtStatus.INVALID_OPLOCK_PROTOCOL
        figures = stage.service.tables.files.caching
        assert (figures.oplocks, figures.breaks, figures.expired) == (2, 1, 1)


async def test_what_was_cached_during_a_long_write_is_broken_when_that_is_done(tmp_path):
    async with on_stage(tmp_path) as stage:
        before = await stage.open("file", oplock=LEVEL_II)
        writer = await stage.open("file")
        stage.ask(WRITE, messages.write(writer, b"data"))
        assert await breaks(stage) == [OplockBreak(NONE, before)]
        meanwhile = await stage.open("file", oplock=LEVEL_II)

        stage.engine.held[0].finish(4)

        assert await breaks(stage) == [OplockBreak(NONE, meanwhile)]


async def test_a_waiting_create_does_not_keep_the_client_from_being_read(tmp_path):
    async with on_stage(tmp_path) as stage:
        opened = await stage.open("file", oplock=BATCH)
        stage.ask(CREATE, messages.create("file"))
        assert await breaks(stage) == [OplockBreak(LEVEL_II, opened)]
        assert stage.wire.in_work == 0
        stage.ask(OPLOCK_BREAK, messages.oplock_break(opened, NONE))
        assert [one.status for one in await stage.answers() if one.status != PENDING] == [0, 0]


async def test_an_acknowledgment_comes_into_force_behind_the_writes_that_came_before_it(tmp_path):
    async with on_stage(tmp_path) as stage:
        opened = await stage.open("file", oplock=BATCH)
        stage.ask(CREATE, messages.create("file"))
        assert await breaks(stage) == [OplockBreak(LEVEL_II, opened)]

        stage.ask(WRITE, messages.write(opened, b"cached"))
        stage.ask(OPLOCK_BREAK, messages.oplock_break(opened, LEVEL_II))
        stage.ask(WRITE, messages.write(opened, b"a later one"))
        assert [one for one in await stage.answers() if one.status != PENDING] == []

        (first,) = (one for one in stage.engine.held if one.details[2] == b"cached")
        first.finish(6)
        commands = []
        while CREATE not in commands:  # it is opened anew, in turns
            answers = await stage.answers()
            commands += [one.command for one in answers if one.status != PENDING]
        assert commands[:2] == [WRITE, OPLOCK_BREAK]


async def test_a_client_that_may_cache_a_file_is_told_its_size_of_that_moment(tmp_path):
    async with on_stage(tmp_path) as stage:
        opened = await stage.open("file", oplock=BATCH)
        stage.calls.holding = stage.calls.early = True
        stage.ask(CREATE, messages.create("file", oplock=BATCH))
        stage.ask(OPLOCK_BREAK, messages.oplock_break(opened, LEVEL_II))
        await stage.answers()
        (tmp_path / "file").write_bytes(b"written since a worker looked")

        stage.calls.held[-1].finish()

        answer = await stage.answer()
        assert (answer.oplock, answer.end_of_file) == (LEVEL_II, 29)


WHOLE = (0, 100, messages.EXCLUSIVE)


async def test_an_oplock_breaks_behind_the_answer_that_grants_it(tmp_path, autojump_clock):
    """Its client ignores the break of what it does not know, and would cache for ever then."""
    async with on_stage(tmp_path) as stage:
        other = await stage.open("file")
        stage.calls.holding = True
        stage.ask(CREATE, messages.create("file", disposition=5, oplock=LEVEL_II))
        await stage.answers()
        stage.calls.held[0].finish()
        await stage.answers()
        stage.ask(LOCK, messages.lock(other, WHOLE))  # while it truncates
        assert (await stage.answer()).status == 0
        stage.calls.holding = False
        stage.calls.held[1].finish()
        created, told = await stage.answers()
        assert (created.status, created.oplock) == (0, LEVEL_II)
        assert parse_break(told) == OplockBreak(NONE, created.file_id)


async def test_an_oplock_breaks_behind_the_whole_frame_that_grants_it(tmp_path):
    async with on_stage(tmp_path) as stage:
        other = await stage.open("file")
        create = messages.create("file", oplock=LEVEL_II)
        read = messages.read(messages.PREVIOUS_FILE)
        stage.burst(stage.peer.related((CREATE, create), (READ, read)))
        assert await stage.answers() == []
        stage.ask(LOCK, messages.lock(other, WHOLE))
        assert (await stage.answer()).status == 0
        stage.engine.held[0].finish(b"")
        created, _, told = await stage.answers()
        assert created.oplock == LEVEL_II
        assert parse_break(told) == OplockBreak(NONE, created.file_id)


async def test_a_break_goes_on_though_its_acknowledgment_cannot_be_answered(tmp_path, monkeypatch):
    """The connection ends; but the client may have others, by which it goes on caching."""
    monkeypatch.setattr(turns, "_TURN", 60.0)  # one for both requests, whatever else is going on
    async with on_stage(tmp_path) as stage:
        opened = await stage.open("file", oplock=BATCH)
        stage.ask(CREATE, messages.create("file"))
        stage.ask(CREATE, messages.create("file", disposition=5))
        await stage.answers()
        acknowledgment = messages.oplock_break(opened, LEVEL_II)
        wrong = messages.negotiate([0x0302])  # a second one
        with pytest.raises(ProtocolError):
            stage.burst(stage.peer.compound((OPLOCK_BREAK, acknowledgment), (NEGOTIATE, wrong)))
        told, *others = [one for one in await stage.answers() if one.status != PENDING]
        assert parse_break(told) == OplockBreak(NONE, opened)
        assert [one.status for one in others] == [0, 0]
