"""File systems of a campaign's own, and what may happen to one: frozen, synchronous, slow, full."""

import fcntl
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from aio.compare.volumes import limits
from aio.compare.volumes.devices import device_number
from aio.compare.volumes.failure import VolumeError
from aio.compare.volumes.groups import current_hierarchy, group_of_ours
from aio.compare.volumes.making import mounted_image, mounted_overlay, need_root
from aio.compare.volumes.throttle import set_rule

from .campaign import NotHereError

_FIFREEZE, _FITHAW = 0xC0045877, 0xC0045878
_MEBIBYTE = 1 << 20
_SIZES = {"ext4": 512 * _MEBIBYTE, "xfs": 512 * _MEBIBYTE, "btrfs": 512 * _MEBIBYTE}


@dataclass(frozen=True, slots=True)
class Disk:
    """A new file system on a loop device."""

    folder: Path
    device: str

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """As `fsfreeze` has it: a writer waits until the end.  To freeze it takes a while too."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            await trio.to_thread.run_sync(fcntl.ioctl, fd, _FIFREEZE, 0)
            try:
                yield
            finally:
                fcntl.ioctl(fd, _FITHAW, 0)
        finally:
            os.close(fd)

    def remount(self, options: str) -> None:
        """With other options: "sync"."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)

    @contextmanager
    def rationed(self, *, reads: int = 0, written: int = 0) -> Iterator[None]:
        """So many reads, and bytes written, a second: for this process and its descendants."""
        number = device_number(self.device)
        assert number is not None
        try:
            hierarchy = current_hierarchy()
            with group_of_ours(hierarchy) as group:
                if reads:
                    set_rule(group, hierarchy.version, number, reads)
                if written:
                    _ration_writes(group, hierarchy.version, number, written)
                yield
        except VolumeError as error:
            raise NotHereError(str(error)) from error

    @contextmanager
    def dirty_limit(self, limit: int) -> Iterator[None]:
        """No more than so many bytes of it are dirty: a writer of more is paused."""
        bdi = limits.find_bdi(device_number(self.device) or "")
        if bdi is None:
            raise NotHereError("a device has no dirty limit of its own here (Linux 6.2)")
        with limits.dirty_limit(bdi, limit):
            yield


def _ration_writes(group: Path, version: int, number: str, written: int) -> None:
    if version == 1:
        (group / "blkio.throttle.write_bps_device").write_text(f"{number} {written}")
    else:
        (group / "io.max").write_text(f"{number} wbps={written}")


@contextmanager
def new_disk(kind: str, folder: Path) -> Iterator[Disk]:
    """ext4, xfs or btrfs, its image in `folder`.  NotHereError: not by this user or machine."""
    try:
        need_root(kind)
        with mounted_image(kind, folder, _SIZES[kind]) as (point, device):
            yield Disk(point, device)
    except VolumeError as error:
        raise NotHereError(str(error)) from error


@contextmanager
def overlay_on(disk: Disk) -> Iterator[Path]:
    """An overlayfs over it; what is in its folder `lower` is seen there."""
    try:
        with mounted_overlay(disk.folder) as point:
            yield point
    except VolumeError as error:
        raise NotHereError(str(error)) from error
