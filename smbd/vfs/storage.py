"""The space of a file: end of file, allocation, zeroed ranges, holes; and FLUSH."""

import contextlib
import errno
import fcntl
import os

from aio import give_way, kernel
from aio.mounted import look_at
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.busy import holds_inode, strains
from smbd.vfs.file import File
from smbd.vfs.information import BLOCK, information
from smbd.vfs.lookup import closed_after
from smbd.wire.fscc import FileAttribute

_ZEROS = bytes(1 << 20)


@strains
def set_end_of_file(file: File, end: int) -> None:
    """Make a file (open for writing) end at `end`; NtError(ACCESS_DENIED), OSError."""
    os.ftruncate(_writable(file), end)


def end_of_file(file: File) -> int:
    """How many bytes an open file has; OSError.

    Not by lseek, for which overlayfs waits while the file is copied up.
    """
    return os.fstat(file.fd).st_size


@holds_inode
def append(file: File, data: memoryview, offset: int) -> int:
    """Write at the end of a file (open for writing), and nowhere else; the count.

    NtError(ACCESS_DENIED) if `offset` is not its end, OSError.  The end is looked at first, and
    others may move it before the write.  O_APPEND has the kernel write behind their bytes.
    """
    fd = _writable(file)
    if not data:
        return 0
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
    if os.fstat(fd).st_size != offset:
        raise NtError(NtStatus.ACCESS_DENIED)
    done = 0
    while done < len(data):
        done += os.write(fd, data[done:])
    return done


@strains
def allocate(file: File, size: int) -> None:
    """Give a file (open for writing) `size` bytes of storage ([MS-FSA] 2.1.5.15.1).

    Below the end of file it is cut there; above it, the end stays.  A file system that cannot
    allocate ahead is let be: it is only a promise of space.  NtError(ACCESS_DENIED), OSError
    (ENOSPC, which is DISK_FULL).
    """
    fd = _writable(file)
    status = os.fstat(fd)
    allocated = status.st_blocks * BLOCK
    if size < status.st_size:
        os.ftruncate(fd, size)
    elif allocated > size:
        os.ftruncate(fd, status.st_size)  # gives back what lies behind the end
    if size > max(status.st_size, allocated):
        _allocate_ahead(fd, size, size - allocated)


@strains
def overwrite(file: File, allocation: int = 0) -> None:
    """Make a file (open for writing) empty, with `allocation` bytes of storage.

    The space is asked for first: where there is too little the content stays.  Errors as
    `allocate`.
    """
    fd = _writable(file)
    status = os.fstat(fd)
    missing = allocation - status.st_blocks * BLOCK
    if missing > 0:
        _allocate_ahead(fd, allocation, missing)
    try:
        os.ftruncate(fd, 0)
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, status.st_size)  # gives back what lies behind the end
        raise
    if allocation:
        # The truncation gave back the space.  Should others take it all in this moment, nothing
        # is left to be saved by an error.
        with contextlib.suppress(OSError):
            _allocate_ahead(fd, allocation, allocation)


def _allocate_ahead(fd: int, size: int, missing: int) -> None:
    space = os.fstatvfs(fd)
    if missing > space.f_bavail * space.f_frsize:
        # Asked first, since ext4 would fill the disk before it noticed.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        kernel.fallocate(fd, kernel.FALLOC_FL_KEEP_SIZE, 0, size)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            os.ftruncate(fd, os.fstat(fd).st_size)  # frees the blocks that it got
            raise


@strains
def zero_range(file: File, start: int, beyond: int) -> None:
    """Make the bytes from `start` to `beyond` zeros; the end of file stays (FSCTL_SET_ZERO_DATA).

    A sparse file gives up the storage ([MS-FSA] 2.1.5.10.38), another keeps it.
    NtError(ACCESS_DENIED), OSError.
    """
    fd = _writable(file)
    length = min(beyond, os.fstat(fd).st_size) - start
    if length <= 0:
        return
    mode = kernel.FALLOC_FL_PUNCH_HOLE if _is_sparse(file) else kernel.FALLOC_FL_ZERO_RANGE
    try:
        kernel.fallocate(fd, mode | kernel.FALLOC_FL_KEEP_SIZE, start, length)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        _write_zeros(fd, start, length)


def allocated_ranges(file: File, start: int, length: int, limit: int) -> list[tuple[int, int]]:
    """At most `limit` ranges (offset, length) of a file that have storage, within the range asked.

    A file that is not sparse has all of it ([MS-FSA] 2.1.5.10.22).  OSError.
    """
    end = min(start + length, os.fstat(file.fd).st_size)
    if not _is_sparse(file):
        return [(start, end - start)] if start < end and limit > 0 else []
    ranges: list[tuple[int, int]] = []
    while start < end and len(ranges) < limit:
        try:
            data = os.lseek(file.fd, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # only a hole from here to the end
                raise
            break
        if data >= end:
            break
        hole = os.lseek(file.fd, data, os.SEEK_HOLE)
        ranges.append((data, min(hole, end) - data))
        start = hole
    return ranges


@strains
def sync(file: File) -> None:
    """Everything of a file, or the entries of a directory, on the disk; OSError."""
    if file.readable or file.writable:
        os.fsync(file.fd)
        return
    reopened = file.root.lookup.reopen(file.fd, file.path, os.O_RDONLY, look_at(file.fd), wait=True)
    with closed_after(reopened) as fd:
        os.fsync(fd)


def _writable(file: File) -> int:
    file.root.check_writable()
    if not file.writable:
        raise NtError(NtStatus.ACCESS_DENIED)
    return file.fd


def _is_sparse(file: File) -> bool:
    return bool(information(file).attributes & FileAttribute.SPARSE_FILE)


def _write_zeros(fd: int, start: int, length: int) -> None:
    while length > 0:
        give_way()
        count = os.pwrite(fd, memoryview(_ZEROS)[:length], start)
        start += count
        length -= count
