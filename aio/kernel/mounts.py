"""Mounting, and a mount namespace of one's own (`os.unshare` came with Python 3.12)."""

import os

from aio.kernel.libc import check, ffi, libc

_CLONE_NEWNS = 0x00020000
_MS_REC = 0x4000
_MS_SLAVE = 1 << 19

MNT_DETACH = 2  # out of sight at once, undone when the last user is gone


def unshare_mounts() -> None:
    """Give the calling thread, and all that it starts, mounts that no other process sees.

    Later mounts and unmounts of other processes are still seen here: otherwise we would keep their
    disks busy.  Errors: EPERM without CAP_SYS_ADMIN.
    """
    check(libc.unshare(_CLONE_NEWNS))
    check(libc.mount(ffi.NULL, b"/", ffi.NULL, _MS_REC | _MS_SLAVE, ffi.NULL))


def mount(source: str, target: str | os.PathLike[str], kind: str, options: str = "") -> None:
    """Mount a file system of this kind, with its own options: "size=1048576", "lowerdir=...".

    Errors: ENODEV, this kernel has no such file system; EPERM; EINVAL, nothing of the kind there.
    """
    point = os.fsencode(target)
    check(libc.mount(os.fsencode(source), point, os.fsencode(kind), 0, os.fsencode(options)), point)


def unmount(target: str | os.PathLike[str], flags: int = 0) -> None:
    """Unmount a file system.  Errors: EBUSY (a process has a file or folder of it open), EINVAL."""
    point = os.fsencode(target)
    check(libc.umount2(point, flags), point)
