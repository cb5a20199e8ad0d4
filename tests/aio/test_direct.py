"""O_DIRECT: alignment, copies, parts of pages, the end of file, and what others do to the file."""

import errno
import fcntl
import mmap
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
import trio.testing

import aio
from aio import direct
from aio.base import Done
from aio.kernel import Address
from aio.ring import READ, WRITE, Request, Ring
from tests.aio.engines import Form, attached
from tests.aio.page_cache import resident_pages

PAGE = mmap.PAGESIZE
CONTENT = os.urandom(250_001)


@pytest.fixture(params=["libaio", "uring"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[aio.Engine]:
    opened = Form(request.param, {"direct": 1}).open()
    yield opened
    await opened.aclose()


@pytest.fixture
def path(disk: Path) -> Path:
    made = disk / "file"
    made.write_bytes(CONTENT)
    return made


@pytest.fixture
def fd(engine: aio.Engine, path: Path) -> Iterator[int]:
    with attached(engine, path) as opened:
        os.fsync(opened)
        os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
        yield opened


@pytest.fixture
def aligned() -> memoryview:
    return memoryview(mmap.mmap(-1, 16 * PAGE))


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool, int, int]]:
    """What goes to the kernel: code, whether with O_DIRECT, offset, length."""
    seen: list[tuple[int, bool, int, int]] = []
    begin = Ring.begin

    def note(ring: Ring, request: Request, done: Done) -> None:
        flags = fcntl.fcntl(request.fd, fcntl.F_GETFL)
        seen.append((request.code, bool(flags & os.O_DIRECT), request.offset, request.length))
        begin(ring, request, done)

    monkeypatch.setattr(Ring, "begin", note)
    return seen


def _failing(done: Done, number: int) -> Done:
    """It ends with this error, however it ended."""
    return lambda _count, _error: done(0, OSError(number, os.strerror(number)))


async def read(engine: aio.Engine, fd: int, length: int, offset: int) -> bytes:
    into = memoryview(bytearray(length + 1))[1:]  # at an odd address
    return bytes(into[: await engine.read(fd, into, offset)])


async def test_aligned_requests_are_not_copied(
    engine: aio.Engine, fd: int, aligned: memoryview
) -> None:
    assert await engine.read(fd, aligned, PAGE) == len(aligned)
    assert aligned == CONTENT[PAGE : 17 * PAGE]
    assert await engine.write(fd, aligned, 0) == len(aligned)
    assert os.pread(fd, 16 * PAGE, 0) == CONTENT[PAGE : 17 * PAGE]
    stats = engine.statistics()
    assert (stats.bounced, stats.buffered, stats.switches) == (0, 0, 0)


async def test_reads_leave_nothing_in_the_page_cache(engine: aio.Engine, fd: int) -> None:
    assert await read(engine, fd, 100_000, 0) == CONTENT[:100_000]
    assert resident_pages(fd, len(CONTENT)) == 0


async def test_any_bytes_can_be_read(engine: aio.Engine, fd: int) -> None:
    end = len(CONTENT)
    for offset in (0, 1, 511, 512, 4095, 5000, end - 4097, end - 1, end, end + 1, end + 9999):
        for length in (1, 512, 513, 4096, 10_000):
            assert await read(engine, fd, length, offset) == CONTENT[offset : offset + length]
    assert engine.statistics().buffered == 0


async def test_a_read_of_the_last_block_asks_the_disk_once(
    engine: aio.Engine, fd: int, requests: list[tuple[int, bool, int, int]]
) -> None:
    assert await read(engine, fd, 8192, len(CONTENT) - 10) == CONTENT[-10:]
    assert len(requests) == 1


async def test_whole_pages_go_to_the_disk_and_parts_of_pages_to_the_cache(
    engine: aio.Engine, fd: int, requests: list[tuple[int, bool, int, int]]
) -> None:
    data = os.urandom(3 * PAGE)
    assert await engine.write(fd, data, PAGE - 100) == len(data)
    assert requests[0] == (WRITE, True, PAGE, 2 * PAGE)
    assert all(offset % PAGE or not whole for _, whole, offset, _ in requests[1:])
    expected = CONTENT[: PAGE - 100] + data + CONTENT[4 * PAGE - 100 :]
    assert await read(engine, fd, len(expected), 0) == expected
    assert engine.statistics().buffered == 1
    assert engine.statistics().switches == (2 if engine.name == "libaio" else 0)


