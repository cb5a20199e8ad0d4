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


class Readers:
    """Up to `workers` threads, of which the first is started at once, and one stays."""

    name = "readers"
    depth = _DEPTH

    def __init__(self, module: ModuleType, workers: int) -> None:
        """OSError: no thread can be started."""
        self._lib: Any = module.lib
        self._unpack = module.ffi.unpack
        self._readers = module.ffi.new("struct readers *")
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        error = -self._lib.readers_open(self._readers, _DEPTH, workers, self.eventfd)
        if error:
            os.close(self.eventfd)
            raise OSError(error, os.strerror(error))
        self._finalizer = weakref.finalize(
            self, _close, self._lib.readers_close, self._readers, self.eventfd
        )
        entries = ffi.cast("char *", self._lib.readers_entries(self._readers))
        self._entries = ffi.buffer(entries, _DEPTH * _ENTRY.size)
        self._tags = module.ffi.new("uint64_t[]", _DEPTH)
        self._results = module.ffi.new("int32_t[]", _DEPTH)

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

    def reap(self, *, woken: bool) -> Iterable[tuple[int, int]]:  # noqa: ARG002
        """Take all results that are there; what was told of them is forgotten: one wake-up less."""
        count = self._lib.readers_reap(self._readers, self._tags, self._results)
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        return zip(self._unpack(self._tags, count), self._unpack(self._results, count), strict=True)

    def register(self, memory: Address, length: int) -> bool:  # noqa: ARG002
        """Threads have nothing of the kind."""
        return False

    def close(self) -> None:
        """End the threads."""
        self._finalizer()


def _close(close: Callable[[Any], None], readers: Any, eventfd: int) -> None:
    close(readers)
    os.close(eventfd)
