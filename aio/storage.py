"""The probe's knowledge of its files, learnt by using them.

Per file system and direction: whether RWF_NOWAIT works.  Per open: which way its reads are probed,
and whether its writes may be made inline at all.
"""

import errno
import fcntl
import os
import stat
from mmap import PAGESIZE

from aio.base import Data
from aio.file_systems import FileSystem
from aio.gate import Gate, gate_of
from aio.inodes import Inode, inode_of
from aio.kernel import cachestat
from aio.mounted import Look, learn_type, look_at
from aio.residency import Beliefs, Residency, vector_for

# How a read of an open file is probed.  Plain ints: one is compared in every read.
FRESH = 0  # attached, not looked at: an open for metadata alone costs nothing here
NOWAIT = 1  # RWF_NOWAIT
MEMORY = 2  # the data is in memory, always
RESIDENCY = 3  # mincore, then a plain read
UNKNOWN = 4  # nothing can be trusted: every read goes to the engine

_BEHIND = 1 << 62
_FS_IOC_GETFLAGS = 0x80086601
_FS_SYNC_FL = 0x08  # chattr +S
# EINVAL: a kernel before 4.14, which knows no such flag.  ENOSYS: no preadv2 at all.
_NO_NOWAIT = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class OpenFile:
    """The knowledge of one open file."""

    __slots__ = (
        "_inode",
        "fd",
        "file_system",
        "gate",
        "identity",
        "known",
        "nowait",
        "reads_by",
        "residency",
        "waits_at",
        "writes_inline",
    )

    file_system: FileSystem
    gate: Gate

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.identity = (0, 0)  # its device and number
        self._inode: Inode | None = None
        self.known = False  # whether the attributes declared above are there
        self.reads_by = FRESH
        self.nowait = True  # until this file refuses it, although its file system has it
        self.writes_inline = False
        self.waits_at = -1  # the offset of the last write that would have waited for the disk
        self.residency: Residency | None = None

    def is_of(self, device: int, number: int) -> None:
        """Tell it which file it is.  What C has been told of its inode stays true."""
        if self.identity != (device, number):
            self.identity, self._inode = (device, number), None

    @property
    def inode(self) -> Inode:
        """The calls at work on it, shared by all its opens: what is only read needs it rarely."""
        if self._inode is None:
            self._inode = inode_of(*self.identity)
        return self._inode

    def close(self) -> None:
        """Give the mapping back."""
        if self.residency is not None:
            self.residency.close()


class Storage:
    """The knowledge of one probe.  Used by one thread."""

    def __init__(self, longest: int) -> None:
        self._vector = vector_for(longest)
        self._one = bytearray(1)
        self.beliefs = Beliefs()
        # By number and type: a number is used again after an unmount.
        self._file_systems: dict[tuple[int, int], FileSystem] = {}

    def learn(self, file: OpenFile, look: Look | None = None) -> None:
        """Find out how this open file is to be read and written.  Errors: EBADF."""
        flags = self.identify(file, look)
        if flags is None:
            file.reads_by = UNKNOWN
            return
        if not file.file_system.asks_others:
            _leave_access_time(file.fd, flags)
        file.reads_by = self._way_to_read(file, flags)

    def identify(self, file: OpenFile, look: Look | None = None) -> int | None:
        """Find out which file it is and how to write it; its flags, None if it has no page cache.

        `look` has been taken at it.  Errors: EBADF.
        """
        status = look or look_at(file.fd)
        key = status.st_dev, learn_type(file.fd, status)
        if key not in self._file_systems:
            self._file_systems[key] = FileSystem(key[1])
        file.file_system = self._file_systems[key]
        file.gate = gate_of(status.st_dev)
        file.is_of(status.st_dev, status.st_ino)
        file.known = True
        flags = fcntl.fcntl(file.fd, fcntl.F_GETFL)
        if not stat.S_ISREG(status.st_mode) or flags & os.O_DIRECT:
            return None
        # O_SYNC contains O_DSYNC: either makes a write wait for the disk.
        file.writes_inline = flags & os.O_ACCMODE != os.O_RDONLY and not (
            flags & os.O_DSYNC or file.file_system.asks_others or _is_synchronous(file.fd)
        )
        return flags

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
            file.residency = Residency(file.fd, self._vector, self.beliefs)
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

        It is asked only where reads are known to have the flag.  So EINVAL can mean nothing but a
        bad offset here, and nothing must be learnt from it.
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

    def may_wait(self, file: OpenFile, offset: int, length: int, now: float) -> bool:
        """Whether a write may wait for the disk: for pages to be read, or to have been written."""
        file_system = file.file_system
        if file_system.in_memory:
            return False
        if file_system.stable_pages and _is_being_written(file.fd, offset, length):
            return True
        if file_system.reads_lock and file.reads_by == NOWAIT and self._is_locked(file.fd):
            return True
        # Not fstat: the write after one must give the inode a new timestamp (multigrain, 6.13;
        # measured on ext4: fstat and pwrite 3.9 us, lseek and pwrite 1.8).
        pages = _partial_pages(offset, offset + length, os.lseek(file.fd, 0, os.SEEK_END))
        return bool(pages) and not all(self.page_resident(file, page, now) for page in pages)

    def _is_locked(self, fd: int) -> bool:
        """Whether the inode's lock is taken, also by another process, where reads take it (xfs).

        Behind every end of file, so that no page is looked for: 0.8 us.
        """
        try:
            os.preadv(fd, (self._one,), _BEHIND, os.RWF_NOWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def resident(self, file: OpenFile, offset: int, length: int, now: float) -> bool:
        """Whether a range is known to be cached; asking, unlike a probe, reads nothing."""
        if file.residency is None:
            file.residency = Residency(file.fd, self._vector, self.beliefs)
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


def _leave_access_time(fd: int, flags: int) -> None:
    """Have reads not note their time, where the file is ours.

    The first read after a write would (relatime), and on ext4 it may wait for the journal then: of
    hits beside writers to a slow disk one in ten took 5 ms, up to 61 (measured).  Setting the time
    ourselves, later, would change the file's change time, by which backups go.
    """
    if not flags & (os.O_NOATIME | os.O_WRONLY):
        try:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NOATIME)
        except OSError:  # EPERM: another's file
            return


def _is_being_written(fd: int, offset: int, length: int) -> bool:
    try:
        return cachestat(fd, offset, max(length, 1)).writeback > 0
    except OSError:
        return False


def _is_synchronous(fd: int) -> bool:
    """Whether each write to this file waits for the disk, as `chattr +S` has it."""
    flags = bytearray(8)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, flags)
    except OSError:
        return False
    return bool(flags[0] & _FS_SYNC_FL)


def _partial_pages(offset: int, end: int, size: int) -> set[int]:
    """Pages that a write must find in the page cache: existing data in one that it does not cover.

    The kernel reads the last page of a file also where all its data is written anew, unless the
    write goes to the page's end (measured, ext4: 4096 bytes for [4096, 5000) of 5000).
    """
    pages = set()
    for edge in (offset, end):
        if edge % PAGESIZE and edge - edge % PAGESIZE < size:
            pages.add(edge // PAGESIZE)
    # A write that leaves a gap behind the end zeroes the rest of the last page (xfs reads it).
    if offset > size and size % PAGESIZE:
        pages.add(size // PAGESIZE)
    return pages
