"""What is known about the files behind the probe, learnt by using them.

Per file system and direction: whether RWF_NOWAIT works.  Per open: which way its reads are probed,
and whether its writes may be made inline at all.
"""

import errno
import fcntl
import os
import stat
from mmap import PAGESIZE
from pathlib import Path

from aio.base import Data
from aio.kernel import cachestat, file_system_type
from aio.residency import Residency, vector_for

# How a read of an open file is probed.  Plain ints: one is compared in every read.
FRESH = 0  # attached, not looked at: an open for metadata alone costs nothing here
NOWAIT = 1  # RWF_NOWAIT
MEMORY = 2  # the data is in memory, always
RESIDENCY = 3  # mincore, then a plain read
UNKNOWN = 4  # nothing can be trusted: every read goes to the engine

_NAMES = {  # linux/magic.h, and the file systems' own sources
    0x0000EF53: "ext4",  # ext2 and ext3 too
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0xF2F52010: "f2fs",
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x794C7630: "overlayfs",
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
# EINVAL: a kernel before 4.14, which knows no such flag.  ENOSYS: no preadv2 at all.
_NO_NOWAIT = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class FileSystem:
    """What has been learnt about one file system (None: not yet)."""

    __slots__ = ("asks_others", "in_memory", "is_memory", "name", "nowait_read", "nowait_write")

    def __init__(self, kind: int) -> None:
        self.name = _NAMES.get(kind, f"file system 0x{kind:x}")
        self.asks_others = self.name in _ASKS_OTHERS
        self.is_memory = self.name in _MEMORY
        # ramfs is never swapped out.
        self.in_memory = self.name == "ramfs" or (self.name == "tmpfs" and not _has_swap())
        has_flag = None if hasattr(os, "RWF_NOWAIT") else False  # a C library without preadv2
        self.nowait_read: bool | None = has_flag
        self.nowait_write: bool | None = has_flag


class OpenFile:
    """What is known about one open file."""

    __slots__ = ("fd", "file_system", "nowait", "reads_by", "residency", "writes_inline")

    file_system: FileSystem

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.reads_by = FRESH
        self.nowait = True  # until this file refuses what its file system has
        self.writes_inline = False
        self.residency: Residency | None = None

    def close(self) -> None:
        """Give back what is kept."""
        if self.residency is not None:
            self.residency.close()


class Storage:
    """The knowledge of one probe.  Used by one thread."""

    def __init__(self, longest: int) -> None:
        self._vector = vector_for(longest)
        self._one = bytearray(1)
        # By number and type: a number is used again after an unmount.
        self._file_systems: dict[tuple[int, int], FileSystem] = {}

    def learn(self, file: OpenFile) -> None:
        """Find out how this open file is to be read and written.  Errors: EBADF."""
        status = os.fstat(file.fd)
        key = status.st_dev, file_system_type(file.fd)
        if key not in self._file_systems:
            self._file_systems[key] = FileSystem(key[1])
        file.file_system = self._file_systems[key]
        flags = fcntl.fcntl(file.fd, fcntl.F_GETFL)
        if not stat.S_ISREG(status.st_mode) or flags & os.O_DIRECT:  # no page cache in between
            file.reads_by = UNKNOWN
            return
        # O_SYNC contains O_DSYNC: either makes a write wait for the disk.
        file.writes_inline = not (flags & os.O_DSYNC or file.file_system.asks_others)
        file.reads_by = self._way_to_read(file, flags)

    def _way_to_read(self, file: OpenFile, flags: int) -> int:
        file_system = file.file_system
        if flags & os.O_ACCMODE == os.O_WRONLY:
            return UNKNOWN
        if file_system.nowait_read is None:
            file_system.nowait_read = self._reads_nowait(file.fd)
            if not file_system.nowait_read:  # no file system has it for writes alone
                file_system.nowait_write = False
        if file_system.nowait_read and file.nowait:
            return NOWAIT
        if file_system.in_memory:
            return MEMORY
        if file_system.asks_others:
            return UNKNOWN
        if file.residency is None:
            file.residency = Residency(file.fd, self._vector)
        return RESIDENCY if file.residency.trusted else UNKNOWN

    def _reads_nowait(self, fd: int) -> bool:
        """A byte, since the kernel looks at the flag of no empty read."""
        try:
            os.preadv(fd, (self._one,), 0, os.RWF_NOWAIT)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno in _NO_NOWAIT:
                return False
            raise
        return True

    def write_nowait(self, file: OpenFile, data: Data, offset: int) -> int:
        """The count of bytes written without waiting; 0 if none, or if this cannot be asked.

        Asked only where reads are known to have the flag, and so EINVAL can mean nothing but a bad
        offset here, from which nothing must be learnt.
        """
        file_system = file.file_system
        if not file_system.nowait_read:
            return 0
        try:
            count = os.pwritev(file.fd, (data,), offset, os.RWF_NOWAIT)
        except BlockingIOError:
            file_system.nowait_write = True
            return 0
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            file_system.nowait_write = False
            return 0
        file_system.nowait_write = True
        return count

    def resident(self, file: OpenFile, offset: int, length: int, now: float) -> bool:
        """Whether a range is known to be cached; asking, unlike a probe, reads nothing."""
        if file.residency is None:
            file.residency = Residency(file.fd, self._vector)
        return bool(file.residency.trusted and file.residency.resident(offset, length, now))

    def page_resident(self, file: OpenFile, page: int, now: float) -> bool | None:
        """Whether one page of existing data is in the page cache; None: it cannot be told."""
        offset = page * PAGESIZE
        if file.file_system.in_memory:
            return True
        if file.reads_by == NOWAIT:
            try:
                return os.preadv(file.fd, (self._one,), offset, os.RWF_NOWAIT) == 1
            except BlockingIOError:
                return False
        if file.reads_by == RESIDENCY and file.residency is not None:
            return file.residency.resident(offset, 1, now)
        try:  # a file open for writing only can still be asked by cachestat
            return cachestat(file.fd, offset, PAGESIZE).cached > 0
        except OSError:
            return None


def _has_swap() -> bool:
    """Whether pages of a tmpfs may have gone to a disk; yes, if nobody says."""
    try:
        return len(Path("/proc/swaps").read_bytes().splitlines()) > 1
    except OSError:
        return True
