"""Kinds of file systems: facts about each kind, and knowledge learnt by using one."""

import os
from pathlib import Path

# statfs's f_type: linux/magic.h, and the file systems' own sources.
EXT4 = 0xEF53  # ext2 and ext3 too
XFS = 0x58465342
BTRFS = 0x9123683E
TMPFS = 0x01021994
OVERLAYFS = 0x794C7630

_NAMES = {
    EXT4: "ext4",
    XFS: "xfs",
    BTRFS: "btrfs",
    0xF2F52010: "f2fs",
    TMPFS: "tmpfs",
    0x858458F6: "ramfs",
    OVERLAYFS: "overlayfs",
    0x2FC12FC1: "zfs",
    0xCA451A4E: "bcachefs",
    0x4D44: "vfat",
    0x2011BAB0: "exfat",
    0x5346544E: "ntfs",
    0x6969: "nfs",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x01021997: "9p",
    0x65735546: "fuse",
    0x00C36400: "ceph",
    0x01161970: "gfs2",
    0x7461636F: "ocfs2",
}
_MEMORY = {"tmpfs", "ramfs"}
# Reading a resident page may still ask a server or a process whether it is current, and a write
# may be sent to it at once: neither is "in the page cache" in the sense that matters here.
_ASKS_OTHERS = {"nfs", "cifs", "smb2", "9p", "fuse", "ceph", "gfs2", "ocfs2"}
# Their buffered reads take no lock of the inode: a write waits for none of them.
_READS_WITHOUT_LOCK = {"ext4", "btrfs", "tmpfs", "ramfs", "vfat", "exfat"}
_STABLE_PAGES = {"btrfs"}  # since it keeps checksums
# Before Linux 7.0 a write with RWF_NOWAIT is refused 99 times in 100, since the file's times would
# have to be updated, and costs 4 us (measured on 6.18).
_ASKING_LINUX = 7


def _asks_to_write() -> bool:
    return int(os.uname().release.split(".")[0]) >= _ASKING_LINUX and hasattr(os, "RWF_NOWAIT")


ASKS_TO_WRITE = _asks_to_write()


class FileSystem:
    """The knowledge of one file system (None: not learnt yet)."""

    __slots__ = (
        "asks_others",
        "in_memory",
        "is_memory",
        "name",
        "nowait_read",
        "nowait_write",
        "reads_lock",
        "stable_pages",
    )

    def __init__(self, kind: int) -> None:
        self.name = _NAMES.get(kind, f"file system 0x{kind:x}")
        self.asks_others = self.name in _ASKS_OTHERS
        self.is_memory = self.name in _MEMORY
        # ramfs is never swapped out.
        self.in_memory = self.name == "ramfs" or (self.name == "tmpfs" and not _has_swap())
        self.reads_lock = self.name not in _READS_WITHOUT_LOCK
        # A page that is being written to the disk is not changed before it is there.
        self.stable_pages = self.name in _STABLE_PAGES
        has_flag = None if hasattr(os, "RWF_NOWAIT") else False  # a C library without preadv2
        self.nowait_read: bool | None = has_flag
        self.nowait_write: bool | None = None if ASKS_TO_WRITE else False


def _has_swap() -> bool:
    """Whether pages of a tmpfs may have gone to a disk; true where /proc does not say."""
    try:
        return len(Path("/proc/swaps").read_bytes().splitlines()) > 1
    except OSError:
        return True
