"""One conformance suite for every engine, with and without the probe in front of it."""

import errno
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

import aio

PAGE = 4096
CONTENT = bytes(range(251)) * 1000  # 251,000 bytes: no multiple of a page


@pytest.fixture(params=["sync", "threads", "nowait", "nowait+sync"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[aio.Engine]:
    opened = aio.open_engine(request.param)
    yield opened
    await opened.aclose()


@pytest.fixture
def fd(engine: aio.Engine, tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    opened = os.open(path, os.O_RDWR)
    engine.attach(opened)
    yield opened
    engine.detach(opened)
    os.close(opened)


async def read(engine: aio.Engine, fd: int, length: int, offset: int) -> bytes:
    """As the server does it: at once if possible."""
    into = memoryview(bytearray(length))
    count = engine.try_read(fd, into, offset)
    if count is None:
        count = await engine.read(fd, into, offset)
    return bytes(into[:count])


async def write(engine: aio.Engine, fd: int, data: bytes, offset: int) -> int:
    count = engine.try_write(fd, data, offset)
    return await engine.write(fd, data, offset) if count is None else count


async def test_a_read_gives_what_was_asked_for(engine: aio.Engine, fd: int) -> None:
    assert await read(engine, fd, 5000, 12345) == CONTENT[12345:17345]


async def test_a_read_over_the_end_of_file_is_short(engine: aio.Engine, fd: int) -> None:
    assert await read(engine, fd, 8192, len(CONTENT) - 100) == CONTENT[-100:]
    into = memoryview(bytearray(8192))
    assert await engine.read(fd, into, len(CONTENT) - 100) == 100
    assert into[:100] == CONTENT[-100:]
    assert into[100:] == bytes(8092)


async def test_a_read_at_or_behind_the_end_gives_nothing(engine: aio.Engine, fd: int) -> None:
    assert await read(engine, fd, 10, len(CONTENT)) == b""
    assert await read(engine, fd, 10, 1 << 40) == b""
    assert await engine.read(fd, memoryview(bytearray(10)), len(CONTENT)) == 0


async def test_an_empty_read_gives_nothing(engine: aio.Engine, fd: int) -> None:
    assert await read(engine, fd, 0, 0) == b""
    assert await engine.read(fd, memoryview(bytearray()), 5) == 0


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


async def test_a_bad_fd_is_an_oserror(engine: aio.Engine, tmp_path: Path) -> None:
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


async def test_a_full_device_is_an_oserror(engine: aio.Engine) -> None:
    full = os.open("/dev/full", os.O_RDWR)
    engine.attach(full)
    try:
        with pytest.raises(OSError, match="No space left"):
            await write(engine, full, b"data", 0)
    finally:
        engine.detach(full)
        os.close(full)


async def test_a_write_behind_the_end_leaves_zeros(engine: aio.Engine, fd: int) -> None:
    assert await write(engine, fd, b"there", 300_000) == 5
    assert await read(engine, fd, 100_000, 250_990) == (
        CONTENT[250_990:] + bytes(300_000 - len(CONTENT)) + b"there"
    )


async def test_a_write_in_the_middle_changes_only_that(engine: aio.Engine, fd: int) -> None:
    assert await write(engine, fd, b"HERE", 5000) == 4
    assert await read(engine, fd, 10_000, 0) == CONTENT[:5000] + b"HERE" + CONTENT[5004:10_000]


async def test_an_empty_write_changes_nothing(engine: aio.Engine, fd: int) -> None:
    assert await write(engine, fd, b"", 5001) == 0
    assert await engine.write(fd, b"", 5001) == 0
    assert os.pread(fd, len(CONTENT) + 1, 0) == CONTENT


async def test_a_read_goes_on_after_a_short_count(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, into, at: whole(fd, (into[0][:1000],), at))
    into = memoryview(bytearray(4500))
    assert await engine.read(fd, into, 100) == 4500
    assert into == CONTENT[100:4600]
    assert await engine.read(fd, into, len(CONTENT) - 2500) == 2500


async def test_a_write_goes_on_after_a_short_count(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: whole(fd, data[:1000], at))
    assert await write(engine, fd, b"x" * 4500, 100) == 4500
    assert await engine.write(fd, b"y" * 2500, 10_000) == 2500
    assert os.pread(fd, 4501, 100) == b"x" * 4500 + CONTENT[4600:4601]
    assert os.pread(fd, 2501, 10_000) == b"y" * 2500 + CONTENT[12_500:12_501]


async def test_a_file_system_that_takes_nothing_is_an_error(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    with pytest.raises(OSError, match="takes no more"):
        await engine.write(fd, b"x" * 100, 0)


async def test_a_cancelled_call_is_finished_before_it_is_cancelled(
    engine: aio.Engine, fd: int
) -> None:
    into = memoryview(bytearray(100_000))
    with trio.CancelScope() as scope:
        scope.cancel()
        await engine.read(fd, into, 0)
    assert scope.cancelled_caught
    assert into == CONTENT[:100_000]
    with trio.CancelScope() as scope:
        scope.cancel()
        await engine.write(fd, b"new", 7)
    assert scope.cancelled_caught
    assert os.pread(fd, 3, 7) == b"new"


async def test_aclose_waits_for_the_work_pending(engine: aio.Engine, fd: int) -> None:
    buffers = [memoryview(bytearray(100_000)) for _ in range(32)]
    counts: list[int] = []

    async def one(into: memoryview) -> None:
        counts.append(await engine.read(fd, into, 0))

    async with trio.open_nursery() as nursery:
        for into in buffers:
            nursery.start_soon(one, into)
        await trio.testing.wait_all_tasks_blocked()  # each has begun
        await engine.aclose()
        assert all(into == CONTENT[:100_000] for into in buffers)
    assert counts == [100_000] * 32


async def test_after_aclose_calls_fail(engine: aio.Engine, fd: int) -> None:
    await engine.aclose()
    await engine.aclose()
    calls: list[Callable[[], object]] = [
        lambda: read(engine, fd, 10, 0),
        lambda: write(engine, fd, b"data", 0),
        lambda: engine.fsync(fd),
    ]
    for call in calls:
        with pytest.raises(trio.ClosedResourceError):
            await call()  # type: ignore[misc]


async def test_fsync_returns(engine: aio.Engine, fd: int) -> None:
    await write(engine, fd, b"durable", 0)
    await engine.fsync(fd)
    assert engine.statistics().fsyncs == 1


async def test_every_completed_call_is_counted_once(engine: aio.Engine, fd: int) -> None:
    await read(engine, fd, 1000, 0)
    await read(engine, fd, 1000, len(CONTENT) - 10)
    await engine.read(fd, memoryview(bytearray(5)), 0)
    await write(engine, fd, b"1234", 0)
    await engine.write(fd, b"12", 0)
    stats = engine.statistics()
    assert (stats.reads, stats.bytes_read) == (3, 1015)
    assert (stats.writes, stats.bytes_written) == (2, 6)
    assert 0 < stats.max_seconds <= stats.seconds
    assert stats.seconds == engine.statistics().seconds
    stats.reads = 0
    assert engine.statistics().reads == 3  # a copy
