"""Copy bytes from one open file to another, or within one, without a client in between."""

import errno
import os

from aio.inodes import busy
from smbd.vfs.file import File

# Across file systems, where neither knows how, or where the ranges of one file overlap.
_CANNOT = frozenset((errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS))


def copy_range(source: File, target: File, start: int, target_start: int, length: int) -> int:
    """Copy `length` bytes, which fit into memory: all or, where the source ends before, none.

    Returns the count, which is another only if the source is cut meanwhile.  Blocks are shared
    where the file system can.  OSError.
    """
    if os.fstat(source.fd).st_size < start + length:
        return 0
    with (
        busy(source.fd),
        busy(target.fd, strains=True),
    ):  # blocks are shared under the locks of both
        return copy_between(source.fd, target.fd, start, target_start, length)


def copy_between(source: int, target: int, start: int, target_start: int, length: int) -> int:
    """Copy between descriptors: all bytes, or those before the end of the source.  OSError."""
    done = 0
    while done < length:
        rest = length - done
        try:
            count = os.copy_file_range(source, target, rest, start + done, target_start + done)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            return done + _by_memory(source, target, start + done, target_start + done, rest)
        if not count:
            break
        done += count
    return done


def _by_memory(source: int, target: int, start: int, target_start: int, length: int) -> int:
    """All is read before any is written, so that overlapping ranges come out right."""
    data = bytearray(length)
    with memoryview(data) as view:
        done = 0
        while done < length:
            count = os.preadv(source, [view[done:]], start + done)
            if not count:
                break
            done += count
        written = 0
        while written < done:
            written += os.pwrite(target, view[written:done], target_start + written)
    return done
