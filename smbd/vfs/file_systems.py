"""The file systems of one share, and their FileIds for a client that sees one volume.

Inode numbers are equal on two file systems, and FileIds must not be: tar would store one file as a
hard link to another.  On the file system of the root a FileId is the inode number; on another one
it is that number mixed with a number of the file system, which is made of the path where it is
mounted in the share.  The UUID would not do: a copied disk has the same.  The device number
neither: it is another one after the next start.
"""

import hashlib
import os
from typing import NamedTuple

from aio import kernel
from aio.file_systems import BTRFS
from aio.mounted import Look, learn_type, look_at
from smbd.vfs.at_once import AtOnce, at_once_on
from smbd.vfs.lookup import absolute_path_of
from smbd.vfs.mounts import Mount, mounts
from smbd.vfs.visibility import Names

# No inode number of the root's file system has this bit, so that no FileId of another one, all of
# which have it, is among theirs.
_OTHERS = 1 << 63


class FileSystem(NamedTuple):
    """The numbers that tell one file system of a share from the others."""

    mask: int  # the bits by which a FileId differs from the inode number
    guid: bytes  # of the volume
    volume_id: int  # 64 bits, of which the volume's serial number is the lower half
    hide: Names | None = None  # what is HIDDEN by its name, in the share that has met it

    def file_id(self, inode: int) -> int:
        """The FileId of an inode of this file system."""
        return inode ^ self.mask


class FileSystems:
    """The file systems that files of one share were found on, by device and mount.

    The share's numbers are made of `label`: it keeps them over restarts, and two shares
    differ even on one disk, since clients take equal serial numbers for one volume.
    """

    def __init__(self, root: int, label: bytes, hide: Names | None = None) -> None:
        self._root = root
        self._hide = hide
        self._label = label
        self._own = self._make(0, b"")
        self.device = look_at(root).st_dev
        self._known: dict[tuple[int, int], FileSystem] = {}
        self._at_once: dict[int, AtOnce | None] = {}

    def known(self, device: int, mount: int) -> FileSystem | None:
        """The one of these numbers, if it was met before.  Waits for nothing."""
        return self._own if device == self.device else self._known.get((device, mount))

    def at_once(self, device: int) -> AtOnce | None:
        """Whether the loop may change something there; None: never, or not as far as is known."""
        return self._at_once.get(device)

    def learn(self, fd: int, look: Look) -> FileSystem:
        """The one that an open file is on.  May wait; OSError."""
        kind = learn_type(fd, look)
        if look.st_dev not in self._at_once:
            self._at_once[look.st_dev] = at_once_on(look.st_dev, kind)
        found = self.known(look.st_dev, look.mount) if look.unique else None
        if found is None:
            found = self._own if look.st_dev == self.device else self._identify(fd, look, kind)
            self._known[look.st_dev, look.mount] = found
        return found

    def _identify(self, fd: int, look: Look, kind: int) -> FileSystem:
        mount = self._mount_of(fd)
        name = os.fsencode(mount.point)
        if mount.device != f"{os.major(look.st_dev)}:{os.minor(look.st_dev)}":
            # One mount shows several: subvolumes, which have numbers of their own for good, or the
            # layers of an overlayfs on different file systems, which have none.
            number = os.fstatvfs(fd).f_fsid if kind == BTRFS else look.st_dev
            name += b"\0%d" % number
        digest = hashlib.sha256(name).digest()
        return self._make(int.from_bytes(digest[:8], "little") | _OTHERS, b"\0" + name)

    def _make(self, mask: int, name: bytes) -> FileSystem:
        digest = hashlib.sha256(self._label + name).digest()
        volume_id = int.from_bytes(digest[16:24], "little")
        return FileSystem(mask, digest[:16], volume_id, self._hide)

    def _mount_of(self, fd: int) -> Mount:
        """The mount that an open file is on: of several of one file system always the same one."""
        number = str(_mount_number(fd))
        mounts = _mounts_below(absolute_path_of(self._root), str(_mount_number(self._root)))
        of_file = next((one for one in mounts if one.number == number), None)
        if of_file is None:  # no /proc, or a share whose directory was moved
            return Mount(number, "", "", number)
        alike = [one for one in mounts if one.device == of_file.device]
        return min(alike, key=lambda one: one.point)


def _mount_number(fd: int) -> int:
    """As /proc/self/mountinfo says it; 0 before Linux 5.8."""
    status = kernel.statx(
        b"", dir_fd=fd, flags=kernel.AT_EMPTY_PATH | kernel.AT_STATX_DONT_SYNC,
        mask=kernel.STATX_MNT_ID,
    )  # fmt: skip
    return status.mnt_id


def _mounts_below(root: str, own: str) -> list[Mount]:
    """The mounts below the directory `root`, by path from there; `own` is the one it is on."""
    inside = root.rstrip("/") + "/"
    found: dict[str, Mount] = {}  # of several at one path only the last can be seen
    for one in mounts():
        point = inside if one.number == own else one.point
        if point.startswith(inside):
            below = point[len(inside) :]
            found[below] = one._replace(point=below)
    return list(found.values())
