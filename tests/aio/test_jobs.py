"""Reads that others in C have made for the engine's threads: here the test lays them out."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from struct import Struct, unpack_from

import pytest
import trio

import aio
from aio._readers import READERS
from aio.jobs import Jobs
from aio.kernel.libc import address_of
from aio.threads import ThreadsEngine

_JOB = Struct("=QQiii4xQQQQq")  # next, owner, fd, flags, code, address, length, offset, tag, count
CONTENT = os.urandom(100_000)


class Owner:
    """Whose jobs they are: a `struct jobs`, and what it was told."""

    def __init__(self) -> None:
        self._memory = bytearray(16)  # first, last
        self.key = address_of(memoryview(self._memory), writable=True).value
        self._jobs: dict[int, tuple[bytearray, bytearray]] = {}
        self.ended: dict[int, bytes | int] = {}
        self.told = trio.Event()

    def begin(self, jobs: Jobs, fd: int, *asked: tuple[int, int]) -> None:
        """Begin a list of reads: of so many bytes, from there on."""
        following = 0
        for tag, (length, offset) in reversed([*enumerate(asked, len(self._jobs))]):
            job, data = bytearray(_JOB.size), bytearray(length)
            into = address_of(memoryview(data), writable=True).value
            _JOB.pack_into(job, 0, following, self.key, fd, 0, 0, into, length, offset, tag, 0)
            following = address_of(memoryview(job), writable=True).value
            self._jobs[following] = job, data
        jobs.begin(self, following, len(asked))

    def tell(self) -> None:
        """Take what has ended out of the list."""
        (at,) = unpack_from("=Q", self._memory)
        self._memory[:] = bytes(16)
        while at:
            job, data = self._jobs[at]
            at, *_, tag, count = _JOB.unpack(job)
            assert tag not in self.ended
            self.ended[tag] = bytes(data[:count]) if count >= 0 else -count
        self.told.set()

    async def all_of(self, count: int) -> list[bytes | int]:
        with trio.fail_after(240):
            while len(self.ended) < count:
                self.told = trio.Event()
                await self.told.wait()
        return [self.ended[number] for number in range(count)]


@pytest.fixture
async def engine() -> AsyncIterator[ThreadsEngine]:
    try:
        READERS.load()
    except OSError as error:
        pytest.skip(f"there are no threads in C here: {error.strerror}")
    engine = aio.open_engine("threads")
    assert isinstance(engine, ThreadsEngine)
    yield engine
    await engine.aclose()


@pytest.fixture
def fd(tmp_path: Path) -> int:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return os.open(path, os.O_RDONLY)


def jobs_of(engine: ThreadsEngine) -> Jobs:
    assert engine.jobs is not None
    return engine.jobs


async def test_each_gets_its_own_data(engine: ThreadsEngine, fd: int) -> None:
    owner = Owner()
    owner.begin(jobs_of(engine), fd, *((5000, number * 1000) for number in range(64)))
    assert await owner.all_of(64) == [CONTENT[n * 1000 : n * 1000 + 5000] for n in range(64)]
    os.close(fd)


async def test_over_the_end_there_is_less_and_behind_it_nothing(
    engine: ThreadsEngine, fd: int
) -> None:
    owner = Owner()
    owner.begin(jobs_of(engine), fd, (8192, len(CONTENT) - 100), (10, len(CONTENT)), (10, 1 << 40))
    assert await owner.all_of(3) == [CONTENT[-100:], b"", b""]
    os.close(fd)
    owner.begin(jobs_of(engine), fd, (10, 0))
    assert (await owner.all_of(4))[3] == errno.EBADF


async def test_many_owners_are_told_each_of_its_own(engine: ThreadsEngine, fd: int) -> None:
    owners = [Owner() for _ in range(200)]
    for number, owner in enumerate(owners):
        owner.begin(jobs_of(engine), fd, (100, number), (50, number))
    for number, owner in enumerate(owners):
        assert await owner.all_of(2) == [CONTENT[number : number + n] for n in (100, 50)]
    os.close(fd)


async def test_they_are_counted_when_they_go_to_threads(engine: ThreadsEngine, fd: int) -> None:
    owner, jobs = Owner(), jobs_of(engine)
    owner.begin(jobs, fd, (100, 0), (100, 5))
    await owner.all_of(2)
    jobs.ended(2, 200, 0.5, 0.4)
    stats = engine.statistics()
    assert (stats.switches, stats.reads, stats.bytes_read) == (2, 2, 200)
    assert (stats.seconds, stats.max_seconds) == (0.5, 0.4)
    os.close(fd)


async def test_the_engine_ends_behind_them(engine: ThreadsEngine, fd: int) -> None:
    owner = Owner()
    owner.begin(jobs_of(engine), fd, *((5000, 0) for _ in range(50)))
    await engine.aclose()
    assert len(owner.ended) == 50
    assert not jobs_of(engine).is_open
    os.close(fd)


def test_a_later_run_of_trio_may_use_the_same_threads(fd: int) -> None:
    try:
        READERS.load()
    except OSError as error:
        pytest.skip(f"there are no threads in C here: {error.strerror}")

    async def use(engine: ThreadsEngine) -> None:
        owner = Owner()
        owner.begin(jobs_of(engine), fd, (100, 0))
        assert await owner.all_of(1) == [CONTENT[:100]]

    async def opened() -> ThreadsEngine:
        engine = aio.open_engine("threads")
        assert isinstance(engine, ThreadsEngine)
        return engine

    engine = trio.run(opened)
    trio.run(use, engine)
    trio.run(use, engine)
    trio.run(engine.aclose)
    os.close(fd)
