"""The file system of an open file: asked for once a mount, and never where a wait is not allowed.

fstatfs goes to the server of FUSE and NFS, and fstat may: half a second or more for each open file
(measured with a FUSE that answers late).  The answer is kept by the mount's number.
"""

import os
from typing import NamedTuple

from aio.kernel import (
    AT_STATX_DONT_SYNC,
    STATX_MNT_ID,
    STATX_MNT_ID_UNIQUE,
    STATX_TYPE_AND_INODE,
    Statx,
    file_system_type,
    identify,
    statx,
)

SEEN = STATX_TYPE_AND_INODE | STATX_MNT_ID | STATX_MNT_ID_UNIQUE  # the mask of what a Look has
_MOST_MOUNTS = 4096  # the table is emptied then


class Look(NamedTuple):
    """The facts about an open file that never change, and the mount that it was opened through."""

    st_mode: int  # the names of os.stat_result
    st_dev: int
    st_ino: int
    mount: int  # 0: this kernel does not say (before 5.8)
    unique: bool  # whether no later mount gets this number (Linux 6.8)


def look_of(status: Statx) -> Look:
    """The Look of a statx that has asked for SEEN, and more maybe."""
    unique = bool(status.mask & STATX_MNT_ID_UNIQUE)
    return Look(status.mode, status.dev, status.ino, status.mnt_id, unique)


_types: dict[tuple[int, int], int] = {}  # (device, mount) -> statfs's f_type


def look_at(fd: int) -> Look:
    """Look at an open file (O_PATH will do); its file system is not asked.  OSError."""
    mask, mode, inode, major, minor, mount = identify(fd)
    return Look(mode, os.makedev(major, minor), inode, mount, bool(mask & STATX_MNT_ID_UNIQUE))


def look_for(path: str | os.PathLike[str]) -> Look:
    """Look at the file of a path.  The folders on the way may have to be read; OSError."""
    return look_of(statx(os.fsencode(path), flags=AT_STATX_DONT_SYNC, mask=SEEN))


def known_type(look: Look) -> int | None:
    """The file system's magic number, if it is known by now; waits for nothing."""
    return _types.get((look.st_dev, look.mount))


def learn_type(fd: int, look: Look) -> int:
    """The same, and if need be it is asked for: for threads that may wait.  OSError.

    Where a later mount may have got the numbers of an earlier one it is asked for each time.
    """
    kind = known_type(look) if look.unique else None
    if kind is None:
        kind = file_system_type(fd)
        if len(_types) >= _MOST_MOUNTS:
            _types.clear()
        _types[look.st_dev, look.mount] = kind
    return kind
