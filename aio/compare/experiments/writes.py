"""When a write waits: for a page of which it covers only a part, and for the dirty limit."""

import os
from contextlib import nullcontext
from mmap import PAGESIZE
from pathlib import Path

from aio.compare.experiments.ground import DIRTY, Calls, Found, Ground, Timed, timed, while_time
from aio.compare.experiments.reads import opened
from aio.compare.study import DirtyLimit
from aio.compare.workloads import MIB

# Of a page, neither its first bytes nor its last.
_PART = bytes(100)
_INSET = 512
_WHOLE = bytes(PAGESIZE)
# The kernel pauses a writer for 10 ms or more (balance_dirty_pages).
_PAUSE = 0.005
# How often a MiB is written beyond the limit: until so many pauses, or so often.
_PAUSES = 5
_MOST = 256
_BELOW = 32  # MiB: far below any machine's limit
_IO = Path("/proc/thread-self/io")


def partial_page(ground: Ground) -> Found:
    """100 bytes into cold pages and into cached ones, and whole pages that are cold."""
    return {
        **_write("cold_part", ground, _PART, _INSET, warm=False),
        **_write("cached_part", ground, _PART, _INSET, warm=True),
        **_write("cold_whole", ground, _WHOLE, 0, warm=False),
    }


def _write(name: str, ground: Ground, data: bytes, inset: int, *, warm: bool) -> Found:
    calls = Calls()
    read = 0
    offsets = ground.cold(PAGESIZE)
    with opened(ground.files.evicted, os.O_RDWR) as fd:
        for offset in while_time(ground.seconds, offsets):
            if warm:
                os.pread(fd, PAGESIZE, offset)
            before = _bytes_read()
            calls.add(timed(os.pwrite, fd, data, offset + inset))
            read += _bytes_read() - before
    return {**calls.found(name), f"{name}_bytes_read": read / len(calls.seconds)}


def _bytes_read() -> int:
    """The bytes that this thread has caused to be read from a disk."""
    fields = dict(line.split(": ") for line in _IO.read_text().splitlines())
    return int(fields["read_bytes"])


def dirty_limit(ground: Ground) -> Found:
    """A MiB after the other: as the machine is, and to where the kernel pauses the writer.

    The second only where the device is ours: elsewhere the limit is the whole machine's.
    """
    below = Calls()
    for write in _write_on(ground, nullcontext, _BELOW):
        below.add(write)
    found = below.found("below")
    if ground.dirty_limit is not None:
        found |= _beyond(_write_on(ground, ground.dirty_limit, _MOST))
    return found


def _beyond(writes: list[Timed[int]]) -> Found:
    seconds = [write.seconds for write in writes]
    pauses = [at for at, each in enumerate(seconds) if each > _PAUSE]
    found: Found = {
        "beyond_mib": len(writes),
        "beyond_pauses": len(pauses),
        "beyond_max_us": round(max(seconds) * 1e6, 2),
    }
    if pauses:
        found["first_pause_after_mib"] = pauses[0]
    return found


def _write_on(ground: Ground, limit: DirtyLimit, most: int) -> list[Timed[int]]:
    """Into an empty file, until there were pauses enough, or so many MiB were written."""
    data = bytes(MIB)
    writes: list[Timed[int]] = []
    pauses = 0
    ground.files.prepare(DIRTY)
    with limit(), opened(ground.files.dirty, os.O_WRONLY) as fd:
        while len(writes) < most and pauses < _PAUSES:
            writes.append(timed(os.pwrite, fd, data, len(writes) * MIB))
            pauses += writes[-1].seconds > _PAUSE
    return writes
