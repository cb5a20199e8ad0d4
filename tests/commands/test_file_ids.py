"""The FileId of a CREATE: whose it is, and what of it counts ([MS-SMB2] 3.3.5.12 and others)."""

from struct import pack, unpack

import pytest

from smbd.ntstatus import NtStatus
from smbd.session import Session
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CLOSE


async def status_of_close(stage, file_id):
    stage.ask(CLOSE, messages.close(file_id))
    return (await stage.answer()).status


async def test_the_halves_of_a_file_id_are_two_numbers(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        persistent, volatile = unpack("<QQ", await stage.open("a"))
        [opened] = stage.service.tables.opens
        assert (opened.persistent_id, opened.volatile_id) == (persistent, volatile)
        assert persistent != volatile


@pytest.mark.parametrize("wrong", [(1, 0), (0, 1)])
async def test_both_halves_of_a_file_id_must_be_right(tmp_path, mock_clock, wrong):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        halves = unpack("<QQ", file_id)
        other = pack("<QQ", *(half ^ flip for half, flip in zip(halves, wrong, strict=True)))
        assert await status_of_close(stage, other) == NtStatus.FILE_CLOSED
        assert await status_of_close(stage, file_id) == 0


async def test_an_open_is_found_through_the_tree_connect_that_made_it_alone(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id, first = await stage.open("a"), stage.peer.session.tree_id
        other = stage.session.connect(stage.share, 0x1F01FF, encrypt=False, root=stage.root)
        stage.peer.session.tree_id = other.tree_id
        assert await status_of_close(stage, file_id) == NtStatus.FILE_CLOSED
        stage.peer.session.tree_id = first
        assert await status_of_close(stage, file_id) == 0


async def test_an_open_is_found_by_the_session_that_made_it_alone(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        other = Session(8, 0.0)
        other.identity = stage.session.identity
        other.connect(stage.share, 0x1F01FF, encrypt=False, root=stage.root)
        stage.connection.add_channel(other)
        stage.peer.session.session_id = 8
        assert await status_of_close(stage, file_id) == NtStatus.FILE_CLOSED
        stage.peer.session.session_id = 7
        assert await status_of_close(stage, file_id) == 0
