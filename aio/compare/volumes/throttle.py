"""A slow disk: the reads of a block device are rationed, for this process and its descendants.

Reads alone: the study's question is what a miss costs.  With 10 writes a second, direct writes
and fsync of the group were slow in both versions, but the kernel's own writing back was slow in
version 2 and not in version 1 (tried), so that "beyond the dirty limit" would mean something else
on every machine.

The ration is an average.  The kernel deals it out by slices of time: at 200 reads a second, 20 are
let go at once every 100 ms (measured: version 1 on Linux 6.18, version 2 on 6.1).  With one read in
flight the median is that of the device below, and the worst 100 ms; reads beyond a slice queue.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap
from pathlib import Path

from aio.compare.volumes.devices import device_number
from aio.compare.volumes.failure import VolumeError
from aio.compare.volumes.groups import current_hierarchy, group_of_ours

_BLOCK = 4096
# Seconds that the trial takes, and the part of them that a first slice may spare it.
_TRIAL = 0.3
_SLICE = 0.1


@contextmanager
def throttled(device: str, reads_per_second: int) -> Iterator[None]:
    """Ration the reads of a block device ("/dev/loop0") until the end.

    VolumeError: this machine has no controller for it, or this user may not use it.
    """
    number = device_number(device)
    if number is None:
        raise VolumeError(f"{device} is not here")
    hierarchy = current_hierarchy()
    with group_of_ours(hierarchy) as group:
        set_rule(group, hierarchy.version, number, reads_per_second)
        yield


def set_rule(group: Path, version: int, number: str, reads_per_second: int) -> None:
    """Tell the controller; it goes with the group."""
    if version == 1:
        file, rule = group / "blkio.throttle.read_iops_device", f"{number} {reads_per_second}"
    else:
        file, rule = group / "io.max", f"{number} riops={reads_per_second}"
    try:
        file.write_text(rule)
    except OSError as error:
        raise VolumeError(f"a slow disk cannot be had: {file.name}: {error.strerror}") from error


def check_throttled(device: str, reads_per_second: int) -> None:
    """VolumeError unless reads that pass by the page cache are slowed down now.

    The kernel may take a rule and not follow it: controllers can be built without it.
    """
    count = max(3, int(reads_per_second * _TRIAL))
    rationed = (count - reads_per_second * _SLICE - 1) / reads_per_second
    # The rest of an earlier slice may let one trial pass quickly (seen on a busy machine).
    seconds = max(_time_reads(device, count) for _ in range(2))
    if seconds < rationed / 2:
        raise VolumeError(
            f"{device} is not slowed down to {reads_per_second} reads a second: "
            f"{count} took {seconds * 1e3:.0f} ms, though its control group has the rule"
        )


def _time_reads(device: str, count: int) -> float:
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        blocks = os.lseek(fd, 0, os.SEEK_END) // _BLOCK
        with mmap(-1, _BLOCK) as into:  # aligned, as O_DIRECT asks
            started = time.perf_counter()
            for _ in range(count):
                os.preadv(fd, [into], random.randrange(blocks) * _BLOCK)  # noqa: S311
            return time.perf_counter() - started
    finally:
        os.close(fd)
