"""What a file system or another program takes its time with waits elsewhere than in the loop."""

import fcntl
import os
import signal

import pytest
from trio.testing import wait_all_tasks_blocked

from aio import mounted, open_engine
from smbd import vfs
from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from tests.commands.stage import on_stage
from tests.commands.story import OPEN, Client, client
from tests.core import messages
from tests.core.messages import CANCEL, CLOSE, CREATE, QUERY_INFO, REPLAY
from tests.scripted.caching import BATCH, durable_v2

FUSE, OVERLAYFS = 0x65735546, 0x794C7630
READ, WRITE = Access.FILE_READ_DATA, Access.FILE_WRITE_DATA
BASIC = 4
PATIENCE = 60


def pretend(monkeypatch, path, kind):
    """Make the file system of a folder one of this kind, as far as anybody knows."""
    fd = os.open(path, os.O_PATH)
    look = mounted.look_at(fd)
    os.close(fd)
    monkeypatch.setattr(mounted, "_types", {(look.st_dev, look.mount): kind})
    monkeypatch.setattr(mounted, "file_system_type", lambda _fd: kind)


async def in_workers(stage, command, body):
    """The names of what this request asks of workers; it is answered all the same."""
    stage.calls.holding, before = True, len(stage.calls.held)
    stage.ask(command, body)
    while not stage.wire.frames:
        await wait_all_tasks_blocked()
        for call in stage.calls.held[before:]:
            call.finish()
    stage.calls.holding = False
    answer = await stage.answer()
    assert answer.status == 0
    return [call.name for call in stage.calls.held[before:]], answer


@pytest.fixture
def leased(tmp_path):
    """A file on which another program holds a lease, until it gives it up."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    (tmp_path / "file").touch()
    with (tmp_path / "file").open("rb") as holder:
        try:
            fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            pytest.skip(f"no leases here: {error.strerror}")
        yield lambda: fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    signal.signal(signal.SIGIO, before)


async def test_a_lease_of_another_program_holds_neither_loop_nor_worker(
    tmp_path, mock_clock, leased
):
    (tmp_path / "other").touch()
    async with on_stage(tmp_path) as stage:
        stage.ask(CREATE, messages.create("file", access=WRITE, disposition=OPEN))
        await wait_all_tasks_blocked()
        assert not stage.wire.frames
        await Client(stage).touch("other", disposition=OPEN)
        leased()
        mock_clock.jump(1)
        assert (await stage.answers())[-1].status == 0  # an interim response may come before


async def test_a_lease_that_is_not_given_up_is_a_sharing_violation(tmp_path, mock_clock, leased):
    async with on_stage(tmp_path) as stage:
        stage.ask(CREATE, messages.create("file", access=WRITE, disposition=OPEN))
        await wait_all_tasks_blocked()
        for _ in range(3):
            mock_clock.jump(PATIENCE / 2)
            await wait_all_tasks_blocked()
        answers = await stage.answers()
        assert answers[-1].status == NtStatus.SHARING_VIOLATION


async def test_who_waits_for_a_lease_can_be_called_back(tmp_path, mock_clock, leased):
    async with on_stage(tmp_path) as stage:
        number = stage.ask(CREATE, messages.create("file", access=WRITE, disposition=OPEN))
        await wait_all_tasks_blocked()
        stage.ask(CANCEL, message_id=number)
        assert (await stage.answers())[-1].status == NtStatus.CANCELLED


async def test_a_lease_says_nothing_to_who_only_reads(tmp_path, mock_clock, leased):
    async with client(tmp_path) as me:
        assert await me.status_of_open("file", READ) == 0


async def test_of_what_asks_others_nothing_is_asked_in_the_loop(tmp_path, mock_clock, monkeypatch):
    (tmp_path / "known").touch()
    pretend(monkeypatch, tmp_path, FUSE)
    async with on_stage(tmp_path) as stage:
        names, answer = await in_workers(stage, CREATE, messages.create("known", disposition=OPEN))
        assert names == ["open_or_create"]
        file = answer.file_id
        names, _ = await in_workers(stage, QUERY_INFO, messages.query_info(file, BASIC))
        assert names == ["_file"]
        names, _ = await in_workers(stage, CLOSE, messages.close(file, 1))
        assert names == ["information", "_close_file"]


async def test_a_descriptor_stays_while_a_worker_asks_it_for_a_replay(
    tmp_path, mock_clock, monkeypatch
):
    """A CLOSE comes meanwhile: the number would be another file's by then."""
    (tmp_path / "known").write_bytes(b"data")
    pretend(monkeypatch, tmp_path, FUSE)
    asks = {"oplock": BATCH, "contexts": [durable_v2(b"create guid 16 b")]}
    create = messages.create("known", disposition=OPEN, **asks)
    async with on_stage(tmp_path) as stage:
        _, opened = await in_workers(stage, CREATE, create)
        (fd,) = stage.fds
        stage.calls.holding = True
        stage.ask(CREATE, create, flags=REPLAY)
        await stage.answers()
        asking = stage.calls.held[-1]
        assert asking.name == "information"
        stage.ask(CLOSE, messages.close(opened.file_id))
        assert (await stage.answer()).status == 0
        os.fstat(fd)
        stage.calls.holding = False
        asking.finish()
        replayed = await stage.answer()
        assert (replayed.status, replayed.end_of_file) == (0, 4)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


