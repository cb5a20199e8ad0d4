"""For how long a probe can wait after all, first: for room in the device's queue.

A cold probe submits the read itself, and the kernel waits until the queue has room for it
(blk_mq_get_tag below ext4_mpage_readpages, iomap_readahead and btrfs_readahead: seen in
/proc/PID/stack, Linux 6.18), whatever the flags say.  io_uring's submission, buffered or direct,
waits there as well.  Known of io_submit: github.com/scylladb/seastar/issues/70,
github.com/axboe/liburing/issues/1184.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from mmap import mmap
from pathlib import Path

from aio.compare.experiments.devices import (
    await_full,
    depth_of,
    filled,
    own_device,
    queue_below,
    reads_in,
    shortened,
)
from aio.compare.experiments.ground import Calls, Found, Ground, timed, while_time
from aio.compare.experiments.reads import SIZE, must_take_nowait, opened
from aio.compare.experiments.submits import Submitter, must_take_direct
from aio.compare.files import Files
from aio.compare.volumes.throttle import throttled
from aio.compare.workloads import MIB, Load
from aio.kernel import address_of
from aio.opening import unavailable
from aio.uring import UringQueue

# Reads kept in flight: where the queue is as it is (most are of 64 to 256 requests), and where it
# is as short as can be, on a device this slow.
_MANY = 256
_QUICK = 64
_FEW = 64
_NICE = 19  # on a fast device so many would have all of the CPU
_READS_PER_SECOND = 500
_FILE = 16 * MIB
SLOW: Found = {"others": _FEW, "reads_per_second": _READS_PER_SECOND}

# Makes a timed call for an offset, and counts it in.
_Way = Callable[[int], None]


def full_queue(ground: Ground) -> Found:
    """Cold probes and plain reads while many others read by O_DIRECT; the queue as it is."""
    _check(ground.files)
    queue = queue_below(ground.files.folder)
    others = _QUICK if ground.quick else _MANY
    with filled(ground.files.cached, others, _NICE):
        return {"others": others, **_compare(ground, ground.files, queue)}


def slow_full_queue(ground: Ground) -> Found:
    """`full_queue` on a slow device of our own with a queue of 4, each time when it is full.

    A call that waits then does so for one slice of the throttle or several: 100 ms each.
    """
    _check(ground.files)
    with slow_device(ground) as (files, queue):
        return {**SLOW, **_compare(ground, files, queue, partial(await_full, queue))}


@contextmanager
def slow_device(ground: Ground) -> Iterator[tuple[Files, Path]]:
    """Files on it, those of hits in the page cache, and its queue; its readers are at work."""
    with ExitStack() as stack:
        device = stack.enter_context(own_device(ground))
        files = Files(device.folder, cached_size=_FILE, evicted_size=_FILE, dirty_size=0)
        stack.enter_context(files)
        files.warm()
        stack.enter_context(shortened(device.queue))
        stack.enter_context(throttled(device.below, _READS_PER_SECOND))
        stack.enter_context(filled(files.cached, _FEW, 0))
        yield files, device.queue


def _check(files: Files) -> None:
    """CannotRun or OSError, if the volume lacks RWF_NOWAIT or O_DIRECT."""
    with opened(files.evicted) as fd:
        must_take_nowait(fd)
    must_take_direct(files.cached)


def _compare(
    ground: Ground, files: Files, queue: Path | None, before_each: Callable[[], None] | None = None
) -> Found:
    """Alternately: a probe, a plain read, and io_uring's submission of one, without its read."""
    calls = {name: Calls() for name in ("probe", "on_its_way", "read")}
    fullest = 0
    files.evict()
    offsets = files.blocks(Load(size=SIZE, data="evicted"))
    with _ways(files, calls, with_uring=not ground.quick) as ways:
        step = len(ways)
        starts = range(0, len(offsets) - step + 1, step)
        for start in while_time(ground.seconds, starts, fewest=3):
            for way, offset in zip(ways, offsets[start : start + step], strict=True):
                if before_each is not None:
                    before_each()
                fullest = max(fullest, reads_in(queue) if queue else 0)
                way(offset)
    found: Found = {"queue_depth": depth_of(queue), "most_in_queue": fullest} if queue else {}
    for name, each in calls.items():
        found |= each.found(name)
    return found


@contextmanager
def _ways(files: Files, calls: dict[str, Calls], *, with_uring: bool) -> Iterator[list[_Way]]:
    """All ways to ask for a page; each counts its calls in."""
    with ExitStack() as stack:
        fd = stack.enter_context(opened(files.evicted))
        ways: list[_Way] = [partial(_probe, calls, fd), partial(_read, calls["read"], fd)]
        if with_uring and not unavailable("uring"):
            memory = address_of(mmap(-1, SIZE), writable=True)
            ring = Submitter(stack.enter_context(closing(UringQueue(1))), memory)
            direct = stack.enter_context(opened(files.evicted, os.O_DIRECT))
            for name, by in (("uring_submit", fd), ("uring_direct_submit", direct)):
                calls[name] = Calls()
                ways.append(partial(_submit, calls[name], ring, by))
        yield ways


def _probe(calls: dict[str, Calls], fd: int, offset: int) -> None:
    """A refused probe, and one more while the first one's read is on its way."""
    into = bytearray(SIZE)
    first = timed(os.preadv, fd, (into,), offset, os.RWF_NOWAIT)
    if first.result is not None:
        return
    calls["probe"].add(first)
    second = timed(os.preadv, fd, (into,), offset, os.RWF_NOWAIT)
    if second.result is None:
        calls["on_its_way"].add(second)


def _read(calls: Calls, fd: int, offset: int) -> None:
    calls.add(timed(os.preadv, fd, (bytearray(SIZE),), offset))


def _submit(calls: Calls, ring: Submitter, fd: int, offset: int) -> None:
    call, _ = ring.submit(fd, (offset,))
    calls.add(call)
