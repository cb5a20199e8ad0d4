"""Whether a read of a regular file can be told not to wait: O_NONBLOCK, and RWF_NOWAIT."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import PAGESIZE
from pathlib import Path

from aio.compare.experiments.ground import WARM, Calls, Found, Ground, pairs, timed, while_time
from aio.compare.study import CannotRun

SIZE = PAGESIZE  # of every read here
_WRITES = 20


def o_nonblock(ground: Ground) -> Found:
    """Cold reads by a descriptor with O_NONBLOCK and by one without, alternately."""
    offsets = ground.cold(SIZE)
    into = bytearray(SIZE)
    refused = 0
    without, with_flag = Calls(), Calls()
    path = ground.files.evicted
    with opened(path) as plain, opened(path, os.O_RDONLY | os.O_NONBLOCK) as nonblocking:
        for first, second in while_time(ground.seconds, pairs(offsets)):
            without.add(timed(os.preadv, plain, (into,), first))
            refused += with_flag.add(timed(os.preadv, nonblocking, (into,), second)) is None
    return {"eagain": refused, **with_flag.found("with"), **without.found("without")}


def rwf_nowait(ground: Ground) -> Found:
    """Probes of pages that are not there, that are on their way, and that are cached; writes."""
    with opened(ground.files.evicted) as fd:
        must_take_nowait(fd)
        reads = _reads(fd, ground.cold(SIZE), ground.seconds)
    ground.files.prepare(WARM)
    with opened(ground.files.cached, os.O_RDWR) as fd:
        overwrites = _writes("overwrites", fd, os.pread(fd, SIZE, 0), 0)
    with opened(ground.files.dirty, os.O_RDWR) as fd:
        extending = _writes("extending", fd, bytes(SIZE), SIZE)
    return reads | overwrites | extending


def _reads(fd: int, offsets: list[int], seconds: float) -> Found:
    into = bytearray(SIZE)
    hits = refused = 0
    cold, on_its_way, cached = Calls(), Calls(), Calls()
    for offset in while_time(seconds, offsets):
        first = timed(os.preadv, fd, (into,), offset, os.RWF_NOWAIT)
        if first.result is not None:  # the kernel has read ahead
            hits += 1
            continue
        second = timed(os.preadv, fd, (into,), offset, os.RWF_NOWAIT)
        # It waits, so that the next probe finds the device idle.
        os.preadv(fd, (into,), offset)
        cold.add(first)
        if second.result is None:
            on_its_way.add(second)
        refused += cached.add(timed(os.preadv, fd, (into,), offset, os.RWF_NOWAIT)) is None
    return {
        "hits": hits,
        **cold.found("cold"),
        **on_its_way.found("on_its_way"),
        **cached.found("cached"),
        "cached_refused": refused,
    }


def _writes(name: str, fd: int, page: bytes, step: int) -> Found:
    """Write a page again and again, each time `step` behind."""
    taken = 0
    try:
        for number in range(_WRITES):
            call = timed(os.pwritev, fd, (page,), number * step, os.RWF_NOWAIT)
            taken += call.result is not None
            if call.result is None:
                os.pwrite(fd, page, number * step)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return {name: "not supported (EOPNOTSUPP)"}
    return {name: f"{taken} of {_WRITES} taken"}


def must_take_nowait(fd: int) -> None:
    """CannotRun: this file system has no RWF_NOWAIT."""
    try:
        os.preadv(fd, (bytearray(1),), 0, os.RWF_NOWAIT)
    except BlockingIOError:
        pass
    except OSError as error:
        raise CannotRun(f"preadv2(RWF_NOWAIT) fails here: {error.strerror}") from error


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A descriptor for as long as the block lasts."""
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)
