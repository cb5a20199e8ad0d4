"""File systems of our own, mounted where only this process and its children see them.

A killed study leaves nothing: the mounts go with the namespace, the loop device with its last
user, and the image never had a name.  Only an empty folder stays, for the next study to remove.
"""

import errno
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from aio.compare.volumes.failure import VolumeError
from aio.compare.volumes.leftovers import folder_of_ours
from aio.compare.volumes.loops import loop_device
from aio.kernel import MNT_DETACH, mount, unmount, unshare_mounts

# ext4 would go on making its tables in the background, while it is measured.
_MAKERS = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
_NO_RIGHT = (
    "{} must be mounted, which needs root (and CAP_SYS_ADMIN: a container has it with --privileged)"
)


def need_root(what: str) -> None:
    """VolumeError unless this process may mount, as far as its user id says."""
    if os.geteuid() != 0:
        raise VolumeError(_NO_RIGHT.format(what))


@cache
def own_mount_namespace() -> None:
    """From now on no other process sees the mounts of this process and its children, and the mounts
    die with them.  To be called before the first thread is started: it would stay outside.
    """
    need_root("a file system of the study's own")
    if threading.active_count() > 1:
        raise RuntimeError("there are threads already, which would not see the mounts")
    try:
        unshare_mounts()
    except OSError as error:
        reason = _NO_RIGHT.format("a file system of the study's own")
        raise VolumeError(f"{reason}: {error.strerror}") from error


@contextmanager
def mounted_image(kind: str, folder: Path, size: int) -> Iterator[tuple[Path, str]]:
    """Mount a new file system (ext4, xfs or btrfs); its mount point, and its loop device.

    Its image of `size` bytes is in `folder`, sparse and without a name.
    """
    _check_room(folder, size)
    with _mount_point() as point, ExitStack() as stack:
        with loop_device(folder, size) as device:
            _make(kind, device)
            stack.enter_context(_mounted(device, point, kind))
        yield point, device  # from here on the mount alone holds it


@contextmanager
def mounted_memory(size: int) -> Iterator[Path]:
    """Mount a new tmpfs of `size` bytes; its mount point."""
    with _mount_point() as point, _mounted("smbd-compare", point, "tmpfs", f"size={size}"):
        yield point


@contextmanager
def mounted_overlay(folder: Path) -> Iterator[Path]:
    """Mount an overlayfs with its layers in this folder; the layers stay there."""
    lower, upper, work, point = (folder / name for name in ("lower", "upper", "work", "merged"))
    for each in (lower, upper, work, point):
        each.mkdir()
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    with _mounted("overlay", point, "overlay", options):
        yield point


@contextmanager
def _mount_point() -> Iterator[Path]:
    with folder_of_ours(Path(tempfile.gettempdir())) as point:
        yield point


@contextmanager
def _mounted(source: str, point: Path, kind: str, options: str = "") -> Iterator[None]:
    try:
        mount(source, point, kind, options)
    except OSError as error:
        reason = f"this kernel has no {kind}" if error.errno == errno.ENODEV else error.strerror
        raise VolumeError(f"{kind} cannot be mounted here: {reason}") from error
    try:
        yield
    finally:
        _unmount(point)


def _unmount(point: Path) -> None:
    try:
        unmount(point)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # A process has a file of it open still: it goes out of sight, and ends with that process.
        # No error, which would hide the error that the study ends by.
        unmount(point, MNT_DETACH)


def _make(kind: str, device: str) -> None:
    program, *options = _MAKERS[kind]
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise VolumeError(f"{kind} cannot be made: {program} is not installed")
    done = subprocess.run(  # noqa: S603 - ours, on a device of ours
        [found, *options, device],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise VolumeError(f"{kind} cannot be made: {done.stderr.strip() or done.returncode}")


def _check_room(folder: Path, size: int) -> None:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise VolumeError(f"{folder}: {error.strerror}") from error
    if free < size:
        raise VolumeError(
            f"{folder} has {free >> 20} MiB left, and an image there needs {size >> 20} MiB"
        )
