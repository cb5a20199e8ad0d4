"""Threads that read or flush, in C, as a queue: no GIL, and one wake-up of the loop for a burst.

Beside Python's pool (4 KiB misses, 16 in flight): see tests/bench/README.md.
"""

import os
import weakref
from collections.abc import Callable, Iterable
from struct import Struct
from types import ModuleType
from typing import Any

from aio.kernel import Address
from aio.kernel.libc import ffi
from aio.ring import Request

# More wait in the loop.  It is not how many run: that is how many threads there are.
_DEPTH = 256
_ENTRY = Struct("=iii4xQQQQ")  # struct entry of readers.c
_OWNERS = 64  # that get jobs back in one call


class Readers:
    """Up to `workers` threads, of which the first is started at once, and one stays."""

    name = "readers"
    depth = _DEPTH

    def __init__(self, module: ModuleType, workers: int) -> None:
        """OSError: no thread can be started."""
        self._lib: Any = module.lib
        self._unpack = module.ffi.unpack
        self._readers = module.ffi.new("struct readers *")
        eventfds = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(2)]
        self.eventfd, self.jobs_eventfd = eventfds
        error = -self._lib.readers_open(self._readers, _DEPTH, workers, *eventfds)
        if error:
            for eventfd in eventfds:
                os.close(eventfd)
            raise OSError(error, os.strerror(error))
        self._finalizer = weakref.finalize(
            self, _close, self._lib.readers_close, self._readers, eventfds
        )
        entries = ffi.cast("char *", self._lib.readers_entries(self._readers))
        self._entries = ffi.buffer(entries, _DEPTH * _ENTRY.size)
        self._tags = module.ffi.new("uint64_t[]", _DEPTH)
        self._results = module.ffi.new("int32_t[]", _DEPTH)
        self._owners = module.ffi.new("uint64_t[]", _OWNERS)
        self._counts = module.ffi.new("uint32_t[]", _OWNERS)

    def put(self, index: int, tag: int, request: Request) -> None:
        """Fill in a struct entry."""
        _ENTRY.pack_into(
            self._entries,
            index * _ENTRY.size,
            request.fd,
            request.flags,
            request.code,
            request.address,
            request.length,
            request.offset,
            tag,
        )

    def submit(self, count: int) -> int:
        """They are in line, and a thread is awake; this never waits for a disk."""
        taken: int = self._lib.readers_submit(self._readers, count)
        return taken

    def reap(self, *, woken: bool) -> Iterable[tuple[int, int]]:
        """Take all results that are there; what was told of them is forgotten: one wake-up less."""
        count = self._lib.readers_reap(self._readers, woken, self._tags, self._results)
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        return zip(self._unpack(self._tags, count), self._unpack(self._results, count), strict=True)

    def add(self, first: int) -> None:
        """As `submit`, of a list of jobs that C has made (job.c), by the address of the first."""
        self._lib.readers_add(self._readers, first)

    def take(self) -> Iterable[tuple[int, int]]:
        """Give such jobs that have ended to their owners: the addresses of these, and how many."""
        woken, found = True, _OWNERS
        while found == _OWNERS:
            found = self._lib.readers_take(
                self._readers, woken, self._owners, self._counts, _OWNERS
            )
            if found < 0:
                raise OSError(-found, os.strerror(-found))
            yield from zip(
                self._unpack(self._owners, found), self._unpack(self._counts, found), strict=True
            )
            woken = False

    def register(self, memory: Address, length: int) -> bool:  # noqa: ARG002
        """Threads have nothing of the kind."""
        return False

    def close(self) -> None:
        """End the threads."""
        self._finalizer()


def _close(close: Callable[[Any], None], readers: Any, eventfds: list[int]) -> None:
    close(readers)
    for eventfd in eventfds:
        os.close(eventfd)
