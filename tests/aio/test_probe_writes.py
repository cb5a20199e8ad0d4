"""Which writes are made inline, and which ones would have to read a page or are held up."""

import errno
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

import aio
import aio.blocking
import aio.file_systems
import aio.gate
import aio.probe
import aio.storage
from aio.gate import Gate
from aio.kernel import cachestat
from tests.aio.engines import a_file
from tests.aio.gates import written_lately
from tests.aio.page_cache import file_system_of, make_cold, make_warm, resident_pages

PAGE = 4096
CONTENT = os.urandom(16 * PAGE + 100)
send_canary = aio.gate.Gate._send_canary
is_close_to_dirty_limit = aio.gate._is_close_to_dirty_limit


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
        (16 * PAGE, 100),  # to the end, from where the last page begins
        (15 * PAGE, PAGE + 200),  # over the end, all data of the last page
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


class Canary:
    """Holds each canary in its thread until the test lets it go, and says how long it took."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.sent = 0
        self._takes = 0.0
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._pwrite, fly = os.pwrite, aio.gate.Gate._fly

        def flight(gate: Gate, fd: int) -> None:
            self.sent += 1
            fly(gate, fd)
            self._back.release()

        monkeypatch.setattr(aio.probe, "perf_counter", lambda: self.now)
        monkeypatch.setattr(aio.gate, "perf_counter", lambda: self.now)
        monkeypatch.setattr(aio.gate.Gate, "_send_canary", send_canary)
        monkeypatch.setattr(aio.gate.Gate, "_fly", flight)
        monkeypatch.setattr(os, "pwrite", self._held)

    def let_go(self, took: float) -> None:
        """The one that is away comes back, after so long."""
        self._takes = took
        self._go.release()
        assert self._back.acquire(timeout=60)

    def _held(self, fd: int, data: bytes, offset: int) -> int:
        if not data:
            assert self._go.acquire(timeout=60)
            self.now += self._takes
        return self._pwrite(fd, data, offset)


async def test_writes_that_stall_move_to_the_engine_and_back(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    with a_file(engine, tmpfs, CONTENT) as fd:
        engine.try_read(fd, memoryview(bytearray()), 0)
        written_lately(fd, clock.now)
        clock.a_write_takes = 0.005
        assert engine.try_write(fd, b"slow", 0) == 4
        clock.a_write_takes = 0.100
        assert engine.try_write(fd, b"stalls", 0) == 6
        clock.a_write_takes = 0.0
        assert engine.try_write(fd, b"away", 0) is None
        clock.now += 2.09
        assert engine.try_write(fd, b"away", 0) is None
        clock.now += 0.02
        assert engine.try_write(fd, b"goes first", 0) is None
        assert await engine.write(fd, b"goes first", 0) == 10
        assert engine.try_write(fd, b"back", 0) == 4
    await engine.aclose()
    stats = engine.statistics()
    assert (stats.stalls, stats.writes_inline, stats.writes_deferred) == (1, 3, 3)
    assert (stats.writes, stats.switches) == (4, 1)


async def test_after_a_pause_a_write_goes_to_a_worker_first(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file system may have been frozen meanwhile, which only a write tells, by waiting."""
    clock = Clock(monkeypatch)
    with a_file(engine, tmpfs, CONTENT) as fd:
        assert engine.try_write(fd, b"first", 0) is None
        assert await engine.write(fd, b"first", 0) == 5
        for _ in range(10):
            assert engine.try_write(fd, b"soon", 0) == 4
            clock.now += 0.015
        clock.now += 0.015
        assert engine.try_write(fd, b"late", 0) is None
    await engine.aclose()


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Canary:
    return Canary(monkeypatch)


def test_after_a_pause_a_canary_says_whether_the_loop_may_write(
    engine: aio.Engine, folder: Path, canary: Canary
) -> None:
    with a_file(engine, folder, CONTENT) as fd:
        mtime = os.fstat(fd).st_mtime_ns
        for _ in range(3):
            assert engine.try_write(fd, b"waits", 0) is None
        assert os.fstat(fd).st_mtime_ns == mtime
        canary.let_go(took=0.001)
        assert engine.try_write(fd, b"written", 0) == 7
    assert canary.sent == 1


