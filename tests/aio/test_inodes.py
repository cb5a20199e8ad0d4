"""While a worker may hold a file's lock, nothing of that file is tried in the loop."""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

import aio
from aio.inodes import busy, inode_of
from aio.kernel import FALLOC_FL_KEEP_SIZE, fallocate, space
from tests.aio.engines import a_file
from tests.aio.page_cache import make_warm

PAGE = 4096
CONTENT = os.urandom(16 * PAGE)


@pytest.fixture
def engine() -> aio.Engine:
    return aio.open_engine("nowait")


@pytest.fixture
def fd(engine: aio.Engine, folder: Path) -> Iterator[int]:
    with a_file(engine, folder, CONTENT) as opened:
        assert engine.try_write(opened, CONTENT, 0) == len(CONTENT)
        yield opened


@contextmanager
def held(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> Iterator[tuple[trio.Event, threading.Event]]:
    """A call of `os`, in a worker: an event when it has begun, and one that lets it go on."""
    call = getattr(os, name)
    begun, go_on = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def wait(*args: object) -> object:
        token.run_sync_soon(begun.set)
        assert go_on.wait(10)
        return call(*args)

    monkeypatch.setattr(os, name, wait)
    try:
        yield begun, go_on
    finally:
        go_on.set()


@pytest.mark.usefixtures("in_python")
async def test_no_write_is_tried_while_the_file_is_flushed(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
    other_share = aio.open_engine("nowait")
    other_share.attach(again)
    assert other_share.try_write(again, b"before", 0) == 6
    with held(monkeypatch, "fsync") as (begun, go_on):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.fsync, fd)
            await begun.wait()
            assert engine.try_write(fd, b"meanwhile", 0) is None
            assert other_share.try_write(again, b"meanwhile", 0) is None
            go_on.set()
    assert engine.try_write(fd, b"after", 0) == 5
    assert other_share.try_write(again, b"after", 0) == 5
    other_share.detach(again)
    os.close(again)
    await engine.aclose()


@pytest.mark.usefixtures("in_python")
async def test_an_open_that_was_never_read_or_written_is_known_by_its_flush(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
    engine.attach(again)
    with held(monkeypatch, "fsync") as (begun, go_on):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.fsync, again)
            await begun.wait()
            assert engine.try_write(fd, b"meanwhile", 0) is None
            go_on.set()
    engine.detach(again)
    os.close(again)
    await engine.aclose()


async def test_no_write_is_tried_while_a_long_one_is_in_a_worker(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = aio.open_engine("nowait", inline_limit=PAGE)
    engine.attach(fd)
    assert engine.try_write(fd, CONTENT, 0) is None
    with held(monkeypatch, "pwrite") as (begun, go_on):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.write, fd, CONTENT, 0)
            await begun.wait()
            assert engine.try_write(fd, b"meanwhile", 0) is None
            go_on.set()
    assert engine.try_write(fd, b"after", 0) == 5
    engine.detach(fd)
    await engine.aclose()


async def test_a_short_write_that_had_to_wait_keeps_no_other_one_away(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else, of a client with many in flight, one in a worker would send the next one there too."""
    pwrite = os.pwrite
    with held(monkeypatch, "pwrite") as (begun, go_on):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.write, fd, b"short", 0)
            await begun.wait()
            monkeypatch.setattr(os, "pwrite", pwrite)
            assert engine.try_write(fd, b"meanwhile", 0) == 9
            go_on.set()
    await engine.aclose()


async def test_reads_that_may_take_the_lock_keep_away_too(
    engine: aio.Engine, overlay: Path
) -> None:
    with a_file(engine, overlay, CONTENT) as fd:
        make_warm(fd)
        into = memoryview(bytearray(PAGE))
        assert engine.try_read(fd, into, 0) == PAGE
        with busy(fd):
            assert engine.try_read(fd, into, 0) is None
        assert engine.try_read(fd, into, 0) == PAGE


def test_a_read_by_rwf_nowait_is_tried_whatever_is_at_work(engine: aio.Engine, disk: Path) -> None:
    """The kernel refuses it where it would wait for a lock."""
    with a_file(engine, disk, CONTENT) as fd:
        make_warm(fd)
        with busy(fd):
            assert engine.try_read(fd, memoryview(bytearray(PAGE)), 0) == PAGE


@pytest.mark.usefixtures("in_python")
async def test_a_read_in_a_worker_keeps_writes_away_where_reads_take_the_lock(
    engine: aio.Engine, xfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preadv = os.preadv
    with a_file(engine, xfs, CONTENT) as fd:
        assert engine.try_write(fd, b"before", 0) == 6
        with held(monkeypatch, "preadv") as (begun, go_on):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.read, fd, memoryview(bytearray(PAGE)), 0)
                await begun.wait()
                monkeypatch.setattr(os, "preadv", preadv)
                assert engine.try_write(fd, b"meanwhile", 0) is None
                go_on.set()
        assert engine.try_write(fd, b"after", 0) == 5
    await engine.aclose()


def test_where_reads_tell_of_the_lock_they_tell_of_other_programs_too(
    engine: aio.Engine, xfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preadv = os.preadv
    held = True

    def refuse(fd: int, into: Sequence[bytearray], offset: int, flags: int = 0) -> int:
        if held and flags == os.RWF_NOWAIT:
            raise BlockingIOError(errno.EAGAIN, "somebody is copying to it")
        return preadv(fd, into, offset, flags)

    with a_file(engine, xfs, CONTENT) as fd:
        assert engine.try_write(fd, b"before", 0) == 6
        make_warm(fd)
        monkeypatch.setattr(os, "preadv", refuse)
        assert engine.try_write(fd, bytes(PAGE), 0) is None
        held = False
        assert engine.try_write(fd, bytes(PAGE), 0) == PAGE


def test_allocating_and_punching_are_counted_by_themselves(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile: list[int | None] = []

    class Libc:
        def fallocate(self, *_: int) -> int:
            meanwhile.append(engine.try_write(fd, b"meanwhile", 0))
            return 0

    monkeypatch.setattr(space, "libc", Libc())
    fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PAGE)
    assert meanwhile == [None]
    assert engine.try_write(fd, b"after", 0) == 5


def test_what_nobody_holds_is_forgotten() -> None:
    inode = inode_of(1, 2)
    assert inode_of(1, 2) is inode
    with inode.at_work(exclusive=False):
        assert (inode.working, inode.exclusive) == (1, 0)
    assert (inode.working, inode.exclusive) == (0, 0)
