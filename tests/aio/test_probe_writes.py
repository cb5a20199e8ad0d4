"""Which writes are made inline, and which ones would have to read a page or are held up."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import aio
import aio.probe
from aio.kernel import cachestat
from tests.aio.engines import a_file
from tests.aio.page_cache import make_cold, make_warm, resident_pages

PAGE = 4096
CONTENT = os.urandom(16 * PAGE + 100)


@pytest.fixture
def engine() -> aio.Engine:
    return aio.open_engine("nowait")


@pytest.fixture
def fd(engine: aio.Engine, folder: Path) -> Iterator[int]:
    with a_file(engine, folder, CONTENT) as opened:
        yield opened


@pytest.fixture
def cold(engine: aio.Engine, slow_folder: Path) -> Iterator[int]:
    with a_file(engine, slow_folder, CONTENT) as fd:
        engine.try_read(fd, memoryview(bytearray()), 0)  # learning reads a byte, once
        make_cold(fd)
        yield fd


def test_a_write_onto_resident_data_is_inline(engine: aio.Engine, fd: int) -> None:
    make_warm(fd)
    assert engine.try_write(fd, b"here", 5000) == 4
    assert engine.try_write(fd, memoryview(bytes(10_000)), 1) == 10_000
    assert os.pread(fd, 20_000, 0) == CONTENT[:1] + bytes(10_000) + CONTENT[10_001:20_000]
    stats = engine.statistics()
    assert (stats.writes_inline, stats.writes, stats.bytes_written) == (2, 2, 10_004)


def test_whole_pages_need_not_be_resident(engine: aio.Engine, cold: int) -> None:
    assert engine.try_write(cold, bytes(2 * PAGE), 4 * PAGE) == 2 * PAGE
    assert resident_pages(cold, len(CONTENT)) == 2  # nothing was read
    assert engine.statistics().writes_inline == 1


def test_an_extending_write_needs_only_the_last_page(engine: aio.Engine, cold: int) -> None:
    assert engine.try_write(cold, b"more", len(CONTENT)) is None
    os.pread(cold, 100, 16 * PAGE)
    assert engine.try_write(cold, b"more", len(CONTENT)) == 4
    assert os.pread(cold, 200, 16 * PAGE) == CONTENT[16 * PAGE :] + b"more"


def test_a_file_is_written_from_nothing_without_a_thread(engine: aio.Engine, fd: int) -> None:
    os.ftruncate(fd, 0)
    for offset in range(0, 100_000, 1000):
        assert engine.try_write(fd, b"x" * 1000, offset) == 1000
    assert os.fstat(fd).st_size == 100_000
    assert engine.statistics().writes_deferred == 0


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (5 * PAGE + 1, 100),  # in the middle of a page
        (5 * PAGE, PAGE + 1),  # its last page
        (6 * PAGE - 1, PAGE + 1),  # its first page
        (17 * PAGE, PAGE),  # behind the end, where the last page is zeroed from its end on
        (16 * PAGE + 50, 10_000),  # over the end, from within the last page
    ],
)
def test_part_of_a_page_that_is_not_resident_is_left_to_the_engine(
    engine: aio.Engine, cold: int, offset: int, length: int
) -> None:
    assert engine.try_write(cold, b"x" * length, offset) is None
    assert os.pread(cold, len(CONTENT) + 1, 0) == CONTENT  # nothing was done
    assert engine.statistics().writes_deferred == 1
    make_warm(cold)
    assert engine.try_write(cold, b"x" * length, offset) == length


def test_a_page_of_an_unreadable_file_is_found_by_cachestat(engine: aio.Engine, disk: Path) -> None:
    with (disk / "probe").open("wb") as probe:
        try:
            cachestat(probe.fileno(), 0, 1)
        except OSError as error:
            pytest.skip(f"cachestat: {error}")
    with a_file(engine, disk, CONTENT, os.O_WRONLY) as fd:
        reader = os.open(disk / "file", os.O_RDONLY)
        make_cold(reader)
        assert engine.try_write(fd, b"here", 5000) is None
        make_warm(reader)
        assert engine.try_write(fd, b"here", 5000) == 4
        os.close(reader)


def test_where_nobody_can_tell_part_of_a_page_is_left_to_the_engine(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no cachestat")

    monkeypatch.setattr("aio.storage.cachestat", missing)
    with a_file(engine, disk, CONTENT, os.O_WRONLY) as fd:
        assert engine.try_write(fd, b"here", 5000) is None
        assert engine.try_write(fd, bytes(PAGE), PAGE) == PAGE


@pytest.mark.parametrize("flag", [os.O_DSYNC, os.O_SYNC, os.O_DIRECT])
def test_a_file_whose_writes_wait_for_the_disk_is_never_written_inline(
    engine: aio.Engine, disk: Path, flag: int
) -> None:
    with a_file(engine, disk, CONTENT, os.O_RDWR | flag) as fd:
        assert engine.try_write(fd, bytes(PAGE), 0) is None
    assert engine.statistics().writes_deferred == 1


class Clock:
    """perf_counter, which goes on when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(aio.probe, "perf_counter", lambda: self.now)
        self._whole = os.pwrite
        self.a_write_takes = 0.0
        monkeypatch.setattr(os, "pwrite", self._pwrite)

    def _pwrite(self, fd: int, data: bytes, offset: int) -> int:
        self.now += self.a_write_takes
        return self._whole(fd, data, offset)


