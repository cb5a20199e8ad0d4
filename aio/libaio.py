"""Engine "libaio": asynchronous with O_DIRECT alone; for buffered files, io_submit does the work.

Plain system calls, no library: the libaio of distributions is a thin layer over these.
"""

import os
import weakref
from collections.abc import Iterable
from struct import pack

from aio.dontcache import DontCache
from aio.kernel import (
    IO_EVENT,
    IOCB,
    IOCB_CMD_FSYNC,
    IOCB_CMD_PREAD,
    IOCB_CMD_PWRITE,
    IOCB_FLAG_RESFD,
    Address,
    address_of,
    io_destroy,
    io_getevents,
    io_setup,
    io_submit,
)
from aio.queued import QueuedEngine
from aio.ring import Request

_COMMANDS = (IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_FSYNC)


class LibaioQueue:
    """One context, and arrays for as many requests and completions as it has room for."""

    name = "libaio"

    def __init__(self, depth: int) -> None:
        """Errors: as `io_setup`."""
        self.depth = depth
        self._requests = bytearray(depth * IOCB.size)
        self._events = bytearray(depth * IO_EVENT.size)
        # The kernel knows these arrays by their addresses.
        self._requests_at = address_of(self._requests)
        addresses = (self._requests_at.value + index * IOCB.size for index in range(depth))
        self._pointers_at = address_of(pack(f"<{depth}Q", *addresses))
        self._events_at = address_of(self._events)
        self._context = io_setup(depth)
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._finalizer = weakref.finalize(self, _close, self._context, self.eventfd)

    def put(self, index: int, tag: int, request: Request) -> None:
        """Fill in a struct iocb."""
        IOCB.pack_into(
            self._requests,
            index * IOCB.size,
            tag,
            0,
            request.flags,
            _COMMANDS[request.code],
            0,
            request.fd,
            request.address,
            request.length,
            request.offset,
            IOCB_FLAG_RESFD,
            self.eventfd,
        )

    def submit(self, count: int) -> int:
        """For a buffered file this returns when the work is done."""
        return io_submit(self._context, count, self._pointers_at.value)

    def reap(self, *, woken: bool) -> Iterable[tuple[int, int]]:  # noqa: ARG002
        """Clear the eventfd, then take out: a completion that comes later raises it again."""
        try:
            os.eventfd_read(self.eventfd)
        except BlockingIOError:
            return ()
        count = io_getevents(self._context, self.depth, self._events_at.value)
        return IO_EVENT.iter_unpack(memoryview(self._events)[: count * IO_EVENT.size])

    def register(self, memory: Address, length: int) -> bool:  # noqa: ARG002
        """libaio has nothing of the kind."""
        return False

    def close(self) -> None:
        """End the context."""
        self._finalizer()


class LibaioEngine(QueuedEngine):
    """With `direct`, workers do what O_DIRECT cannot: this queue would block the event loop."""

    def __init__(self, *, depth: int, direct: int, workers: int, dontcache: DontCache) -> None:
        """Errors: as `io_setup`."""
        super().__init__(LibaioQueue(depth), dontcache, direct=bool(direct), workers=workers)

    @staticmethod
    def check() -> None:
        """Errors: as `io_setup`."""
        LibaioQueue(1).close()


def _close(context: int, eventfd: int) -> None:
    io_destroy(context)
    os.close(eventfd)