def test_a_canary_that_was_slow_does_not_let_the_loop_write(
    engine: aio.Engine, folder: Path, canary: Canary
) -> None:
    with a_file(engine, folder, CONTENT) as fd:
        assert engine.try_write(fd, b"waits", 0) is None
        canary.let_go(took=0.2)
        assert engine.try_write(fd, b"waits", 0) is None
        canary.let_go(took=0.0)
        assert engine.try_write(fd, b"written", 0) == 7
    assert canary.sent == 2


def test_a_canary_outlives_the_close_of_its_file(
    engine: aio.Engine, folder: Path, canary: Canary
) -> None:
    with a_file(engine, folder, CONTENT) as fd:
        assert engine.try_write(fd, b"waits", 0) is None
    (folder / "file").unlink()
    canary.let_go(took=0.0)


def test_after_a_stall_no_canary_will_do(
    engine: aio.Engine, tmpfs: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no bytes, and so is never paused for how many there are."""
    clock = Clock(monkeypatch)
    with a_file(engine, tmpfs, CONTENT) as fd:
        engine.try_read(fd, memoryview(bytearray()), 0)
        written_lately(fd, clock.now)
        clock.a_write_takes = 0.2
        assert engine.try_write(fd, b"stalls", 0) == 6
        clock.now += 10
        assert engine.try_write(fd, b"waits", 0) is None
    assert canary.sent == 0


def test_where_no_thread_can_be_started_there_is_no_canary(
    engine: aio.Engine, tmpfs: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(aio.gate._thread, "start_new_thread", refuse)
    with a_file(engine, tmpfs, CONTENT) as fd:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(3):
            assert engine.try_write(fd, b"waits", 0) is None
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert canary.sent == 0


async def test_a_file_system_that_stays_frozen_keeps_every_write_out_of_the_loop(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    begun, thaw = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()
    pwrite = os.pwrite

    def frozen(fd: int, data: bytes, offset: int) -> int:
        token.run_sync_soon(begun.set)
        assert thaw.wait(10)
        return pwrite(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", frozen)
    with a_file(engine, tmpfs, CONTENT) as fd, a_file(engine, tmpfs, CONTENT) as other:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.write, fd, b"waits", 0)
            await begun.wait()
            for _ in range(10):
                assert engine.try_write(fd, b"x", 0) is None
                assert engine.try_write(other, b"x", 0) is None
                clock.now += 1
            thaw.set()
    await engine.aclose()


async def test_a_write_that_is_slow_in_a_worker_brings_none_back(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio.probe, "perf_counter", lambda: 100.0)
    with a_file(engine, tmpfs, CONTENT) as fd:
        monkeypatch.setattr(aio.blocking, "perf_counter", iter((0.0, 0.2)).__next__)
        assert await engine.write(fd, b"slow", 0) == 4
        assert engine.try_write(fd, b"x", 0) is None
        monkeypatch.setattr(aio.blocking, "perf_counter", iter((0.0, 0.0)).__next__)
        assert await engine.write(fd, b"quick", 0) == 5
        assert engine.try_write(fd, b"x", 0) == 1
    await engine.aclose()


def test_short_waits_that_add_up_are_a_stall(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    with a_file(engine, tmpfs, CONTENT) as fd:
        engine.try_read(fd, memoryview(bytearray()), 0)
        written_lately(fd, clock.now)
        clock.a_write_takes = 0.002
        written = sum(engine.try_write(fd, b"x", 0) is not None for _ in range(20))
    assert written == 5
    assert engine.statistics().stalls == 1


def test_short_waits_far_apart_are_none(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    clock.a_write_takes = 0.002
    with a_file(engine, tmpfs, CONTENT) as fd:
        engine.try_read(fd, memoryview(bytearray()), 0)
        for _ in range(50):
            written_lately(fd, clock.now)
            assert engine.try_write(fd, b"x", 0) == 1
            clock.now += 0.04
    assert engine.statistics().stalls == 0


def test_close_to_the_dirty_limit_no_write_is_inline(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    close = True
    monkeypatch.setattr(aio.gate, "_is_close_to_dirty_limit", lambda: close)
    with a_file(engine, tmpfs, CONTENT) as fd:
        engine.try_read(fd, memoryview(bytearray()), 0)
        written_lately(fd, clock.now)
        assert engine.try_write(fd, b"x", 0) is None
        close = False
        assert engine.try_write(fd, b"x", 0) is None  # not looked at again at once
        clock.now += 0.06
        written_lately(fd, clock.now)
        assert engine.try_write(fd, b"x", 0) == 1


@pytest.mark.parametrize(
    ("dirty", "writeback", "close"), [(100, 100, False), (600, 40, False), (600, 60, True)]
)
def test_the_kernel_pauses_writers_from_the_middle_of_its_two_limits_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, dirty: int, writeback: int, close: bool
) -> None:
    (tmp_path / "vmstat").write_text(
        f"nr_free_pages 1\nnr_dirty {dirty}\nnr_writeback {writeback}\nnr_writeback_temp 5\n"
        "nr_dirty_threshold 1000\nnr_dirty_background_threshold 500\npgpgin 7\n"
    )
    monkeypatch.setattr(aio.gate, "_VMSTAT", tmp_path / "vmstat")
    assert is_close_to_dirty_limit() is close


def test_a_machine_that_tells_nothing_of_its_dirty_pages_is_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio.gate, "_VMSTAT", tmp_path / "none")
    assert not is_close_to_dirty_limit()
    (tmp_path / "none").write_text("nr_free_pages 1\n")
    assert not is_close_to_dirty_limit()


def test_a_mount_that_becomes_synchronous_has_no_inline_writes(
    engine: aio.Engine, tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    flags = 0
    monkeypatch.setattr(os, "fstatvfs", lambda _fd: SimpleNamespace(f_flag=flags))
    with a_file(engine, tmpfs, CONTENT) as fd:
        engine.try_read(fd, memoryview(bytearray()), 0)
        written_lately(fd, clock.now)
        assert engine.try_write(fd, b"x", 0) == 1
        flags = os.ST_SYNCHRONOUS
        clock.now += 1.1
        for _ in range(2):
            written_lately(fd, clock.now)
            assert engine.try_write(fd, b"x", 0) is None


def test_a_file_with_chattr_s_is_never_written_inline(engine: aio.Engine, disk: Path) -> None:
    (disk / "file").write_bytes(CONTENT)
    done = subprocess.run(["chattr", "+S", disk / "file"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(done.stderr.decode())
    fd = os.open(disk / "file", os.O_RDWR)
    engine.attach(fd)
    assert engine.try_write(fd, bytes(PAGE), 0) is None
    engine.detach(fd)
    os.close(fd)


def test_a_page_on_its_way_to_the_disk_is_not_changed_where_that_waits(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio.file_systems, "_STABLE_PAGES", {file_system_of(disk)})
    on_its_way = 1
    monkeypatch.setattr(aio.storage, "cachestat", lambda *_: SimpleNamespace(writeback=on_its_way))
    with a_file(engine, disk, CONTENT) as fd:
        assert engine.try_write(fd, bytes(PAGE), 0) is None
        on_its_way = 0
        assert engine.try_write(fd, bytes(PAGE), 0) == PAGE


@pytest.mark.parametrize("release", ["5.4.0", "6.18.44-fc", "7.0.0-rc1", "10.1"])
def test_writes_ask_by_rwf_nowait_from_linux_7_on(
    release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release))
    assert aio.file_systems._asks_to_write() == (not release.startswith(("5", "6")))


def test_a_file_system_that_writes_without_waiting_is_asked_first(
    engine: aio.Engine, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As xfs does it: overwrites are taken, in part or whole, extending writes are refused."""
    monkeypatch.setattr(aio.file_systems, "ASKS_TO_WRITE", True)
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
    monkeypatch.setattr(aio.file_systems, "ASKS_TO_WRITE", True)
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
    monkeypatch.setattr(aio.file_systems, "ASKS_TO_WRITE", True)

    def pwritev(*_: object) -> int:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(os, "pwritev", pwritev)
    with a_file(engine, disk, CONTENT) as fd:
        with pytest.raises(OSError, match="full"):
            engine.try_write(fd, b"x", 0)