@pytest.mark.parametrize("offset", [0, 1, 512, PAGE, 250_000, 250_001, 300_000, 303_104])
async def test_a_file_ends_where_it_was_written_to(
    engine: aio.Engine, fd: int, offset: int
) -> None:
    for length in (1, 511, 512, 513, PAGE - 1, PAGE, PAGE + 1, 100_000):
        os.truncate(fd, 0)
        os.pwrite(fd, CONTENT, 0)
        data = os.urandom(length)
        assert await engine.write(fd, data, offset) == length
        expected = CONTENT[:offset].ljust(offset, b"\0") + data + CONTENT[offset + length :]
        assert os.fstat(fd).st_size == len(expected)
        assert await read(engine, fd, len(expected) + 1, 0) == expected


async def test_what_others_write_through_the_cache_is_read(
    engine: aio.Engine, fd: int, path: Path
) -> None:
    assert await read(engine, fd, 10, 5000) == CONTENT[5000:5010]
    with path.open("r+b", buffering=0) as other:
        os.pwrite(other.fileno(), b"from another", 5000)
        assert await read(engine, fd, 12, 5000) == b"from another"
        assert await engine.write(fd, b"back" * PAGE, 0) == 4 * PAGE
        assert os.pread(other.fileno(), 8, PAGE) == b"backback"


async def test_what_is_mapped_is_coherent(engine: aio.Engine, fd: int, path: Path) -> None:
    with path.open("r+b", buffering=0) as other, mmap.mmap(other.fileno(), 0) as mapped:
        mapped[5000:5004] = b"here"
        assert await read(engine, fd, 4, 5000) == b"here"
        assert await engine.write(fd, b"there" * PAGE, 0) == 5 * PAGE
        assert mapped[5 * PAGE - 5 : 5 * PAGE + 2] == b"there" + CONTENT[5 * PAGE : 5 * PAGE + 2]


