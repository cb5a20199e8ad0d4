"""Residency is believed for a while: what that saves, and what a wrong belief costs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import aio
import aio.probe
from aio import residency
from aio.kernel import PageVector
from tests.aio.engines import a_file
from tests.aio.gates import written_lately
from tests.aio.page_cache import make_cold, make_warm

PAGE = 4096
STRETCH = 16 * PAGE  # asked for at once
CONTENT = os.urandom(3 * STRETCH + 5 * PAGE + 100)


class Clock:
    """perf_counter, which goes on when the test says so, or with each read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.a_read_takes = 0.0
        self._preadv = aio.probe._preadv
        monkeypatch.setattr(aio.probe, "perf_counter", lambda: self.now)
        monkeypatch.setattr(aio.probe, "_preadv", self._read)

    def _read(self, fd: int, into: tuple[memoryview], offset: int, flags: int = 0) -> int:
        self.now += self.a_read_takes
        return self._preadv(fd, into, offset, flags)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pages each call of mincore was about."""
    pages: list[int] = []
    mincore = residency.mincore

    def note(address: int, length: int, vector: PageVector) -> None:
        pages.append(length // PAGE)
        mincore(address, length, vector)

    monkeypatch.setattr(residency, "mincore", note)
    return pages


@pytest.fixture
def engine(asked: list[int]) -> aio.Engine:
    """Never closed: no test here gives it a call for its threads."""
    return aio.open_engine("nowait")


@pytest.fixture
def fd(engine: aio.Engine, overlay: Path, asked: list[int]) -> Iterator[int]:
    """A warm file that the probe has learnt about, and nobody has asked about its pages."""
    with a_file(engine, overlay, CONTENT) as opened:
        engine.try_read(opened, memoryview(bytearray(0)), 0)
        os.fsync(opened)
        os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_RANDOM)
        make_warm(opened)
        asked.clear()
        yield opened


def read(engine: aio.Engine, fd: int, offset: int, length: int = PAGE) -> bytes | None:
    into = memoryview(bytearray(length))
    count = engine.try_read(fd, into, offset)
    return None if count is None else bytes(into[:count])


def test_one_question_answers_for_all_that_lies_together(
    engine: aio.Engine, fd: int, asked: list[int]
) -> None:
    for offset in range(0, STRETCH, PAGE):
        assert read(engine, fd, offset) == CONTENT[offset : offset + PAGE]
    assert asked == [16]


def test_what_was_found_is_believed_for_a_tenth_of_a_second_at_first(
    engine: aio.Engine, fd: int, asked: list[int], clock: Clock
) -> None:
    read(engine, fd, 0)
    clock.now += 0.09
    read(engine, fd, 0)
    assert asked == [16]
    clock.now += 0.02
    read(engine, fd, 0)
    assert asked == [16, 16]


def test_and_twice_as_long_each_time_if_it_was_right(
    engine: aio.Engine, fd: int, asked: list[int], clock: Clock
) -> None:
    read(engine, fd, 0)
    for times, believed in enumerate((0.1, 0.2, 0.4, 0.8, 1.6, 1.6), 1):
        clock.now += 0.9 * believed
        read(engine, fd, 0)
        assert len(asked) == times
        clock.now += 0.11 * believed
        read(engine, fd, 0)
        assert len(asked) == times + 1
    make_cold(fd)
    clock.now += 1.7
    assert read(engine, fd, 0) is None
    clock.now += 1.7
    make_warm(fd)
    asked.clear()
    read(engine, fd, 0)
    clock.now += 0.11
    read(engine, fd, 0)
    assert asked == [16, 16]


def test_who_took_as_long_as_a_disk_is_believed_no_more(
    engine: aio.Engine, fd: int, asked: list[int], clock: Clock
) -> None:
    read(engine, fd, 0)
    read(engine, fd, STRETCH)
    clock.a_read_takes = 0.00007
    make_cold(fd)
    assert read(engine, fd, 0) == CONTENT[:PAGE]
    clock.a_read_takes = 0
    asked.clear()
    assert read(engine, fd, PAGE) is None
    assert asked == [16]
    make_warm(fd)
    assert read(engine, fd, STRETCH) == CONTENT[STRETCH : STRETCH + PAGE]
    assert asked == [16]  # of the other stretch nothing was to be doubted
    assert engine.statistics().slept == 0


def test_doubts_in_a_row_end_every_belief(
    engine: aio.Engine, fd: int, asked: list[int], clock: Clock
) -> None:
    for stretch in range(3):
        read(engine, fd, stretch * STRETCH)
    clock.a_read_takes = 0.00007
    for _ in range(3):
        read(engine, fd, 0)
    asked.clear()
    read(engine, fd, STRETCH)
    assert asked == [16]


def test_an_interrupt_now_and_then_is_no_row(
    engine: aio.Engine, fd: int, asked: list[int], clock: Clock
) -> None:
    read(engine, fd, STRETCH)
    for _ in range(10):
        clock.a_read_takes = 0.00007
        read(engine, fd, 0)
        clock.a_read_takes = 0
        for _ in range(20):
            read(engine, fd, STRETCH)
    assert asked == [16] * 11  # once for that which is never doubted


@pytest.mark.parametrize(("takes", "reads"), [(0.005, 1), (0.00007, 3)])
def test_what_was_evicted_from_one_file_is_believed_of_no_other(
    engine: aio.Engine,
    overlay: Path,
    asked: list[int],
    clock: Clock,
    *,
    takes: float,
    reads: int,
) -> None:
    """After an eviction each of many open files would have the loop wait for the disk once."""
    with contextlib.ExitStack() as stack:
        folders = [overlay / f"{number}" for number in range(9)]
        for folder in folders:
            folder.mkdir()
        fds = [stack.enter_context(a_file(engine, folder, CONTENT)) for folder in folders]
        for fd in fds:
            make_warm(fd)
            read(engine, fd, 0)
        asked.clear()
        clock.a_read_takes = takes
        for fd in fds:
            read(engine, fd, 0)
    assert len(asked) == len(fds) - reads


def test_of_a_read_over_many_pages_nothing_is_believed(
    engine: aio.Engine, fd: int, asked: list[int]
) -> None:
    for _ in range(2):
        read(engine, fd, 0, 3 * STRETCH)
    assert asked == [48, 48]


def test_a_file_as_long_as_can_be_is_not_asked_about(asked: list[int], xfs: Path) -> None:
    """No page is behind its end that could show whether mincore tells the truth."""
    engine = aio.open_engine("nowait")
    with a_file(engine, xfs, CONTENT) as fd:
        os.ftruncate(fd, (1 << 63) - PAGE)
        beliefs = residency.Beliefs()
        assert not residency.Residency(fd, residency.vector_for(PAGE), beliefs).trusted
        os.ftruncate(fd, (1 << 63) - (1 << 31))
        near = residency.Residency(fd, residency.vector_for(PAGE), beliefs)
        assert near.trusted
        assert near.resident((1 << 63) - (1 << 31) - PAGE, PAGE, 0.0) is False
        near.close()


def test_a_long_read_may_take_longer(
    engine: aio.Engine, fd: int, asked: list[int], clock: Clock
) -> None:
    clock.a_read_takes = 0.00007
    for _ in range(2):
        read(engine, fd, 0, 2 * STRETCH)
    assert asked == [32]


def test_what_was_evicted_meanwhile_costs_time_and_no_data(
    engine: aio.Engine, fd: int, clock: Clock
) -> None:
    read(engine, fd, 0)
    make_cold(fd)
    assert read(engine, fd, PAGE) == CONTENT[PAGE : 2 * PAGE]  # believed: the loop has waited
    make_cold(fd)
    clock.now += 0.2
    assert read(engine, fd, PAGE) is None


def test_after_a_belief_that_was_wrong_everything_is_asked_anew(
    engine: aio.Engine, fd: int, clock: Clock
) -> None:
    read(engine, fd, 0)
    read(engine, fd, STRETCH)
    make_cold(fd)
    clock.a_read_takes = 0.005
    assert read(engine, fd, 0) is not None
    assert engine.statistics().slept == 1
    assert read(engine, fd, STRETCH) is None


def a_write_takes(seconds: float, fd: int, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite

    def slow(fd: int, data: bytes, offset: int) -> int:
        clock.now += seconds
        return pwrite(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", slow)
    written_lately(fd, clock.now)


def test_a_write_that_stalled_was_a_wrong_belief_too(
    engine: aio.Engine, fd: int, asked: list[int], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_write_takes(0.05, fd, clock, monkeypatch)
    read(engine, fd, 0)
    assert engine.try_write(fd, b"part of a page", 10) == 14
    assert engine.statistics().stalls == 1
    read(engine, fd, 0)
    assert asked == [16, 16]


def test_a_part_of_a_page_that_took_long_to_write_was_not_there(
    engine: aio.Engine, fd: int, asked: list[int], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_write_takes(0.00007, fd, clock, monkeypatch)
    read(engine, fd, 0)
    assert engine.try_write(fd, bytes(PAGE), 0) == PAGE  # a whole one needs not be read
    assert engine.try_write(fd, b"part of a page", 10) == 14
    assert asked == [16]
    read(engine, fd, 0)
    assert asked == [16, 16]


def test_where_a_page_is_missing_nothing_is_believed(
    engine: aio.Engine, fd: int, asked: list[int]
) -> None:
    make_cold(fd)
    for page in range(16):
        if page != 5:
            os.pread(fd, PAGE, page * PAGE)
    for _ in range(2):
        assert read(engine, fd, 0) == CONTENT[:PAGE]
        assert read(engine, fd, 5 * PAGE) is None
        assert read(engine, fd, 4 * PAGE, 2 * PAGE) is None
        assert read(engine, fd, 6 * PAGE) == CONTENT[6 * PAGE : 7 * PAGE]
    assert asked == [16] * 8


def test_a_long_read_needs_every_stretch_that_it_touches(
    engine: aio.Engine, fd: int, asked: list[int]
) -> None:
    read(engine, fd, 0)
    read(engine, fd, STRETCH)
    long = 2 * STRETCH - PAGE
    assert read(engine, fd, 10, long) == CONTENT[10 : 10 + long]
    assert asked == [16, 16]
    assert read(engine, fd, 10, long + PAGE) == CONTENT[10 : 10 + long + PAGE]
    assert read(engine, fd, 2 * STRETCH) == CONTENT[2 * STRETCH : 2 * STRETCH + PAGE]
    assert asked == [16, 16, 48]


def test_the_last_stretch_is_believed_as_far_as_the_file_goes(
    engine: aio.Engine, fd: int, asked: list[int]
) -> None:
    for _ in range(2):
        assert read(engine, fd, 3 * STRETCH) == CONTENT[3 * STRETCH : 3 * STRETCH + PAGE]
        assert read(engine, fd, len(CONTENT) - 100, 8 * PAGE) == CONTENT[-100:]
        assert read(engine, fd, len(CONTENT) + PAGE) == b""
    assert asked == [16]


def test_a_file_that_was_cut_short_meanwhile_ends_where_it_ends(
    engine: aio.Engine, fd: int
) -> None:
    make_cold(fd)
    assert read(engine, fd, 0) is None  # from here on its size is known
    os.ftruncate(fd, STRETCH + 100)
    assert read(engine, fd, 2 * STRETCH) is None  # a thread will say so
    assert read(engine, fd, 4 * STRETCH) == b""
    os.ftruncate(fd, 0)
    os.pwrite(fd, CONTENT + CONTENT, 0)
    at = len(CONTENT) + 2 * PAGE
    assert read(engine, fd, at) == CONTENT[2 * PAGE : 3 * PAGE]
