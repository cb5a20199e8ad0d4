"""fallocate with a mode: `os.posix_fallocate` can only allocate, and writes zeros where it must."""

from aio.inodes import busy
from aio.kernel.libc import check, libc

FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02  # only together with KEEP_SIZE
FALLOC_FL_COLLAPSE_RANGE = 0x08
FALLOC_FL_ZERO_RANGE = 0x10
FALLOC_FL_INSERT_RANGE = 0x20
FALLOC_FL_UNSHARE_RANGE = 0x40


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """Allocate, punch or zero a range (bytes).  Errors: EOPNOTSUPP where the file system cannot.

    EINTR is retried: allocating large ranges can be interrupted.  It counts as work on
    the file (aio.inodes).
    """
    with busy(fd, strains=True):
        while True:
            try:
                check(libc.fallocate(fd, mode, offset, length))
            except InterruptedError:
                continue
            return
