"""One volume to measure in, and the settings that can be made on it."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from aio.compare.document import Volume
from aio.compare.volumes import limits
from aio.compare.volumes.devices import device_below, device_number
from aio.compare.volumes.failure import VolumeError
from aio.compare.volumes.making import (
    mounted_image,
    mounted_memory,
    mounted_overlay,
    need_root,
    own_mount_namespace,
)
from aio.compare.volumes.throttle import check_throttled, throttled
from aio.file_systems import FileSystem
from aio.kernel import file_system_type

# Kinds that can be made.  overlayfs is laid over an ext4 of its own: the folder of a user in a
# container is on an overlayfs already, which can be no other one's upper layer.
KINDS = ("ext4", "xfs", "btrfs", "tmpfs", "overlayfs")
SIZE = 1 << 30


@dataclass(frozen=True, slots=True)
class OpenVolume:
    """A folder to make files in, until the end of the context that it came from."""

    name: str
    folder: Path
    loop: str | None = None  # the device that the study made, if it made one
    made: bool = False
    reads_per_second: int | None = None

    def describe(self) -> Volume:
        """For the document, with nothing measured yet."""
        device = device_below(self.folder)
        if self.reads_per_second:
            device += (
                f"; {self.reads_per_second} reads/s on average by its control group, "
                "dealt out in bursts, up to 100 ms apart"
            )
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            kind = FileSystem(file_system_type(fd)).name
        finally:
            os.close(fd)
        return Volume(self.name, str(self.folder), kind, device, self.made, self.reads_per_second)

    def throttled(self) -> AbstractContextManager[object]:
        """Until its end, reads of this process and its descendants are as slow as was asked for.

        Nothing, where nothing was asked for.
        """
        if self.loop is None or self.reads_per_second is None:
            return nullcontext()
        return throttled(self.loop, self.reads_per_second)

    def dirty_limit(self, limit: int) -> AbstractContextManager[None] | None:
        """Until its end, writers wait once about `limit` bytes (to twice that) are dirty here.

        None where that cannot be had: on a device that is not the study's own, before Linux 6.2.
        """
        if self.loop is None:
            return None
        number = device_number(self.loop)
        bdi = number and limits.find_bdi(number)
        return limits.dirty_limit(bdi, limit) if bdi else None


@contextmanager
def user_volume(folder: Path) -> Iterator[OpenVolume]:
    """A folder that is there already.  VolumeError: it is no folder, or is read-only."""
    if not folder.is_dir():
        raise VolumeError(f"{folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise VolumeError(f"nothing can be made in {folder}")
    yield OpenVolume(str(folder), folder)


@contextmanager
def made_volume(
    kind: str, folder: Path, *, size: int = SIZE, reads_per_second: int | None = None
) -> Iterator[OpenVolume]:
    """A new file system, one of KINDS, of so many bytes; its image, if any, is in `folder`.

    It is unmounted and gone at the end.  VolumeError: this user or this machine cannot.
    """
    need_root(kind)
    if kind == "tmpfs" and reads_per_second:
        raise VolumeError("tmpfs is on no disk that could be slow")
    own_mount_namespace()
    limits.forget_limits()
    name = f"{kind}, {reads_per_second} reads/s" if reads_per_second else kind
    with _mounted(kind, folder, size) as (point, loop):
        volume = OpenVolume(name, point, loop, made=True, reads_per_second=reads_per_second)
        if loop and reads_per_second:
            with volume.throttled():  # now, not after minutes of measuring
                check_throttled(loop, reads_per_second)
        yield volume


@contextmanager
def _mounted(kind: str, folder: Path, size: int) -> Iterator[tuple[Path, str | None]]:
    if kind == "tmpfs":
        with mounted_memory(size) as point:
            yield point, None
    elif kind == "overlayfs":
        with mounted_image("ext4", folder, size) as (below, loop), mounted_overlay(below) as point:
            yield point, loop
    else:
        with mounted_image(kind, folder, size) as found:
            yield found
