"""CREATE that does not come to its end leaves neither a descriptor nor an open behind."""

import errno
import os
from pathlib import Path

import pytest

from smbd.auth import Identity
from smbd.commands import create
from smbd.ntstatus import NtStatus
from smbd.teardown import end_session
from tests.commands.stage import on_stage
from tests.commands.story import DIRECTORY, OPEN, client
from tests.core import messages
from tests.core.messages import CANCEL, CLOSE, CREATE, SET_INFO, TREE_DISCONNECT
from tests.scripted.caching import BATCH, durable_v2

DISPOSITION, RENAME = 13, 10  # FileDispositionInformation, FileRenameInformation
OVERWRITE_IF = 5


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_cancel_comes_too_late_once_a_worker_opens(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        before = descriptors()
        stage.calls.holding = True
        message_id = stage.ask(CREATE, messages.create("a"))
        await stage.answers()
        stage.ask(CANCEL, message_id=message_id)
        stage.calls.holding = False
        stage.calls.held[0].finish()
        created = await stage.answer()
        assert created.status == 0
        stage.ask(CLOSE, messages.close(created.file_id))
        assert (await stage.answer()).status == 0
        assert descriptors() == before


async def test_a_create_whose_connection_ends_while_a_worker_opens(tmp_path, mock_clock):
    before = descriptors()
    async with on_stage(tmp_path) as stage:
        stage.calls.holding = True
        stage.ask(CREATE, messages.create("a"))
        await stage.answers()
        assert len(stage.calls.held) == 1
    assert descriptors() == before


async def test_a_create_whose_session_ends_while_a_worker_opens(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        before = descriptors()
        stage.calls.holding = True
        stage.ask(CREATE, messages.create("a"))
        await stage.answers()
        await end_session(stage.service, stage.session)
        stage.calls.holding = False
        stage.calls.held[0].finish()
        assert (await stage.answer()).status == NtStatus.USER_SESSION_DELETED
        assert descriptors() == before
        assert not (tmp_path / "a").exists(), "a refused CREATE leaves no file"


async def test_a_create_whose_tree_ends_while_a_worker_opens(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        before = descriptors()
        stage.calls.holding = True
        stage.ask(CREATE, messages.create("a"))
        await stage.answers()
        stage.ask(TREE_DISCONNECT)
        assert (await stage.answer()).status == 0
        stage.calls.holding = False
        stage.calls.held[0].finish()
        assert (await stage.answer()).status == NtStatus.NETWORK_NAME_DELETED
        assert not (tmp_path / "a").exists()
        assert not list(stage.service.tables.opens)
        assert descriptors() == before


async def test_a_create_that_cannot_truncate_what_it_opened(tmp_path, mock_clock, monkeypatch):
    (tmp_path / "a").write_bytes(b"data")

    def truncate(file, wanted):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(create, "truncate", truncate)
    async with on_stage(tmp_path) as stage:
        before = descriptors()
        stage.ask(CREATE, messages.create("a", disposition=OVERWRITE_IF))
        assert (await stage.answer()).status == NtStatus.UNEXPECTED_IO_ERROR
        assert not list(stage.service.tables.opens)
        assert descriptors() == before


async def test_a_create_whose_session_ends_while_it_truncates(tmp_path, mock_clock):
    (tmp_path / "a").write_bytes(b"data")
    async with on_stage(tmp_path) as stage:
        before = descriptors()
        stage.calls.holding = True
        stage.ask(CREATE, messages.create("a", disposition=OVERWRITE_IF))
        await stage.answers()
        stage.calls.held[0].finish()
        await stage.answers()
        await end_session(stage.service, stage.session)
        stage.calls.holding = False
        _, truncating = stage.calls.held
        truncating.finish(OSError(errno.EIO, "too late"))
        await stage.answer()
        assert not list(stage.service.tables.opens)
        assert descriptors() == before


async def test_what_the_end_of_a_session_has_closed_is_in_no_table_again(tmp_path, mock_clock):
    (tmp_path / "a").write_bytes(b"data")
    async with on_stage(tmp_path) as stage:
        stage.session.identity = stage.session.first_identity = Identity("ann", "", b"")
        before = descriptors()
        stage.calls.holding = True
        asks = {"oplock": BATCH, "contexts": [durable_v2(b"create guid 16 b")]}
        stage.ask(CREATE, messages.create("a", disposition=OVERWRITE_IF, **asks))
        await stage.answers()
        stage.calls.held[0].finish()
        await stage.answers()
        await end_session(stage.service, stage.session, preserve=True)
        stage.calls.holding = False
        stage.calls.held[1].finish()
        assert (await stage.answer()).status == NtStatus.FILE_CLOSED
        tables = stage.service.tables
        assert not tables.creations._opens, "its replay would be given a closed file"
        assert not tables.durable.persistent
        assert descriptors() == before


async def test_a_sharing_violation(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        await stage.open("a", share=0)
        before = descriptors()
        stage.ask(CREATE, messages.create("a"))
        assert (await stage.answer()).status == NtStatus.SHARING_VIOLATION
        assert descriptors() == before


async def test_a_file_that_waits_for_its_deletion_cannot_be_opened(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(SET_INFO, messages.set_info(file_id, DISPOSITION, b"\1"))
        assert (await stage.answer()).status == 0
        stage.ask(CREATE, messages.create("a"))
        assert (await stage.answer()).status == NtStatus.DELETE_PENDING
        stage.ask(CLOSE, messages.close(file_id))
        assert (await stage.answer()).status == 0
        assert not (tmp_path / "a").exists()


async def test_a_create_waits_while_a_worker_unlinks_the_file_and_makes_another(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a", options=messages.DELETE_ON_CLOSE)
        stage.calls.holding = True
        stage.ask(CLOSE, messages.close(file_id))
        assert await stage.answers() == []
        stage.calls.holding = False
        stage.ask(CREATE, messages.create("a"))
        assert await stage.answers() == []
        stage.calls.held[0].finish()
        answers = {one.command: one.status for one in await stage.answers()}
        assert answers == {CLOSE: 0, CREATE: 0}  # in any order: each has a task
        assert (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("info_class", "data", "options"),
    [
        (DISPOSITION, b"\1", DIRECTORY),  # a worker sees whether it is empty
        (RENAME, bytes(16) + (2).to_bytes(4, "little") + "b".encode("utf-16-le") + bytes(4), 0),
    ],
)
async def test_set_info_that_a_close_in_the_same_burst_overtakes_is_no_bug(
    tmp_path, mock_clock, caplog, info_class, data, options
):
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a", options=options)
        stage.ask(SET_INFO, messages.set_info(file_id, info_class, data))
        stage.ask(CLOSE, messages.close(file_id))
        closed, changed = await stage.answers()
        assert (closed.command, closed.status) == (CLOSE, 0)
        assert changed.status in {0, NtStatus.FILE_CLOSED}
        assert not caplog.records


async def test_an_open_counts_the_length_of_its_path(tmp_path, mock_clock):
    deep = ["\u0101" * 100] * 10
    tmp_path.joinpath(*deep).mkdir(parents=True)
    async with client(tmp_path) as me:
        await me.open("\\".join(deep), options=DIRECTORY, disposition=OPEN)
        await me.open(deep[0], options=DIRECTORY, disposition=OPEN)
        long, short = (opened.memory.size for opened in me.stage.service.tables.opens)
        assert long - short == 2 * len("/" + "/".join(deep[1:]))
