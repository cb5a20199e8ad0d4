"""Which pages are in the page cache: mincore on a mapping that nobody touches, and cachestat."""

import os
from typing import NamedTuple

from aio.kernel.libc import check, ffi, libc, system_call

_PROT_NONE = 0
_MAP_SHARED = 1
_MAP_FAILED = int(ffi.cast("uintptr_t", -1))

_cachestat = system_call(
    "cachestat", "unsigned int, struct cachestat_range *, struct cachestat *, unsigned int"
)


class PageVector:
    """Room for mincore's answer: a byte for each page, made once (wrapping costs 0.2 us a call).

    mincore drops the GIL, so two threads never share one.
    """

    __slots__ = ("pages", "pointer")

    def __init__(self, pages: int) -> None:
        self.pages = bytearray(pages)
        self.pointer = ffi.from_buffer("unsigned char[]", self.pages)

    def all_resident(self, first: int, end: int) -> bool:
        """Whether the bytes from `first` to before `end`, if any, each say "resident".

        Bits 1 to 7 are reserved, and 0.
        """
        return first >= end or self.pages.count(1, first, end) == end - first


def map_pages(fd: int, offset: int, length: int) -> int:
    """The address of a shared mapping without access rights: nothing can fault on it.

    Raw mmap, not the `mmap` module, which duplicates the descriptor.  The file may be shorter than
    the mapping.  Errors: EACCES (not open for reading), ENODEV, ENOMEM (limits), EOVERFLOW.
    """
    address = int(libc.mmap(0, length, _PROT_NONE, _MAP_SHARED, fd, offset))
    if address == _MAP_FAILED:
        raise OSError(ffi.errno, os.strerror(ffi.errno))
    return address


def unmap_pages(address: int, length: int) -> None:
    """Undo map_pages, of exactly the same range."""
    check(libc.munmap(address, length))


def mincore(address: int, length: int, vector: PageVector) -> None:
    """Ask which pages are in the cache: 1.5 us for one page, 21 us for 256 (measured).

    To a process that neither owns the file nor may write it, Linux says "all" (since 5.2).
    """
    check(libc.mincore(address, length, vector.pointer))


class CacheStat(NamedTuple):
    """Pages of a range of a file, as cachestat counts them."""

    cached: int
    dirty: int
    writeback: int
    evicted: int
    recently_evicted: int


def cachestat(fd: int, offset: int, length: int) -> CacheStat:
    """Count the cached pages of a range (Linux 6.5): 0.9 us for 16 pages (measured).

    A descriptor that is open for writing only will do.  EPERM: this process neither owns the file
    nor may write it.  Through overlayfs the call sees nothing, and says 0.
    """
    asked = ffi.new("struct cachestat_range *", (offset, length))
    answer = ffi.new("struct cachestat *")
    check(_cachestat(fd, asked, answer, 0))
    return CacheStat(
        answer.cache, answer.dirty, answer.writeback, answer.evicted, answer.recently_evicted
    )