async def test_writes_that_stall_move_to_the_engine_and_back(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    with a_file(engine, tmpfs, CONTENT) as fd:
        clock.a_write_takes = 0.005
        assert engine.try_write(fd, b"slow", 0) == 4
        clock.a_write_takes = 0.100
        assert engine.try_write(fd, b"stalls", 0) == 6
        clock.a_write_takes = 0.0
        assert engine.try_write(fd, b"away", 0) is None
        assert await engine.write(fd, b"away", 0) == 4
        clock.now += 1.99
        assert engine.try_write(fd, b"away", 0) is None
        clock.now += 0.02
        assert engine.try_write(fd, b"back", 0) == 4
    await engine.aclose()
    stats = engine.statistics()
    assert (stats.stalls, stats.writes_inline, stats.writes_deferred) == (1, 3, 2)
    assert (stats.writes, stats.switches) == (4, 1)


def test_a_file_system_that_writes_without_waiting_is_asked_first(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As xfs does it: overwrites are taken, in part or whole, extending writes are refused."""
    asked: list[int] = []

    def pwritev(fd: int, data: tuple[bytes], offset: int, flags: int) -> int:
        assert flags == os.RWF_NOWAIT
        asked.append(offset)
        if offset + len(data[0]) > os.fstat(fd).st_size:
            raise BlockingIOError(errno.EAGAIN, "extends")
        return os.pwrite(fd, data[0][: 3 * PAGE], offset)

    monkeypatch.setattr(os, "pwritev", pwritev)
    with a_file(engine, disk, CONTENT) as fd:
        make_cold(fd)
        assert engine.try_write(fd, b"x" * 10, 5000) == 10  # cold, and yet it did not wait
        assert engine.try_write(fd, b"y" * PAGE, len(CONTENT) - 1) is None  # cold, and refused
        assert engine.try_write(fd, b"z" * 4 * PAGE, 0) == 4 * PAGE  # a part of it, then the rest
        make_warm(fd)
        assert engine.try_write(fd, b"y" * PAGE, len(CONTENT)) == PAGE
        assert os.pread(fd, 5 * PAGE, 0) == b"z" * 4 * PAGE + CONTENT[4 * PAGE : 5 * PAGE]
        assert os.pread(fd, 2 * PAGE, len(CONTENT) - 1) == CONTENT[-1:] + b"y" * PAGE
    assert len(asked) == 4


def test_a_file_system_that_cannot_is_asked_once(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def pwritev(*_: object) -> int:
        nonlocal asked
        asked += 1
        raise OSError(errno.EOPNOTSUPP, "reads only")

    monkeypatch.setattr(os, "pwritev", pwritev)
    for _ in range(3):
        with a_file(engine, disk, CONTENT) as fd:
            assert engine.try_write(fd, b"x", 0) == 1
    assert asked == 1


def test_an_error_of_the_disk_is_the_error(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pwritev(*_: object) -> int:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(os, "pwritev", pwritev)
    with a_file(engine, disk, CONTENT) as fd:
        with pytest.raises(OSError, match="full"):
            engine.try_write(fd, b"x", 0)