@pytest.mark.parametrize(("access", "waits"), [(READ, False), (READ | WRITE, True)])
async def test_overlayfs_copies_up_in_a_worker(tmp_path, mock_clock, monkeypatch, access, waits):
    (tmp_path / "known").touch()
    pretend(monkeypatch, tmp_path, OVERLAYFS)
    async with on_stage(tmp_path) as stage:
        if not stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        (tmp_path / "known").stat()
        body = messages.create("known", access=access, disposition=OPEN)
        names, _ = await in_workers(stage, CREATE, body)
        assert bool(names) == waits


@pytest.mark.parametrize(("kind", "trusts"), [(0xEF53, True), (OVERLAYFS, False)])
async def test_what_an_open_has_seen_is_asked_again_where_it_may_be_of_yesterday(
    tmp_path, mock_clock, monkeypatch, kind, trusts
):
    (tmp_path / "known").touch()
    pretend(monkeypatch, tmp_path, kind)
    async with on_stage(tmp_path) as stage:
        if not stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        (tmp_path / "known").stat()
        with stage.root.open_cached("known", read=True, write=False) as file:
            assert (file.seen is not None) == trusts
            (tmp_path / "known").write_bytes(b"data")
            assert (vfs.examine(file)[0].end_of_file == 0) == trusts
            assert vfs.examine(file)[0].end_of_file == 4


async def test_a_time_that_a_handle_keeps_is_put_back_in_a_worker(tmp_path, mock_clock):
    then = 132_000_000_000_000_000
    async with on_stage(tmp_path) as stage:
        me = Client(stage)
        file = await me.open("file")
        times = b"".join(number.to_bytes(8, "little") for number in (0, 0, then, 0, 0))
        assert await me.set(file, BASIC, times) == 0
        (tmp_path / "file").write_bytes(b"what this handle wrote")
        names, _ = await in_workers(stage, QUERY_INFO, messages.query_info(file, BASIC))
        assert names[0] == "put_back"
        os.utime(tmp_path / "file")
        names, _ = await in_workers(stage, CLOSE, messages.close(file))
        assert names == ["_close_file"]
        assert (tmp_path / "file").stat().st_mtime == 1_555_526_400


async def test_what_was_written_after_a_close_keeps_its_time(tmp_path, mock_clock):
    then = 132_000_000_000_000_000
    async with on_stage(tmp_path) as stage:
        me = Client(stage)
        file = await me.open("file")
        times = b"".join(number.to_bytes(8, "little") for number in (0, 0, then, 0, 0))
        assert await me.set(file, BASIC, times) == 0
        stage.calls.holding = True
        stage.ask(CLOSE, messages.close(file))
        await wait_all_tasks_blocked()
        later = 4_000_000_000
        os.utime(tmp_path / "file", (later, later))
        stage.calls.held[-1].finish()
        assert (await stage.answer()).status == 0
        assert (tmp_path / "file").stat().st_mtime == later


async def test_a_file_system_is_asked_what_it_is_once(tmp_path, monkeypatch):
    asked = []
    ask = mounted.file_system_type

    def counted(fd):
        asked.append(fd)
        return ask(fd)

    monkeypatch.setattr(mounted, "_types", {})
    monkeypatch.setattr(mounted, "file_system_type", counted)
    (tmp_path / "file").write_bytes(b"data")
    engine = open_engine("nowait")
    for _ in range(5):
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        engine.attach(fd)
        engine.try_read(fd, memoryview(bytearray(4)), 0)
        engine.detach(fd)
        unique = mounted.look_at(fd).unique
        os.close(fd)
    await engine.aclose()
    if not unique:
        pytest.skip("the numbers of mounts are used again here (Linux 6.8)")
    assert len(asked) == 1
