"""Whole reads and writes, although the kernel may do a part at a time: by a ring or by threads."""

import errno
from collections.abc import Callable
from typing import Protocol, TypeVarTuple

from aio.base import Begun, Data, Done, Stats
from aio.blocking import read_full, write_timed
from aio.kernel import Address, address_of
from aio.pool import WorkerPool
from aio.ring import READ, WRITE, Request, Ring

Args = TypeVarTuple("Args")

_LONGEST = 1 << 30  # of one request: the kernel takes 2 GiB less a page


class Transfers(Protocol):
    """A way to read and to write.  Cancelling a write does nothing before the end."""

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """As `Engine.begin_read`."""

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """The count of bytes written, which is all of them."""


class ByRing:
    """Request after request, until the transfer is whole; with a caller's RWF_* flags."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring

    def begin_read(
        self, fd: int, into: memoryview, offset: int, done: Done, flags: int = 0
    ) -> Begun:
        """As `Transfers.begin_read`."""
        ring, length = self._ring, len(into)
        count = 0

        def ended(got: int, error: BaseException | None) -> None:
            nonlocal count
            count += got
            if error is not None or not got or count == length:
                request.release()
                done(count, error)
                return
            request.address += got
            request.length = min(length - count, _LONGEST)
            request.offset += got
            ring.begin(request, ended)

        request = Request(READ, fd, address_of(into, writable=True), min(length, _LONGEST), offset)
        request.flags = flags
        ring.begin(request, ended)
        return request

    async def write(self, fd: int, data: Data, offset: int, flags: int = 0) -> int:
        """As `Transfers.write`."""
        memory = address_of(data)
        count, length = 0, len(data)
        while True:
            rest = Address(memory.value + count, memory.view)
            request = Request(WRITE, fd, rest, length - count, offset + count)
            got = await self._perform(request, flags)
            count += got
            if count == length:
                return count
            if not got:
                raise no_progress()

    async def _perform(self, request: Request, flags: int) -> int:
        request.length = min(request.length, _LONGEST)
        request.flags = flags
        return await self._ring.perform(request)


class ByThreads:
    """One call of a worker each; with a caller's RWF_* flags."""

    def __init__(self, pool: WorkerPool, stats: Stats) -> None:
        self._pool = pool
        self._stats = stats
        self.write_seconds = 0.0  # of the write that returned last, without its wait for a worker

    def begin_read(
        self, fd: int, into: memoryview, offset: int, done: Done, flags: int = 0
    ) -> Begun:
        """As `Transfers.begin_read`."""
        self._stats.switches += 1
        return self._pool.begin(done, fd, read_full, fd, into, offset, flags)

    async def write(self, fd: int, data: Data, offset: int, flags: int = 0) -> int:
        """As `Transfers.write`."""
        self._stats.switches += 1
        written = await self._pool.transfer(fd, write_timed, fd, data, offset, flags)
        count, self.write_seconds = written
        return count


def going_on(done: Done, begin: Callable[[*Args], object], *args: *Args) -> None:
    """Begin the next part of a call; an error that there is at once ends it like any other."""
    try:
        begin(*args)
    except Exception as error:  # noqa: BLE001 - nobody is there to raise it to
        done(0, error)


def no_progress() -> OSError:
    """For a write that ends with 0: no file system of Linux does, but one in user space might."""
    return OSError(errno.EIO, "the file system takes no more and names no error")
