"""RWF_DONTCACHE: long requests leave the page cache as it was, where the file system can."""

import errno
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import aio
from aio.base import Done
from aio.dontcache import try_dontcache
from aio.kernel import cachestat
from aio.ring import READ, Request, Ring
from tests.aio.engines import Form, a_file, read, write
from tests.aio.page_cache import make_cold, make_warm, resident_pages

PAGE = 4096
LONG = 1 << 20
CONTENT = os.urandom(8 * LONG)
PAGES = len(CONTENT) // PAGE
DONTCACHE = 0x80


@pytest.fixture(params=["threads", "libaio", "uring", "nowait", "nowait+uring"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[aio.Engine]:
    opened = Form(request.param, {"dontcache": LONG}).open()
    yield opened
    await opened.aclose()


@pytest.fixture
async def threads() -> AsyncIterator[aio.Engine]:
    """Behind the probe."""
    opened = aio.open_engine("nowait", dontcache=LONG)
    yield opened
    await opened.aclose()


@pytest.fixture
def can(disk: Path) -> Path:
    """A folder where it is to be had."""
    fd = os.open(disk, os.O_TMPFILE | os.O_RDWR)
    try:
        try_dontcache(fd, writing=False)
        try_dontcache(fd, writing=True)
    except OSError as error:
        pytest.skip(f"RWF_DONTCACHE: {error}")
    finally:
        os.close(fd)
    return disk


@pytest.fixture
def fd(engine: aio.Engine, can: Path) -> Iterator[int]:
    with a_file(engine, can, CONTENT) as opened:
        yield opened


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Of every request to the kernel by workers and rings."""
    seen: list[tuple[str, int]] = []
    preadv, pwrite, pwritev, begin = os.preadv, os.pwrite, os.pwritev, Ring.begin

    def read(fd: int, into: object, offset: int, flags: int) -> int:
        seen.append(("read", flags))
        return preadv(fd, into, offset, flags)  # type: ignore[arg-type]

    def write(fd: int, data: bytes, offset: int) -> int:
        seen.append(("write", 0))
        return pwrite(fd, data, offset)

    def write_with(fd: int, data: object, offset: int, flags: int) -> int:
        seen.append(("write", flags))
        return pwritev(fd, data, offset, flags)  # type: ignore[arg-type]

    def in_ring(ring: Ring, request: Request, done: Done) -> None:
        seen.append(("read" if request.code == READ else "write", request.flags))
        begin(ring, request, done)

    monkeypatch.setattr(os, "preadv", read)
    monkeypatch.setattr(os, "pwrite", write)
    monkeypatch.setattr(os, "pwritev", write_with)
    monkeypatch.setattr(Ring, "begin", in_ring)
    return seen


async def test_a_cold_stream_leaves_hardly_a_page_behind(engine: aio.Engine, fd: int) -> None:
    await read(engine, fd, 1, 0)  # from here on the file system is known
    make_cold(fd)
    for offset in range(0, len(CONTENT), LONG):
        assert await read(engine, fd, LONG, offset) == CONTENT[offset : offset + LONG]
    assert resident_pages(fd, len(CONTENT)) <= PAGES // 8  # one that is being looked at stays


async def test_shorter_requests_are_cached_as_ever(engine: aio.Engine, fd: int) -> None:
    await read(engine, fd, 1, 0)
    make_cold(fd)
    for offset in range(0, LONG, LONG // 2):
        assert await read(engine, fd, LONG // 2, offset) == CONTENT[offset : offset + LONG // 2]
    assert resident_pages(fd, len(CONTENT)) >= LONG // PAGE


async def test_what_was_cached_stays(engine: aio.Engine, fd: int) -> None:
    await read(engine, fd, 1, 0)
    make_cold(fd)
    assert len(os.pread(fd, LONG // 2, 0)) == LONG // 2
    before = resident_pages(fd, len(CONTENT))
    for _ in range(2):
        assert await read(engine, fd, LONG, 0) == CONTENT[:LONG]
        assert resident_pages(fd, LONG // 2) == LONG // 2 // PAGE
    assert resident_pages(fd, len(CONTENT)) <= before + LONG // PAGE // 8
    make_warm(fd)
    assert await read(engine, fd, LONG, LONG) == CONTENT[LONG : 2 * LONG]
    assert resident_pages(fd, 2 * LONG) == 2 * LONG // PAGE


async def test_what_is_written_goes_to_the_disk_at_once(engine: aio.Engine, fd: int) -> None:
    try:
        os.fsync(fd)
        assert cachestat(fd, 0, len(CONTENT)).dirty == 0
    except OSError as error:
        pytest.skip(f"cachestat: {error}")
    assert await write(engine, fd, bytes(LONG), LONG) == LONG
    assert cachestat(fd, 0, len(CONTENT)).dirty == 0
    for _ in range(20):  # another program's sync may come between
        assert await write(engine, fd, bytes(PAGE), 0) == PAGE
        if stays := cachestat(fd, 0, len(CONTENT)).dirty > 0:
            break
    assert stays, "a short write stays in the page cache"
    assert os.pread(fd, 2 * LONG + 1, 0) == (
        bytes(PAGE) + CONTENT[PAGE:LONG] + bytes(LONG) + CONTENT[2 * LONG : 2 * LONG + 1]
    )


async def test_what_is_written_to_xfs_leaves_the_cache(xfs: Path) -> None:
    engine = aio.open_engine("nowait", dontcache=LONG)
    with a_file(engine, xfs, CONTENT) as fd:
        try:
            try_dontcache(fd, writing=True)
        except OSError as error:
            pytest.skip(f"RWF_DONTCACHE: {error}")
        make_cold(fd)
        assert await write(engine, fd, bytes(LONG), 0) == LONG
        os.fsync(fd)
        assert resident_pages(fd, len(CONTENT)) <= LONG // PAGE // 8
        assert await read(engine, fd, LONG, 0) == bytes(LONG)
    await engine.aclose()


async def test_long_requests_have_the_flag_and_no_others(
    engine: aio.Engine, fd: int, flags: list[tuple[str, int]]
) -> None:
    await read(engine, fd, 1, 0)
    flags.clear()
    for length in (LONG, 2 * LONG):
        await read(engine, fd, length, 0)
        assert await write(engine, fd, bytes(length), 0) == length
    assert set(flags) == {("read", DONTCACHE), ("write", DONTCACHE)}
    flags.clear()
    await engine.read(fd, memoryview(bytearray(LONG - 1)), 0)
    await engine.write(fd, bytes(LONG - 1), 0)
    assert set(flags) == {("read", 0), ("write", 0)}


async def test_a_file_system_that_cannot_is_asked_once_for_each_direction(
    engine: aio.Engine, tmpfs: Path, flags: list[tuple[str, int]]
) -> None:
    with a_file(engine, tmpfs, CONTENT) as fd:
        for _ in range(2):
            into = memoryview(bytearray(LONG))
            assert await engine.read(fd, into, 0) == LONG
            assert into == CONTENT[:LONG]
        assert flags == [("read", DONTCACHE), ("read", 0), ("read", 0)]
        flags.clear()
        for _ in range(2):
            assert await engine.write(fd, CONTENT[LONG : 2 * LONG], 0) == LONG
        assert flags == [("write", DONTCACHE), ("write", 0), ("write", 0)]
        assert os.pread(fd, LONG, 0) == CONTENT[LONG : 2 * LONG]


async def test_a_wrong_request_teaches_nothing(
    engine: aio.Engine, fd: int, flags: list[tuple[str, int]]
) -> None:
    with pytest.raises(OSError, match="Invalid argument") as caught:
        await engine.read(fd, memoryview(bytearray(LONG)), (1 << 63) - 1)
    assert caught.value.errno == errno.EINVAL
    flags.clear()
    await engine.read(fd, memoryview(bytearray(LONG)), 0)
    assert flags == [("read", DONTCACHE)]


async def test_behind_the_probe_long_requests_are_not_tried(threads: aio.Engine, can: Path) -> None:
    with a_file(threads, can, CONTENT) as fd:
        make_warm(fd)
        assert threads.try_read(fd, memoryview(bytearray(LONG - 1)), 0) == LONG - 1
        assert threads.try_read(fd, memoryview(bytearray(LONG)), 0) is None
        assert threads.try_write(fd, bytes(LONG - 1), 0) == LONG - 1
        assert threads.try_write(fd, bytes(LONG), 0) is None
    stats = threads.statistics()
    assert (stats.hits, stats.writes_inline, stats.oversize) == (1, 1, 2)


@pytest.mark.usefixtures("in_python")
async def test_behind_the_probe_they_are_tried_where_it_is_not_to_be_had(
    threads: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preadv = os.preadv

    def refuse(fd: int, into: object, offset: int, flags: int = 0) -> int:
        if flags & DONTCACHE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return preadv(fd, into, offset, flags)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "preadv", refuse)
    with a_file(threads, disk, CONTENT) as fd:
        make_warm(fd)
        into = memoryview(bytearray(LONG))
        assert threads.try_read(fd, into, 0) is None
        assert await threads.read(fd, into, 0) == LONG
        assert threads.try_read(fd, into, 0) == LONG
    assert threads.statistics().oversize == 1


async def test_an_engine_without_the_option_leaves_the_probe_as_it_is(
    no_uring: str, disk: Path
) -> None:
    engine = aio.open_engine("nowait+uring,sync", dontcache=LONG)
    with a_file(engine, disk, CONTENT) as fd:
        make_warm(fd)
        assert engine.try_read(fd, memoryview(bytearray(LONG)), 0) == LONG
    await engine.aclose()
