"""For how long a probe can wait after all, second: to read where the data is.

Before a cold probe can submit a read, the file system looks up where on the disk the page is, and
for that it may have to read itself: a block of extents (ext4, xfs), of checksums (btrfs).
"""

import os
from contextlib import ExitStack
from pathlib import Path
from random import Random

from aio.compare.experiments.devices import OwnDevice, own_device
from aio.compare.experiments.ground import Calls, Found, Ground, timed
from aio.compare.experiments.reads import SIZE, must_take_nowait, opened
from aio.compare.volumes.throttle import throttled
from aio.kernel import mount, unmount

_READS_PER_SECOND = 500
# A file of so many pages with holes in between, an extent each.
_EXTENTS = 2048
_STRIDE = 16384
_PROBES = 50


def cold_metadata(ground: Ground) -> Found:
    """Cold probes on a file in many pieces, of a file system that was mounted just now."""
    with opened(ground.files.evicted) as fd:
        must_take_nowait(fd)
    with ExitStack() as stack:
        device = stack.enter_context(own_device(ground))
        path = device.folder / "pieces"
        page = os.urandom(SIZE)
        with opened(path, os.O_WRONLY | os.O_CREAT) as fd:
            for number in range(_EXTENTS):
                os.pwrite(fd, page, number * _STRIDE)
            os.fsync(fd)
        _mount_again(device)
        stack.enter_context(throttled(device.below, _READS_PER_SECOND))
        fd = stack.enter_context(opened(path))
        return {
            "extents": _EXTENTS,
            "reads_per_second": _READS_PER_SECOND,
            **_probe(fd).found("probe"),
        }


def _probe(fd: int) -> Calls:
    """Refused probes, one after the other: each read is waited for, so that none is in the way."""
    into = bytearray(SIZE)
    probes = Calls()
    order = Random(1)  # noqa: S311 - no secret
    for number in order.sample(range(_EXTENTS), _PROBES):
        call = timed(os.preadv, fd, (into,), number * _STRIDE, os.RWF_NOWAIT)
        if call.result is None:
            probes.add(call)
        os.preadv(fd, (into,), number * _STRIDE)
    return probes


def _mount_again(device: OwnDevice) -> None:
    """Nothing of it is in memory then."""
    with opened(Path(device.name)):  # else the device would go with its mount
        unmount(device.folder)
        mount(device.name, device.folder, device.kind)