async def test_parts_of_pages_go_alone(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a page is written to the disk, nobody writes to the cache of the file."""
    perform = Ring.perform
    under_way: list[str] = []
    gate = trio.Event()

    async def held(ring: Ring, request: Request) -> int:
        whole = bool(fcntl.fcntl(request.fd, fcntl.F_GETFL) & os.O_DIRECT)
        under_way.append("whole" if whole else "part")
        if whole:
            await gate.wait()
        return await perform(ring, request)

    async def write(length: int) -> None:
        await engine.write(fd, bytes(length), 0)
        under_way.append(f"done {length}")

    monkeypatch.setattr(Ring, "perform", held)
    async with trio.open_nursery() as nursery:
        for length in (PAGE, PAGE):
            nursery.start_soon(write, length)
            await trio.testing.wait_all_tasks_blocked()
        assert under_way == ["whole", "whole"]
        for length in (100, PAGE):
            nursery.start_soon(write, length)
            await trio.testing.wait_all_tasks_blocked()
        assert under_way == ["whole", "whole"]
        assert engine.statistics().writes == 0
        gate.set()
    ends = [entry for entry in under_way if entry.startswith("done")]
    assert ends.index("done 100") == 2
    assert os.pread(fd, PAGE, 0) == bytes(PAGE)


async def test_opens_of_one_file_share_its_lock(
    engine: aio.Engine, fd: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = os.open(path, os.O_RDWR)
    engine.attach(other)
    async with trio.open_nursery() as nursery:
        for number in range(20):
            data = bytes([number]) * (PAGE if number % 2 else 600)
            nursery.start_soon(engine.write, (fd, other)[number % 3 == 0], data, number * PAGE)
    for number in range(20):
        assert os.pread(fd, 600, number * PAGE) == bytes([number]) * 600
    await engine.fsync(other)  # which the kernel fails if both ways have met
    engine.detach(other)
    os.close(other)


async def test_no_descriptor_is_left(engine: aio.Engine, path: Path) -> None:
    opened = [os.open(path, os.O_RDWR) for _ in range(3)]
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for fd in opened:
        engine.attach(fd)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 -- nothing was read yet
    for fd in opened[:2]:
        await read(engine, fd, 10, 0)
    assert len(os.listdir("/proc/self/fd")) >= before + 2  # noqa: PTH208
    engine.attach(opened[0])  # again, without detaching it
    engine.detach(opened[1])
    engine.detach(opened[2])
    engine.detach(opened[0])
    engine.detach(opened[0])
    await engine.aclose()
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
    for fd in opened:
        os.close(fd)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY])
async def test_a_file_is_opened_as_it_was_opened(
    engine: aio.Engine, path: Path, flags: int
) -> None:
    fd = os.open(path, flags)
    engine.attach(fd)
    if flags == os.O_RDONLY:
        assert await read(engine, fd, 10, 5) == CONTENT[5:15]
        with pytest.raises(OSError, match="Bad file"):
            await engine.write(fd, bytes(PAGE), 0)
    else:
        assert await engine.write(fd, bytes(PAGE), 0) == PAGE
        with pytest.raises(OSError, match="Bad file"):
            await read(engine, fd, 10, 5)
    assert engine.statistics().buffered == 0
    engine.detach(fd)
    os.close(fd)


async def test_a_file_system_without_o_direct_goes_through_the_cache(
    engine: aio.Engine, tmpfs: Path
) -> None:
    path = tmpfs / "file"
    path.write_bytes(CONTENT)
    fd = os.open(path, os.O_RDWR)
    engine.attach(fd)
    assert await read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
    assert await engine.write(fd, bytes(PAGE), 0) == PAGE
    assert await engine.write(fd, b"x", PAGE) == 1
    assert path.read_bytes() == bytes(PAGE) + b"x" + CONTENT[PAGE + 1 :]
    assert engine.statistics().buffered == 3
    engine.detach(fd)
    os.close(fd)


async def test_o_direct_that_is_refused_when_it_is_used_is_not_used_again(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Ring.begin
    refused = 0

    def refuse(ring: Ring, request: Request, done: Done) -> None:
        nonlocal refused
        if fcntl.fcntl(request.fd, fcntl.F_GETFL) & os.O_DIRECT:
            refused += 1
            done = _failing(done, errno.EINVAL)
        begin(ring, request, done)

    monkeypatch.setattr(Ring, "begin", refuse)
    if engine.name == "libaio":
        assert await engine.write(fd, bytes(PAGE), 0) == PAGE
    else:
        assert await read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
    assert await engine.write(fd, b"y" * PAGE, 0) == PAGE
    assert await read(engine, fd, PAGE, 0) == b"y" * PAGE
    assert refused == 1
    assert engine.statistics().buffered == 3


async def test_a_wrong_request_teaches_nothing(engine: aio.Engine, fd: int) -> None:
    with pytest.raises(OSError, match=r"Invalid argument|File too large"):
        await engine.write(fd, bytes(PAGE), (1 << 63) - PAGE)
    before = engine.statistics().buffered
    assert await read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
    assert await engine.write(fd, bytes(PAGE), 0) == PAGE
    assert engine.statistics().buffered == before


async def test_a_read_that_fails_is_tried_through_the_cache_and_a_write_is_not(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """xfs fails a read that meets somebody's write to a mapping."""
    begin = Ring.begin

    def fail(ring: Ring, request: Request, done: Done) -> None:
        if fcntl.fcntl(request.fd, fcntl.F_GETFL) & os.O_DIRECT:
            done = _failing(done, errno.EIO)
        begin(ring, request, done)

    monkeypatch.setattr(Ring, "begin", fail)
    for _ in range(2):
        assert await read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
    assert engine.statistics().buffered == 2
    with pytest.raises(OSError, match="Input/output"):
        await engine.write(fd, CONTENT[:PAGE], 0)
    assert engine.statistics().buffered == 2
    monkeypatch.setattr(Ring, "begin", begin)
    assert await read(engine, fd, PAGE, 0) == CONTENT[:PAGE]
    assert engine.statistics().buffered == 2


async def test_nothing_is_read_behind_the_block_in_which_the_file_ends(
    engine: aio.Engine, fd: int, requests: list[tuple[int, bool, int, int]]
) -> None:
    """xfs fails a read of blocks that it has set aside for data to come."""
    assert await read(engine, fd, 1 << 20, 0) == CONTENT
    assert await read(engine, fd, 100, len(CONTENT)) == b""
    unit = direct.alignment(fd).offset
    asked = [request for request in requests if request[3]]
    assert asked == [(READ, True, 0, -(-len(CONTENT) // unit) * unit)]


async def test_without_a_second_descriptor_it_goes_through_the_cache(
    engine: aio.Engine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(_fd: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    fds = [os.open(path, os.O_RDWR) for _ in range(2)]
    for fd in fds:
        engine.attach(fd)
    await read(engine, fds[0], 10, 0)
    monkeypatch.setattr(direct, "reopen", no_more)
    assert await engine.write(fds[1], bytes(PAGE), 0) == PAGE
    assert await read(engine, fds[0], PAGE, 0) == bytes(PAGE)
    assert engine.statistics().buffered == 1
    for fd in fds:
        engine.detach(fd)
        os.close(fd)


async def test_a_short_write_goes_on_with_the_block_that_it_ended_in(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform = Ring.perform
    offsets: list[int] = []

    async def short(ring: Ring, request: Request) -> int:
        offsets.append(request.offset)
        count = await perform(ring, request)
        return count - 100 if len(offsets) == 1 else count

    monkeypatch.setattr(Ring, "perform", short)
    data = os.urandom(4 * PAGE)
    assert await engine.write(fd, data, 0) == len(data)
    assert len(offsets) == 2
    assert 0 < offsets[1] < 4 * PAGE
    assert os.pread(fd, len(data), 0) == data


async def test_a_long_request_goes_in_pieces(
    engine: aio.Engine, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_LONGEST", 64 << 10)
    data = os.urandom(200_001)
    assert await engine.write(fd, data, 777) == len(data)
    assert await read(engine, fd, len(data), 777) == data


def test_where_statx_does_not_tell_any_disk_takes_a_page(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        monkeypatch.setattr(direct, "STATX_DIOALIGN", 0)
        assert direct.alignment(fd) == (4096, 4096)
        monkeypatch.setattr(direct, "statx", lambda *_, **__: refuse(errno.ENOSYS))
        assert direct.alignment(fd) == (4096, 4096)
        monkeypatch.setattr(direct, "statx", lambda *_, **__: refuse(errno.EIO))
        with pytest.raises(OSError, match="refused"):
            direct.alignment(fd)
    finally:
        os.close(fd)


def test_a_file_that_statx_knows_to_have_none_has_none(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        status = direct.statx(str(path), mask=direct.STATX_DIOALIGN)
        if not status.mask & direct.STATX_DIOALIGN:
            pytest.skip("this kernel or file system does not tell")
        none = status._replace(dio_mem_align=0, dio_offset_align=0)
        monkeypatch.setattr(direct, "statx", lambda *_, **__: none)
        with pytest.raises(OSError, match="no direct I/O for this file"):
            direct.alignment(fd)
    finally:
        os.close(fd)


def refuse(number: int) -> None:
    raise OSError(number, "refused")


def told(answer: bool) -> tuple[direct.BounceBuffers, list[tuple[int, int]]]:
    """Aligned memory, and what of it a queue is told."""
    seen: list[tuple[int, int]] = []

    def register(memory: Address, length: int) -> bool:
        seen.append((memory.value, length))
        return answer

    return direct.BounceBuffers(register), seen


@pytest.mark.parametrize("answer", [False, True])
def test_aligned_memory_is_used_again(answer: bool) -> None:
    memory, seen = told(answer)
    with memory.borrow(70_000) as first, memory.borrow(70_000) as second:
        assert first.address.value % PAGE == second.address.value % PAGE == 0
        assert first.address.value != second.address.value
        assert len(first.view) == 128 << 10
    with memory.borrow(100_000) as again:
        assert again.address.value in {first.address.value, second.address.value}
    with memory.borrow(32 << 20) as large:
        assert not large.registered
    with memory.borrow(32 << 20) as other:  # too large to be kept
        assert other.view is not large.view
    assert len(seen) == 1


def test_registered_memory_is_cut_up_and_what_is_beyond_it_is_not_registered() -> None:
    memory, _ = told(True)  # noqa: FBT003
    with ExitStack() as stack:
        pieces = [stack.enter_context(memory.borrow(1 << 20)) for _ in range(6)]
        assert [piece.registered for piece in pieces] == [True] * 4 + [False] * 2
        addresses = [piece.address.value for piece in pieces[:4]]
        assert addresses == list(range(addresses[0], addresses[0] + (4 << 20), 1 << 20))
    with memory.borrow(1 << 20) as piece:
        assert piece.address.value in {one.address.value for one in pieces}


def test_where_nothing_can_be_registered_nothing_is() -> None:
    memory, seen = told(False)  # noqa: FBT003
    with memory.borrow(1 << 20) as piece:
        assert not piece.registered
    assert len(seen) == 1


async def test_uring_reads_and_writes_by_registered_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Ring.begin
    registered: list[bool] = []

    def note(ring: Ring, request: Request, done: Done) -> None:
        registered.append(request.registered)
        begin(ring, request, done)

    monkeypatch.setattr(Ring, "begin", note)
    engine = Form("uring", {"direct": 1}).open()
    fd = os.open(path, os.O_RDWR)
    engine.attach(fd)
    into = bytearray(100_000)
    assert await engine.read(fd, memoryview(into)[1:], 777) == 99_999
    assert into[1:] == CONTENT[777:100_776]
    assert await engine.write(fd, memoryview(into)[1 : 1 + PAGE], 0) == PAGE
    assert os.pread(fd, PAGE, 0) == CONTENT[777 : 777 + PAGE]
    assert registered == [True, True]
    engine.detach(fd)
    await engine.aclose()
    os.close(fd)
