"""The page-cache probe: what it takes for cached, and what it leaves to the engine.

On real file systems: one that has RWF_NOWAIT, a tmpfs, an overlayfs.
"""

import errno
import os
import random
from pathlib import Path

import pytest

import aio
import aio.probe
from aio.residency import Residency
from tests.aio.engines import a_file, attached
from tests.aio.page_cache import make_cold, make_warm, resident_pages

PAGE = 4096
CONTENT = os.urandom(64 * PAGE + 100)


@pytest.fixture
def engine() -> aio.Engine:
    """Never closed: no test here gives it a call for its threads without closing it itself."""
    return aio.open_engine("nowait")


def try_read(engine: aio.Engine, fd: int, length: int, offset: int) -> bytes | None:
    into = memoryview(bytearray(length))
    count = engine.try_read(fd, into, offset)
    return None if count is None else bytes(into[:count])


def test_warm_data_is_a_hit(engine: aio.Engine, folder: Path) -> None:
    with a_file(engine, folder, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
        assert try_read(engine, fd, 10_000, 777) == CONTENT[777:10_777]
    stats = engine.statistics()
    assert (stats.hits, stats.misses, stats.unknown) == (2, 0, 0)
    assert (stats.reads, stats.bytes_read, stats.switches) == (2, PAGE + 10_000, 0)


async def test_cold_data_is_a_miss_that_a_thread_reads(
    engine: aio.Engine, slow_folder: Path
) -> None:
    with a_file(engine, slow_folder, CONTENT) as fd:
        make_cold(fd)
        assert try_read(engine, fd, PAGE, 40 * PAGE) is None
        into = memoryview(bytearray(PAGE))
        assert await engine.read(fd, into, 40 * PAGE) == PAGE
        assert into == CONTENT[40 * PAGE : 41 * PAGE]
        assert try_read(engine, fd, PAGE, 40 * PAGE) == CONTENT[40 * PAGE : 41 * PAGE]
        await engine.aclose()
    stats = engine.statistics()
    assert (stats.hits, stats.misses, stats.unknown, stats.switches) == (1, 1, 0, 1)


def test_partly_cached_data_is_a_miss(engine: aio.Engine, slow_folder: Path) -> None:
    with a_file(engine, slow_folder, CONTENT) as fd:
        # Now the probe knows this file system; what it believes of pages is not of these.
        assert try_read(engine, fd, 1, 40 * PAGE) is not None
        make_cold(fd)
        assert os.pread(fd, PAGE, 0) == CONTENT[:PAGE]
        assert resident_pages(fd, len(CONTENT)) == 1
        assert try_read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
        assert try_read(engine, fd, 4 * PAGE, 0) is None  # a short count that is no end of file
    assert engine.statistics().misses == 1


def test_the_tail_of_a_file_is_a_hit(engine: aio.Engine, folder: Path) -> None:
    with a_file(engine, folder, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, PAGE, 64 * PAGE) == CONTENT[-100:]
        assert try_read(engine, fd, 8 * PAGE, 63 * PAGE + 5) == CONTENT[63 * PAGE + 5 :]
    assert engine.statistics().hits == 2


def test_a_cold_tail_is_a_miss(engine: aio.Engine, slow_folder: Path) -> None:
    with a_file(engine, slow_folder, CONTENT) as fd:
        make_cold(fd)
        assert try_read(engine, fd, PAGE, 64 * PAGE) is None
    assert engine.statistics().misses == 1


def test_at_and_behind_the_end_there_is_nothing_to_wait_for(
    engine: aio.Engine, folder: Path
) -> None:
    with a_file(engine, folder, CONTENT) as fd:
        assert try_read(engine, fd, PAGE, len(CONTENT)) == b""
        assert try_read(engine, fd, PAGE, 65 * PAGE) == b""
        assert try_read(engine, fd, PAGE, 1 << 40) == b""
        assert try_read(engine, fd, 0, 5) == b""
    assert engine.statistics().hits == 4


def test_an_empty_file_is_a_hit(engine: aio.Engine, folder: Path) -> None:
    with a_file(engine, folder, b"") as fd:
        assert try_read(engine, fd, PAGE, 0) == b""


def test_a_file_that_grows_is_found_at_its_new_end(engine: aio.Engine, folder: Path) -> None:
    with a_file(engine, folder, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, PAGE, 64 * PAGE) == CONTENT[-100:]
        os.pwrite(fd, b"more", len(CONTENT))
        os.pwrite(fd, b"far behind", 5 << 20)
        assert try_read(engine, fd, PAGE, 64 * PAGE) == CONTENT[-100:] + b"more" + bytes(PAGE - 104)
        assert try_read(engine, fd, PAGE, 5 << 20) == b"far behind"


def test_a_file_that_shrinks_harms_nobody(engine: aio.Engine, folder: Path) -> None:
    with a_file(engine, folder, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, PAGE, 60 * PAGE) is not None
        os.ftruncate(fd, 2 * PAGE)
        assert try_read(engine, fd, PAGE, 60 * PAGE) == b""
        assert try_read(engine, fd, PAGE, PAGE + 10) == CONTENT[PAGE + 10 : 2 * PAGE]


def test_a_hole_in_memory_is_a_hit(engine: aio.Engine, tmpfs: Path) -> None:
    with a_file(engine, tmpfs, b"") as fd:
        os.ftruncate(fd, 1 << 30)
        assert try_read(engine, fd, PAGE, 5 << 20) == bytes(PAGE)
    assert engine.statistics().hits == 1


def test_data_that_may_be_swapped_out_is_probed_by_residency(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aio.file_systems._has_swap", lambda: True)
    with a_file(engine, tmpfs, CONTENT) as fd:
        assert try_read(engine, fd, 10_000, 0) == CONTENT[:10_000]
        os.ftruncate(fd, 1 << 30)
        assert try_read(engine, fd, PAGE, 5 << 20) is None  # a hole has no page
    assert engine.statistics().misses == 1


def test_without_rwf_nowait_residency_serves_any_file_system(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "RWF_NOWAIT")
    with a_file(engine, disk, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, 5 * PAGE, 777) == CONTENT[777 : 777 + 5 * PAGE]
        make_cold(fd)
        assert try_read(engine, fd, PAGE, 40 * PAGE) is None
    stats = engine.statistics()
    assert (stats.hits, stats.misses, stats.unknown) == (1, 1, 0)


def test_a_file_that_refuses_what_its_file_system_has_is_probed_otherwise(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, into: object, offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(errno.EOPNOTSUPP, "not for this file")
        return os.preadv(fd, into, offset)  # type: ignore[arg-type]

    with a_file(engine, disk, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
        monkeypatch.setattr(aio.probe, "_preadv", refuse)
        assert try_read(engine, fd, PAGE, PAGE) == CONTENT[PAGE : 2 * PAGE]
        assert try_read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
    assert engine.statistics().hits == 3


def test_another_error_of_the_probing_read_is_the_error(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> int:
        raise OSError(errno.EIO, "the disk is dying")

    with a_file(engine, disk, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, PAGE, 0) is not None
        monkeypatch.setattr(aio.probe, "_preadv", break_down)
        with pytest.raises(OSError, match="dying"):
            try_read(engine, fd, PAGE, 0)


def test_longer_reads_than_the_limit_go_to_the_engine(folder: Path) -> None:
    engine = aio.open_engine("nowait", inline_limit=2 * PAGE)
    with a_file(engine, folder, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, 2 * PAGE, 0) == CONTENT[: 2 * PAGE]
        assert try_read(engine, fd, 2 * PAGE, 4095) == CONTENT[4095 : 4095 + 2 * PAGE]
        assert try_read(engine, fd, 2 * PAGE + 1, 0) is None
        assert engine.try_write(fd, bytes(2 * PAGE + 1), 0) is None
    assert engine.statistics().oversize == 2


def test_nothing_is_known_of_a_file_that_was_never_attached(engine: aio.Engine, disk: Path) -> None:
    path = disk / "file"
    path.write_bytes(CONTENT)
    with path.open("rb+") as file:
        assert try_read(engine, file.fileno(), PAGE, 0) is None
        assert engine.try_write(file.fileno(), b"x", 0) is None
        engine.detach(file.fileno())
    stats = engine.statistics()
    assert (stats.unknown, stats.writes_deferred) == (1, 1)


@pytest.mark.parametrize("flag", [os.O_DIRECT, os.O_WRONLY])
def test_reads_of_what_has_no_page_cache_or_no_right_go_to_the_engine(
    engine: aio.Engine, disk: Path, flag: int
) -> None:
    path = disk / "file"
    path.write_bytes(CONTENT)
    with attached(engine, path, flag) as fd:
        assert try_read(engine, fd, PAGE, 0) is None
    assert engine.statistics().unknown == 1


def test_a_guess_that_slept_is_counted(
    engine: aio.Engine, overlay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.002
        return now

    with a_file(engine, overlay, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, PAGE, 0) is not None
        assert engine.statistics().slept == 0
        monkeypatch.setattr(aio.probe, "perf_counter", clock)
        assert try_read(engine, fd, PAGE, 0) is not None
    assert engine.statistics().slept == 1
    assert engine.statistics().hits == 2


def test_after_a_probe_that_stalled_only_what_is_known_to_be_cached_is_probed(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused probe has submitted its read, and waited for a place in the device's queue."""
    now, seconds, probes = 0.0, 0.1, 0

    def preadv(*arguments: object) -> int:
        nonlocal now, probes
        probes += 1
        now += seconds
        return os.preadv(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(aio.probe, "perf_counter", lambda: now)
    monkeypatch.setattr(aio.probe, "_preadv", preadv)
    with a_file(engine, disk, CONTENT) as fd:
        make_cold(fd)
        # Not page 0: to learn of the file system its first byte is asked for, and may come soon.
        assert try_read(engine, fd, PAGE, 40 * PAGE) is None
        assert engine.statistics().slept == 1
        seconds = 0.0
        os.pread(fd, PAGE, 8 * PAGE)

        assert try_read(engine, fd, PAGE, 16 * PAGE) is None
        assert try_read(engine, fd, PAGE, 8 * PAGE) == CONTENT[8 * PAGE : 9 * PAGE]

        assert probes == 2  # the first, and the one that was a hit
        now += 100 * 0.1
        assert try_read(engine, fd, PAGE, 24 * PAGE) is None
        assert probes == 3
    stats = engine.statistics()
    assert (stats.hits, stats.misses, stats.slept) == (1, 3, 1)


def test_probes_that_wait_for_a_place_a_little_each_are_noticed_together(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue of four places, and two milliseconds a read: three quarters of the loop's time."""
    now, probes = 0.0, 0

    def preadv(*arguments: object) -> int:
        nonlocal now, probes
        probes += 1
        now += 0.002
        return os.preadv(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(aio.probe, "perf_counter", lambda: now)
    monkeypatch.setattr(aio.probe, "_preadv", preadv)
    with a_file(engine, disk, CONTENT) as fd:
        make_cold(fd)
        for page in range(1, 17):
            assert try_read(engine, fd, PAGE, page * PAGE) is None
        assert probes == 5
        now += 1.1  # a hundred times as long
        for page in range(17, 33):
            assert try_read(engine, fd, PAGE, page * PAGE) is None
        assert probes == 10
        now += 1.1  # twice as long, since it was no better
        assert try_read(engine, fd, PAGE, 33 * PAGE) is None
        assert probes == 10
    assert engine.statistics().misses == 33


def test_hits_that_wait_are_counted_and_then_left_to_the_engine(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the journal, which notes the access time, say."""
    now, takes = 0.0, 0.005

    def preadv(*arguments: object) -> int:
        nonlocal now
        now += takes
        return os.preadv(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(aio.probe, "perf_counter", lambda: now)
    monkeypatch.setattr(aio.probe, "_preadv", preadv)
    with a_file(engine, disk, CONTENT) as fd:
        make_warm(fd)
        for _ in range(2):
            assert try_read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
        assert try_read(engine, fd, PAGE, 0) is None
        stats = engine.statistics()
        assert (stats.hits, stats.hits_waited, stats.misses) == (2, 2, 1)
        now += 1
        takes = 0.0
        assert try_read(engine, fd, PAGE, 0) == CONTENT[:PAGE]


def test_a_read_leaves_the_access_time_alone(engine: aio.Engine, slow_folder: Path) -> None:
    """To note it may wait for the journal, at a hit too."""
    with a_file(engine, slow_folder, CONTENT) as fd:
        os.utime(fd, (1, 2))  # due, by relatime
        assert try_read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
        assert os.fstat(fd).st_atime == 1


def test_a_page_that_went_away_after_all_is_no_wrong_answer(
    engine: aio.Engine, slow_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Residency is a guess: what it wrongly believes costs time, and never data."""
    monkeypatch.setattr(Residency, "resident", lambda *_: True)
    with a_file(engine, slow_folder, CONTENT) as fd:
        make_cold(fd)
        if try_read(engine, fd, 2 * PAGE, 0) is None:  # RWF_NOWAIT does not guess
            assert engine.statistics().misses == 1
        else:
            assert try_read(engine, fd, 2 * PAGE, 0) == CONTENT[: 2 * PAGE]


def test_a_mapping_that_cannot_be_made_leaves_the_answer_unknown(
    engine: aio.Engine, overlay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOMEM, "too many mappings")

    with a_file(engine, overlay, CONTENT) as fd:
        make_warm(fd)
        assert try_read(engine, fd, PAGE, 0) is not None
        monkeypatch.setattr("aio.residency.map_pages", refuse)
        assert try_read(engine, fd, PAGE, 2 << 20) is None  # behind the window that there is
        monkeypatch.undo()
        assert try_read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
    assert engine.statistics().unknown == 1


def test_address_space_for_whole_files_is_shared_by_all_that_are_open(
    engine: aio.Engine, overlay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open that comes when it is used up sees its file through a small window that moves."""
    monkeypatch.setattr("aio.residency._MOVING_WINDOW", 2 << 20)
    monkeypatch.setattr("aio.residency._WHOLE_FILES", Residency._mapped + (1 << 30))
    with a_file(engine, overlay, b"") as fd:
        os.ftruncate(fd, 1 << 30)
        read_all_over(engine, fd)
        assert mapped_bytes("file") == 1 << 30
        with attached(engine, overlay / "file") as late:
            read_all_over(engine, late)
            assert mapped_bytes("file") == (1 << 30) + (2 << 20)
            engine.detach(fd)
            engine.attach(late)
            read_all_over(engine, late)
            assert mapped_bytes("file") == 1 << 30
    assert mapped_bytes("file") == 0


def read_all_over(engine: aio.Engine, fd: int) -> None:
    for offset in (0, 900 << 20, (1 << 20) - PAGE, 500 << 20, 5 * PAGE):
        os.pwrite(fd, CONTENT, offset)
        assert try_read(engine, fd, len(CONTENT), offset) == CONTENT
        assert try_read(engine, fd, PAGE, offset + (100 << 20)) is None  # a hole


def mapped_bytes(name: str) -> int:
    total = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(f"/{name}"):
            start, end = line.split()[0].split("-")
            total += int(end, 16) - int(start, 16)
    return total


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_thousand_opens_leave_no_mapping_and_no_descriptor(
    engine: aio.Engine, folder: Path
) -> None:
    with a_file(engine, folder, CONTENT):
        pass
    before = descriptors()
    for _ in range(1000):
        with attached(engine, folder / "file") as fd:
            assert try_read(engine, fd, 10, 0) is not None
    with attached(engine, folder / "file") as fd:
        engine.try_read(fd, memoryview(bytearray(10)), 0)
        engine.attach(fd)  # its owner forgot to detach, and the number came again
        assert try_read(engine, fd, 10, 0) is not None
    assert descriptors() == before
    assert mapped_bytes("file") == 0


async def test_aclose_gives_every_mapping_back(engine: aio.Engine, overlay: Path) -> None:
    with a_file(engine, overlay, CONTENT) as fd:
        assert try_read(engine, fd, 10, 0) is not None
        assert mapped_bytes("file") > 0
        await engine.aclose()
        assert mapped_bytes("file") == 0


async def test_whatever_is_cached_the_bytes_are_right(
    engine: aio.Engine, slow_folder: Path
) -> None:
    """A random story of one file, against a model of it in memory."""
    choose = random.Random(20)
    model = bytearray(CONTENT)
    with a_file(engine, slow_folder, CONTENT) as fd:
        for _ in range(1000):
            offset, length = choose.randrange(80 * PAGE), choose.randrange(5 * PAGE)
            deed = choose.randrange(20)
            if deed == 0:
                make_cold(fd)
            elif deed == 1:
                del model[offset:]
                os.ftruncate(fd, len(model))
            elif deed < 7:
                data = choose.randbytes(length)
                if engine.try_write(fd, data, offset) is None:
                    await engine.write(fd, data, offset)
                if data:
                    model.extend(bytes(max(0, offset - len(model))))
                    model[offset : offset + length] = data
            else:
                into = memoryview(bytearray(length))
                count = engine.try_read(fd, into, offset)
                if count is None:
                    count = await engine.read(fd, into, offset)
                assert into[:count] == model[offset : offset + length]
        await engine.aclose()
    stats = engine.statistics()
    assert min(stats.hits, stats.misses, stats.writes_inline, stats.writes_deferred) > 10
