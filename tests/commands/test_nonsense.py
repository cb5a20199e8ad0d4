"""Requests that are nearly right: whatever comes, it is answered, and never by a bug of ours."""

from random import Random
from struct import pack

import pytest

import aio
from smbd.ntstatus import NtStatus, ProtocolError, status_name
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CREATE, ECHO, PREVIOUS_FILE
from tests.core.nonsense import bent, bodies


async def some_file(random, stage):
    """The FileId of something that is open; at times of nothing."""
    opened = [pack("<QQ", one.persistent_id, one.volatile_id) for one in stage.service.tables.opens]
    if len(opened) < 3:
        name, options = random.choice((("a", 0x40), ("d", 1), (f"new {random.random()}", 0)))
        stage.ask(CREATE, messages.create(name, options=options))
        await stage.answers()
    return random.choice([*opened[-6:], PREVIOUS_FILE])


@pytest.mark.parametrize("seed", range(5))
async def test_requests_that_are_nearly_right_meet_no_bug(tmp_path, mock_clock, caplog, seed):
    random = Random(seed)
    (tmp_path / "d").mkdir()
    async with on_stage(tmp_path, aio.open_engine("sync")) as stage:
        stage.connection.window.grant(8000)
        for _ in range(300):
            command, body = random.choice(bodies(random, await some_file(random, stage)))
            request = (command, bent(random, body))
            try:
                if random.random() < 0.3:
                    follower = random.choice(bodies(random, PREVIOUS_FILE))
                    stage.burst(stage.peer.related(request, follower))
                else:
                    stage.ask(*request)
            except ProtocolError:
                stage.peer.next_id = stage.connection.window.low
            for answer in await stage.answers():
                assert answer.status != NtStatus.INTERNAL_ERROR, (answer, caplog.text)
                assert not status_name(answer.status).startswith("0x")
        stage.ask(ECHO)
        assert (await stage.answers())[-1].command == ECHO
