"""One conformance suite for every engine, in every form, on every file system."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

import aio
from aio.base import Done
from aio.ring import Request, Ring
from tests.aio.engines import CONTENT, Form, read, write


async def test_a_read_gives_what_was_asked_for(engine: aio.Engine, fd: int) -> None:
    assert await read(engine, fd, 5000, 12345) == CONTENT[12345:17345]


async def test_a_read_over_the_end_of_file_is_short(engine: aio.Engine, fd: int) -> None:
    assert await read(engine, fd, 8192, len(CONTENT) - 100) == CONTENT[-100:]
    into = memoryview(bytearray(8192))
    assert await engine.read(fd, into, len(CONTENT) - 100) == 100
    assert into[:100] == CONTENT[-100:]
    assert into[100:] == bytes(8092)


async def test_a_read_at_or_behind_the_end_gives_nothing(engine: aio.Engine, any_fd: int) -> None:
    assert await read(engine, any_fd, 10, len(CONTENT)) == b""
    assert await read(engine, any_fd, 10, 1 << 40) == b""
    assert await engine.read(any_fd, memoryview(bytearray(10)), len(CONTENT)) == 0


async def test_an_empty_read_gives_nothing(engine: aio.Engine, any_fd: int) -> None:
    assert await read(engine, any_fd, 0, 0) == b""
    assert await engine.read(any_fd, memoryview(bytearray()), 5) == 0


async def test_a_mebibyte_is_written_and_read(engine: aio.Engine, fd: int) -> None:
    data = os.urandom(1 << 20)
    assert await write(engine, fd, data, 777) == 1 << 20
    assert await read(engine, fd, 1 << 20, 777) == data
    assert await engine.write(fd, memoryview(data), 0) == 1 << 20
    into = memoryview(bytearray(1 << 20))
    assert await engine.read(fd, into, 0) == 1 << 20
    assert into == data


async def test_sixty_four_reads_in_flight_each_get_their_own(engine: aio.Engine, fd: int) -> None:
    got: dict[int, bytes] = {}

    async def one(number: int) -> None:
        into = memoryview(bytearray(1000))
        assert await engine.read(fd, into, number * 1000) == 1000
        got[number] = bytes(into)

    async with trio.open_nursery() as nursery:
        for number in range(64):
            nursery.start_soon(one, number)
    assert got == {n: CONTENT[n * 1000 : n * 1000 + 1000] for n in range(64)}


async def test_sixty_four_writes_in_flight_all_arrive(engine: aio.Engine, fd: int) -> None:
    async def one(number: int) -> None:
        assert await engine.write(fd, bytes([number]) * 3000, number * 3000) == 3000

    async with trio.open_nursery() as nursery:
        for number in range(64):
            nursery.start_soon(one, number)
    assert os.pread(fd, 64 * 3000, 0) == b"".join(bytes([n]) * 3000 for n in range(64))


async def test_a_bad_fd_is_an_oserror(engine: aio.Engine, any_fd: int, tmp_path: Path) -> None:
    await engine.fsync(any_fd)  # the engine has opened all that it needs
    bad = os.open(tmp_path, os.O_RDONLY)
    os.close(bad)
    engine.attach(bad)
    for call in (
        lambda: engine.read(bad, memoryview(bytearray(10)), 0),
        lambda: engine.write(bad, b"data", 0),
        lambda: engine.fsync(bad),
        lambda: read(engine, bad, 10, 0),
        lambda: write(engine, bad, b"data", 0),
    ):
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            await call()
        assert caught.value.errno == errno.EBADF
    engine.detach(bad)


async def test_a_write_behind_the_end_leaves_zeros(engine: aio.Engine, fd: int) -> None:
    assert await write(engine, fd, b"there", 300_000) == 5
    assert await read(engine, fd, 100_000, 250_990) == (
        CONTENT[250_990:] + bytes(300_000 - len(CONTENT)) + b"there"
    )


async def test_a_write_in_the_middle_changes_only_that(engine: aio.Engine, fd: int) -> None:
    assert await write(engine, fd, b"HERE", 5000) == 4
    assert await read(engine, fd, 10_000, 0) == CONTENT[:5000] + b"HERE" + CONTENT[5004:10_000]


async def test_an_empty_write_changes_nothing(engine: aio.Engine, any_fd: int) -> None:
    assert await write(engine, any_fd, b"", 5001) == 0
    assert await engine.write(any_fd, b"", 5001) == 0
    assert os.pread(any_fd, len(CONTENT) + 1, 0) == CONTENT


@pytest.fixture
def at_most(form: Form, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the kernel read and write so many bytes in one call: 4096, or of a block 0."""
    preadv, pwrite, pwritev, begin = os.preadv, os.pwrite, os.pwritev, Ring.begin

    def shortened(ring: Ring, request: Request, done: Done) -> None:
        request.length = min(request.length, limit[0])
        begin(ring, request, done)

    def shorten(length: int) -> None:
        limit.append(length)
        limit[:-1] = []
        monkeypatch.setattr(
            os,
            "preadv",
            lambda fd, into, at, *flags: preadv(fd, (into[0][:length],), at, *flags),
        )
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:length], at))
        monkeypatch.setattr(
            os,
            "pwritev",
            lambda fd, data, at, flags: pwritev(fd, (data[0][:length],), at, flags),
        )
        monkeypatch.setattr(Ring, "begin", shortened)

    limit: list[int] = []
    return shorten


