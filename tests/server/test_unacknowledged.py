"""The log says which client has let others wait for its acknowledgment, and for which file."""

import pytest
import trio

from smbd.server.unacknowledged import Unacknowledged
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CREATE, OPLOCK_BREAK
from tests.scripted.caching import BATCH, LEVEL_II


@pytest.fixture
async def stage(tmp_path):
    async with on_stage(tmp_path) as stage:
        Unacknowledged(stage.service)
        yield stage


def figures(stage):
    found = stage.service.tables.files.caching
    return found.unacknowledged, found.expired


async def test_a_break_that_expires_is_told_with_its_client_and_file(stage, caplog, autojump_clock):
    await stage.open("file", oplock=BATCH)
    stage.ask(CREATE, messages.create("file"))
    await stage.answers()
    assert figures(stage) == (1, 0)
    await trio.sleep(35.1)
    (line,) = caplog.messages
    assert line == (
        "test:1: an oplock on file in share was broken, and not acknowledged within 35 s: "
        "it is taken"
    )
    (record,) = caplog.records
    assert (record.event, record.client, record.share) == ("break expired", "test:1", "share")
    assert figures(stage) == (0, 1)


async def test_many_that_expire_at_once_are_one_line_a_second(stage, caplog, autojump_clock):
    for number in range(20):
        await stage.open(f"file {number}", oplock=BATCH)
    for number in range(20):
        stage.ask(CREATE, messages.create(f"file {number}"))
    await stage.answers()
    await trio.sleep(35.1)
    assert len(caplog.messages) == 1
    stage.ask(CREATE, messages.create("another", oplock=BATCH))
    await stage.answers()
    stage.ask(CREATE, messages.create("another"))
    await trio.sleep(35.1)
    assert caplog.messages[1].endswith("it is taken (19 more since the last such line)")
    assert figures(stage) == (0, 21)


async def test_a_break_that_is_acknowledged_is_not_told(stage, caplog, autojump_clock):
    opened = await stage.open("file", oplock=BATCH)
    stage.ask(CREATE, messages.create("file"))
    await stage.answers()
    stage.ask(OPLOCK_BREAK, messages.oplock_break(opened, LEVEL_II))
    await trio.sleep(36)
    assert caplog.messages == []
    assert figures(stage) == (0, 0)
