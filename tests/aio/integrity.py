"""Random reads and writes of one file through several engines at once, against a model of it."""

import os
from collections.abc import Sequence
from pathlib import Path
from random import Random

import trio

import aio
from tests.aio.engines import Form

LARGEST = 1 << 20
LENGTHS = (1, 100, 511, 512, 4095, 4096, 5000, 16384, 65536, 70_001)
UNITS = (1, 1, 512, 4096)
AT_ONCE = 8

Range = tuple[int, int]  # from, to


class Story:
    """A file, the engines that it is open in, and what should be in it."""

    def __init__(self, path: Path, forms: Sequence[Form], seed: int) -> None:
        self.random = Random(seed)
        self.content = bytearray(self.random.randbytes(LARGEST // 2))
        path.write_bytes(self.content)
        self.opens = [(form.open(), os.open(path, os.O_RDWR)) for form in forms]
        for engine, fd in self.opens:
            engine.attach(fd)
        self.plain = os.open(path, os.O_RDWR)

    async def play(self, operations: int) -> None:
        """Rounds of operations on ranges that do not overlap, so that their order is free."""
        while operations > 0:
            ranges = self._ranges()
            operations -= len(ranges)
            written: list[tuple[int, bytes]] = []
            async with trio.open_nursery() as nursery:
                for range_ in ranges:
                    engine, fd = self.random.choice(self.opens)
                    if self.random.random() < 0.5:
                        data = self.random.randbytes(range_[1] - range_[0])
                        written.append((range_[0], data))
                        nursery.start_soon(self._write, engine, fd, range_[0], data)
                    else:
                        nursery.start_soon(self._read, engine, fd, range_)
            for offset, data in written:
                self._remember(offset, data)
            await self._meanwhile()
        self.check()

    async def aclose(self) -> None:
        for engine, fd in self.opens:
            await engine.fsync(fd)
            engine.detach(fd)
            os.close(fd)
            await engine.aclose()
        os.close(self.plain)

    def check(self) -> None:
        """The whole file, by the page cache and from the disk."""
        assert os.pread(self.plain, LARGEST + 1, 0) == self.content
        os.fsync(self.plain)
        os.posix_fadvise(self.plain, 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(self.plain, LARGEST + 1, 0) == self.content

    def _ranges(self) -> list[Range]:
        ranges: list[Range] = []
        for _ in range(self.random.randint(1, AT_ONCE)):
            unit = self.random.choice(UNITS)
            start = self.random.randrange(LARGEST) // unit * unit
            end = start + -(-self.random.choice(LENGTHS) // unit) * unit
            if end <= LARGEST and all(end <= first or last <= start for first, last in ranges):
                ranges.append((start, end))
        return ranges

    async def _read(self, engine: aio.Engine, fd: int, range_: Range) -> None:
        start, end = range_
        into = memoryview(bytearray(end - start))
        count = engine.try_read(fd, into, start)
        if count is None:
            count = await engine.read(fd, into, start)
        there = self.content[start:end]
        assert into[: len(there)] == there, (engine.name, start, end)
        # What another write of the round has made of the file's end is a gap here.
        assert len(there) <= count
        assert not any(into[len(there) : count])

    async def _write(self, engine: aio.Engine, fd: int, offset: int, data: bytes) -> None:
        if engine.try_write(fd, data, offset) is None:
            assert await engine.write(fd, data, offset) == len(data)

    def _remember(self, offset: int, data: bytes) -> None:
        gap = offset + len(data) - len(self.content)
        if gap > 0:
            self.content += bytes(gap)
        self.content[offset : offset + len(data)] = data

    async def _meanwhile(self) -> None:
        chance = self.random.random()
        if chance < 0.02:
            length = self.random.randrange(LARGEST)
            os.truncate(self.plain, length)
            self.content[length:] = bytes(max(length - len(self.content), 0))
        elif chance < 0.06:
            os.posix_fadvise(self.plain, 0, 0, os.POSIX_FADV_DONTNEED)
        elif chance < 0.08:
            engine, fd = self.random.choice(self.opens)
            await engine.fsync(fd)
        elif chance < 0.10:
            self.check()


async def play(path: Path, forms: Sequence[Form], operations: int, seed: int) -> None:
    """Play a story to its end."""
    story = Story(path, forms, seed)
    try:
        await story.play(operations)
    finally:
        with trio.CancelScope(shield=True):
            await story.aclose()
