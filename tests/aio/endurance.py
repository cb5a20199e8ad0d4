"""Many operations, and what is left of them: descriptors, blocks of memory, resident memory."""

import gc
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

import trio

import aio
from tests.aio.engines import Form

AT_ONCE = 16
SIZE = 1 << 20


@dataclass
class Left:
    """What there is more of than before."""

    descriptors: int
    blocks: int  # of Python's memory
    resident: int  # bytes


async def endure(form: Form, folder: Path, operations: int) -> Left:
    """Reads, writes, cancelled calls, errors, opens and closes, in one engine, after a warm-up."""
    engine = form.open()
    try:
        await _work(engine, folder, max(operations // 10, 500))
        before = _measure()
        await _work(engine, folder, operations)
        after = _measure()
    finally:
        await engine.aclose()
    return Left(*(late - early for late, early in zip(after, before, strict=True)))


async def open_and_close(form: Form, times: int) -> Left:
    """The engine itself, again and again, with one call each."""
    before = _measure()
    for _ in range(times):
        engine = form.open()
        fd = os.open(__file__, os.O_RDONLY)
        engine.attach(fd)
        await engine.read(fd, memoryview(bytearray(100)), 0)
        engine.detach(fd)
        os.close(fd)
        await engine.aclose()
    after = _measure()
    return Left(*(late - early for late, early in zip(after, before, strict=True)))


async def _work(engine: aio.Engine, folder: Path, operations: int) -> None:
    random = Random(1)
    path = folder / "endured"
    path.write_bytes(random.randbytes(SIZE))
    while operations > 0:
        fd = os.open(path, os.O_RDWR)
        engine.attach(fd)
        for _ in range(10):
            async with trio.open_nursery() as nursery:
                for _ in range(AT_ONCE):
                    nursery.start_soon(_one, engine, fd, random)
                if random.random() < 0.1:
                    await trio.lowlevel.checkpoint()
                    nursery.cancel_scope.cancel()
            operations -= AT_ONCE
        engine.detach(fd)
        os.close(fd)


async def _one(engine: aio.Engine, fd: int, random: Random) -> None:
    offset = random.randrange(SIZE)
    length = random.choice((100, 4096, 20_000))
    if random.random() < 0.5:
        into = memoryview(bytearray(length))
        if engine.try_read(fd, into, offset) is None:
            await engine.read(fd, into, offset)
    elif random.random() < 0.9:
        data = bytes(length)
        if engine.try_write(fd, data, offset) is None:
            await engine.write(fd, data, offset)
    else:
        try:
            await engine.write(-1, bytes(10), offset)
        except OSError:
            return


def _measure() -> tuple[int, int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208 -- names, nothing else
        sys.getallocatedblocks(),
        pages * os.sysconf("SC_PAGESIZE"),
    )
