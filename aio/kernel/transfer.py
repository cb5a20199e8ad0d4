"""pread and pwrite by address, for requests that were made for a kernel's queue."""

from aio.kernel.libc import check, libc


def read_at(fd: int, address: int, length: int, offset: int) -> int:
    """The count of bytes read to `address`; OSError, EINTR included."""
    return check(libc.pread(fd, address, length, offset))


def write_at(fd: int, address: int, length: int, offset: int) -> int:
    """The count of bytes written from `address`; OSError, EINTR included."""
    return check(libc.pwrite(fd, address, length, offset))