async def test_a_read_goes_on_after_a_short_count(
    engine: aio.Engine, fd: int, at_most: Callable[[int], None]
) -> None:
    at_most(4096)
    into = memoryview(bytearray(10_000))
    assert await engine.read(fd, into, 100) == 10_000
    assert into == CONTENT[100:10_100]
    assert await engine.read(fd, into, len(CONTENT) - 9000) == 9000
    assert into[:9000] == CONTENT[-9000:]


async def test_a_write_goes_on_after_a_short_count(
    engine: aio.Engine, fd: int, at_most: Callable[[int], None]
) -> None:
    at_most(4096)
    assert await write(engine, fd, b"x" * 20_000, 100) == 20_000
    assert await engine.write(fd, b"y" * 16_384, 40_960) == 16_384
    assert os.pread(fd, 20_001, 100) == b"x" * 20_000 + CONTENT[20_100:20_101]
    assert os.pread(fd, 16_385, 40_960) == b"y" * 16_384 + CONTENT[57_344:57_345]


async def test_a_file_system_that_takes_nothing_is_an_error(
    engine: aio.Engine, any_fd: int, at_most: Callable[[int], None]
) -> None:
    at_most(0)
    for data in (b"x" * 100, b"x" * 8192):
        with pytest.raises(OSError, match="takes no more"):
            await engine.write(any_fd, data, 0)


async def test_signals_interrupt_nothing(engine: aio.Engine, fd: int) -> None:
    """EINTR is not for callers to see."""
    interruptions = 0

    def count(*_: object) -> None:
        nonlocal interruptions
        interruptions += 1

    before = signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        number = 0
        while interruptions < 10:
            data = bytes([number % 256]) * 10_000
            assert await write(engine, fd, data, 5000) == 10_000
            await engine.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            assert await read(engine, fd, 10_000, 5000) == data
            number += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


async def test_a_cancelled_call_is_finished_before_it_is_cancelled(
    engine: aio.Engine, any_fd: int
) -> None:
    into = memoryview(bytearray(100_000))
    with trio.CancelScope() as scope:
        scope.cancel()
        await engine.read(any_fd, into, 0)
    assert scope.cancelled_caught
    assert into == CONTENT[:100_000]
    with trio.CancelScope() as scope:
        scope.cancel()
        await engine.write(any_fd, b"new", 7)
    assert scope.cancelled_caught
    assert os.pread(any_fd, 3, 7) == b"new"


async def test_a_call_cancelled_in_flight_is_finished_first(engine: aio.Engine, fd: int) -> None:
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    buffers = [memoryview(bytearray(99_999)) for _ in range(8)]
    ended = 0
    # A read that had its turn is whole; on a busy machine others may never have begun.
    whole, untouched = CONTENT[:99_999], bytes(99_999)

    async def one(number: int, into: memoryview) -> None:
        nonlocal ended
        try:
            if number % 2:
                await engine.write(fd, into, 100_000 * number)
            else:
                await engine.read(fd, into, 0)
        finally:
            ended += 1
            assert number % 2 or into == whole or (number and into == untouched)
            into.release()  # whoever still has its address now writes to what is not its own

    async with trio.open_nursery() as nursery:
        for number, into in enumerate(buffers):
            if number % 2:
                into[:] = bytes([number]) * 99_999
            nursery.start_soon(one, number, into)
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert ended == 8


async def test_aclose_waits_for_the_work_pending(engine: aio.Engine, any_fd: int) -> None:
    buffers = [memoryview(bytearray(100_000)) for _ in range(32)]
    counts: list[int] = []

    async def one(into: memoryview) -> None:
        counts.append(await engine.read(any_fd, into, 0))

    async with trio.open_nursery() as nursery:
        for into in buffers:
            nursery.start_soon(one, into)
        await trio.testing.wait_all_tasks_blocked()  # each has begun
        await engine.aclose()
        assert all(into == CONTENT[:100_000] for into in buffers)
    assert counts == [100_000] * 32


async def test_after_aclose_calls_fail(engine: aio.Engine, any_fd: int) -> None:
    await engine.aclose()
    await engine.aclose()
    calls: list[Callable[[], object]] = [
        lambda: read(engine, any_fd, 10, 0),
        lambda: write(engine, any_fd, b"data", 0),
        lambda: engine.fsync(any_fd),
    ]
    for call in calls:
        with pytest.raises(trio.ClosedResourceError):
            await call()  # type: ignore[misc]


async def test_fsync_returns(engine: aio.Engine, any_fd: int) -> None:
    await write(engine, any_fd, b"durable", 0)
    await engine.fsync(any_fd)
    assert engine.statistics().fsyncs == 1


async def test_every_completed_call_is_counted_once(engine: aio.Engine, any_fd: int) -> None:
    await read(engine, any_fd, 1000, 0)
    await read(engine, any_fd, 1000, len(CONTENT) - 10)
    await engine.read(any_fd, memoryview(bytearray(5)), 0)
    await write(engine, any_fd, b"1234", 0)
    await engine.write(any_fd, b"12", 0)
    stats = engine.statistics()
    assert (stats.reads, stats.bytes_read) == (3, 1015)
    assert (stats.writes, stats.bytes_written) == (2, 6)
    assert 0 < stats.max_seconds <= stats.seconds
    assert stats.seconds == engine.statistics().seconds
    stats.reads = 0
    assert engine.statistics().reads == 3  # a copy
