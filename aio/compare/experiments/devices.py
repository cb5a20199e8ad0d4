"""Devices for experiments: a slow one of our own, its queue, and readers that keep it full."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aio.compare.experiments import filler
from aio.compare.experiments.ground import Ground
from aio.compare.experiments.reads import opened
from aio.compare.mount_table import mount_of
from aio.compare.study import CannotRun
from aio.compare.volumes.devices import device_number
from aio.compare.volumes.making import mounted_image
from aio.compare.workloads import MIB
from aio.file_systems import FileSystem
from aio.kernel import file_system_type

# The smallest image that each is content with.
_SIZES = {"ext4": 64 * MIB, "btrfs": 128 * MIB, "xfs": 320 * MIB}
SHORTEST = 4  # requests in a queue: the kernel's least (BLKDEV_MIN_RQ)
_PATIENCE = 5.0  # seconds, for a queue to be full
# One look could fall between two reads of a slice, which a throttled device does at full speed.
_LOOKS = 3


class OwnDevice(NamedTuple):
    """A loop device of our own, with its image on a volume on another loop device of ours."""

    folder: Path  # where it is mounted
    name: str  # "/dev/loop1"
    kind: str  # of the volume's file system, as is this one
    below: str  # the volume's device: to throttle it makes this one as slow

    @property
    def queue(self) -> Path:
        """Where /sys describes its queue."""
        return Path("/sys/block", Path(self.name).name, "queue")


@contextmanager
def own_device(ground: Ground) -> Iterator[OwnDevice]:
    """A device above the volume's: a throttled device itself holds reads back before its queue.

    CannotRun or VolumeError: there can be none here.
    """
    if ground.loop is None:
        raise CannotRun("not tried: it needs a device that is the study's own")
    with opened(ground.files.folder) as fd:
        kind = FileSystem(file_system_type(fd)).name
    if kind not in _SIZES:
        raise CannotRun(f"{kind} cannot be made within a file")
    with mounted_image(kind, ground.files.folder, _SIZES[kind]) as (folder, name):
        yield OwnDevice(folder, name, kind, ground.loop)


def queue_below(folder: Path) -> Path | None:
    """Where /sys describes the queue of the device that a folder is on, if it is on one."""
    mount = mount_of(folder)
    number = device_number(mount.source) if mount else None
    device = Path("/sys/dev/block", number or "none").resolve()
    queues = (each / "queue" for each in (device, device.parent))  # a partition has none
    return next((queue for queue in queues if (queue / "nr_requests").is_file()), None)


def depth_of(queue: Path) -> int:
    """How many requests it has room for."""
    return int((queue / "nr_requests").read_text())


def reads_in(queue: Path) -> int:
    """How many are in it now."""
    return int((queue.parent / "inflight").read_text().split()[0])


@contextmanager
def shortened(queue: Path) -> Iterator[None]:
    """A queue as short as it can be, until the end."""
    before = depth_of(queue)
    (queue / "nr_requests").write_text(str(SHORTEST))
    try:
        yield
    finally:  # a loop device outlives its image, and keeps this
        (queue / "nr_requests").write_text(str(before))


@contextmanager
def filled(path: Path, count: int, niceness: int) -> Iterator[None]:
    """So many processes read a file, past the page cache, until the end."""
    program = [sys.executable, "-I", "-S", str(filler.__file__)]
    command = [*program, str(path), str(count), str(niceness)]
    with subprocess.Popen(  # noqa: S603 - ours
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; its input ends then
    ) as readers:
        assert readers.stdin is not None
        assert readers.stdout is not None
        try:
            if not readers.stdout.readline():
                raise CannotRun(
                    "the readers that should have filled the device's queue have failed"
                )
            yield
        finally:
            readers.stdin.close()


def await_full(queue: Path) -> None:
    """Return when a queue is full and nothing moves in it; CannotRun if it does not fill."""
    until = time.monotonic() + _PATIENCE
    looks = 0
    while looks < _LOOKS:
        looks = looks + 1 if reads_in(queue) >= depth_of(queue) else 0
        if time.monotonic() > until:
            raise CannotRun("the device's queue was not to be filled")
        time.sleep(0.002)
