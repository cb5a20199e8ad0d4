"""close(2) may wait, and the event loop must not wait with it.

The last descriptor of a deleted file frees its pages and blocks: 3.3 s for 4 GiB on ext4, 53 s for
250,000 extents (measured).  ext4, xfs and btrfs write back a file that was truncated and written
anew, and give back what they had set aside for it.  What asks another machine or process for
everything (NFS, FUSE) asks it at each close.
"""

import os
from time import monotonic

from aio.kernel import file_system_type
from smbd.vfs.root import File

# Closing a file that has a name and was not written waits for nothing there (linux/magic.h).
_LOCAL = frozenset(
    (
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # xfs
        0x9123683E,  # btrfs
        0xF2F52010,  # f2fs
        0x01021994,  # tmpfs
        0x858458F6,  # ramfs
        0x794C7630,  # overlayfs
        0xCA451A4E,  # bcachefs
        0x4D44,  # vfat
        0x2011BAB0,  # exfat
    )
)
# Seconds for which a device number is believed to be the same file system: the number of one that
# is unmounted goes to the next.
_BELIEF = 60.0

_local_until: dict[int, float] = {}  # by st_dev


def close_may_wait(file: File, *, written: bool) -> bool:
    """Whether closing this descriptor may wait for a disk; `written`: maybe by anybody.

    OSError: EBADF.
    """
    if written or monotonic() > _local_until.get(file.device, 0.0):
        return True
    # Of another process too, which may have removed it.  Here an fstat waits for nothing.
    return not os.fstat(file.fd).st_nlink


def close_and_learn(file: File) -> None:
    """Close it, in a worker, and note what kind of file system it is on.  OSError: data is lost."""
    try:
        if file_system_type(file.fd) in _LOCAL:
            _local_until[file.device] = monotonic() + _BELIEF
    finally:
        file.close()
