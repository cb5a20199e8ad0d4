"""RWF_DONTCACHE (Linux 6.14): large requests that leave the page cache as it was.

Pages that such a read brings in are dropped when they have been read; those of a write begin to be
written back at once, and are dropped after it (by xfs; ext4 keeps them until they are read, 6.18).
Pages that are cached already stay.  So a large stream does not push out data that many read again.

Where it ends in a large folio, the kernel (6.18) drops that too, and reads the rest of it again for
the next request: of streams of 64 KiB it reads half as much again, of 1 MiB a tenth (measured).
"""

import errno
import os
import sys
from mmap import PAGESIZE

import trio

from aio.base import Begun, Data, Done
from aio.mounted import look_at
from aio.transfers import ByRing, ByThreads, going_on

_RWF_DONTCACHE = 0x80  # uapi/linux/fs.h; `os` has no name for it yet
# EOPNOTSUPP: this file system or this kernel.  EINVAL: kernels that look at no flags at all.
_REFUSALS = {errno.EOPNOTSUPP, errno.EINVAL}


class DontCache:
    """Which requests get the flag: large ones, wherever it was not refused yet."""

    def __init__(self, shortest: int) -> None:
        """`shortest`: from how many bytes on a request is large; 0: none is."""
        self.wanted = shortest > 0
        self.shortest = shortest or sys.maxsize
        self._refused: set[tuple[int, bool]] = set()  # st_dev, and whether it was a write

    def flags(self, fd: int, length: int, *, writing: bool) -> int:
        """The flag for a request, or 0.  OSError: EBADF."""
        if length < self.shortest or (look_at(fd).st_dev, writing) in self._refused:
            return 0
        return _RWF_DONTCACHE

    def refused(self, fd: int, *, writing: bool) -> None:
        """Use the flag no more, on this file system and in this direction."""
        self._refused.add((look_at(fd).st_dev, writing))


class Uncached:
    """Transfers of which the large ones get the flag; whether it works, its first use tells."""

    def __init__(self, by: ByRing | ByThreads, dontcache: DontCache) -> None:
        self._by = by
        self._dontcache = dontcache

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """As `Transfers.begin_read`."""
        flags = self._dontcache.flags(fd, len(into), writing=False)
        if not flags:
            return self._by.begin_read(fd, into, offset, done)

        def ended(count: int, error: BaseException | None) -> None:
            if isinstance(error, OSError) and error.errno in _REFUSALS:
                going_on(done, self._by.begin_read, fd, into, offset, ended_without)
            else:
                done(count, error)

        def ended_without(count: int, error: BaseException | None) -> None:
            if error is None:  # the request was right, so the flag was not
                self._dontcache.refused(fd, writing=False)
            done(count, error)

        return self._by.begin_read(fd, into, offset, ended, flags)

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """As `Transfers.write`."""
        flags = self._dontcache.flags(fd, len(data), writing=True)
        if not flags:
            return await self._by.write(fd, data, offset)
        with trio.CancelScope(shield=True):  # or it would end between the two attempts
            try:
                count = await self._by.write(fd, data, offset, flags)
            except OSError as error:
                if error.errno not in _REFUSALS:
                    raise
                count = await self._by.write(fd, data, offset)
                # The request was right, so the flag was not.
                self._dontcache.refused(fd, writing=True)
        await trio.lowlevel.checkpoint_if_cancelled()
        return count


def try_dontcache(fd: int, *, writing: bool) -> None:
    """Read or write the first page of an open file with the flag; OSError says why not."""
    transfer = os.pwritev if writing else os.preadv
    transfer(fd, (bytearray(PAGESIZE),), 0, _RWF_DONTCACHE)
