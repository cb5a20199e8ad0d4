"""Ways to make a file cold or warm, and to see what is true."""

import errno
import os
import tempfile
from collections.abc import Sequence
from mmap import PAGESIZE
from pathlib import Path

import pytest

from aio.file_systems import FileSystem
from aio.kernel import PageVector, file_system_type, map_pages, mincore, unmap_pages


def file_system_of(folder: Path) -> str:
    fd = os.open(folder, os.O_RDONLY)
    try:
        return FileSystem(file_system_type(fd)).name
    finally:
        os.close(fd)


def takes_nowait(folder: Path) -> bool:
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.preadv(file.fileno(), (bytearray(1),), 0, os.RWF_NOWAIT)
        except OSError:
            return False
        return True


def resident_pages(fd: int, length: int) -> int:
    """The truth, as root or owner knows it."""
    pages = -(-length // PAGESIZE)
    vector = PageVector(pages)
    address = map_pages(fd, 0, pages * PAGESIZE)
    try:
        mincore(address, pages * PAGESIZE, vector)
    finally:
        unmap_pages(address, pages * PAGESIZE)
    return vector.pages.count(1)


def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No disk is so fast that RWF_NOWAIT finds what was cold.

    The kernel begins to read it, and looks again: of a thousand times it is there one to ten times
    (measured; other programs make it more), and that is a hit.
    """
    monkeypatch.setattr(os, "preadv", _slow_preadv)
    monkeypatch.setattr("aio.probe._preadv", _slow_preadv)


_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_preadv = os.preadv


def _slow_preadv(fd: int, into: Sequence[memoryview], offset: int, flags: int = 0) -> int:
    if not flags & _NOWAIT:
        return _preadv(fd, into, offset, flags)
    there = _resident_bytes(fd, offset, len(into[0]))
    count = _preadv(fd, into, offset, flags)
    if count <= there:
        return count
    if not there:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return there


def _resident_bytes(fd: int, offset: int, length: int) -> int:
    """How many there are before the first page that is not resident."""
    start = offset - offset % PAGESIZE
    pages = -(-(offset + length - start) // PAGESIZE)
    if not pages:
        return 0
    vector = PageVector(pages)
    try:
        address = map_pages(fd, start, pages * PAGESIZE)
    except OSError:  # not open for reading, which preadv will tell
        return length
    try:
        mincore(address, pages * PAGESIZE, vector)
    finally:
        unmap_pages(address, pages * PAGESIZE)
    first_cold = vector.pages.find(0)
    return length if first_cold < 0 else max(start + first_cold * PAGESIZE - offset, 0)


def make_cold(fd: int) -> None:
    """Take a file out of the page cache, and keep the kernel from reading ahead in it."""
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    for _ in range(100):  # a page that is being looked at stays
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if not resident_pages(fd, max(os.fstat(fd).st_size, 1)):
            return
    pytest.skip("this file system keeps its pages in spite of POSIX_FADV_DONTNEED")


def make_warm(fd: int) -> None:
    """Read all of a file, right before it is used: some machines reclaim idle page cache."""
    size = os.fstat(fd).st_size
    assert len(os.pread(fd, size, 0)) == size
