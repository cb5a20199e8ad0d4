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
from collections.abc import Awaitable, Callable
from mmap import PAGESIZE
from typing import TypeVar

import trio

from aio.base import Data
from aio.mounted import look_at
from aio.transfers import ByRing, ByThreads

D = TypeVar("D", memoryview, Data)

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

    async def read(self, fd: int, into: memoryview, offset: int) -> int:
        """As `Transfers.read`."""
        return await self._transfer(self._by.read, fd, into, offset, writing=False)

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """As `Transfers.write`."""
        return await self._transfer(self._by.write, fd, data, offset, writing=True)

    async def _transfer(
        self,
        transfer: Callable[[int, D, int, int], Awaitable[int]],
        fd: int,
        data: D,
        offset: int,
        *,
        writing: bool,
    ) -> int:
        flags = self._dontcache.flags(fd, len(data), writing=writing)
        if not flags:
            return await transfer(fd, data, offset, 0)
        with trio.CancelScope(shield=True):  # or it would end between the two attempts
            try:
                count = await transfer(fd, data, offset, flags)
            except OSError as error:
                if error.errno not in _REFUSALS:
                    raise
                count = await transfer(fd, data, offset, 0)
                # The request was right, so the flag was not.
                self._dontcache.refused(fd, writing=writing)
        await trio.lowlevel.checkpoint_if_cancelled()
        return count


def try_dontcache(fd: int, *, writing: bool) -> None:
    """Read or write the first page of an open file with the flag; OSError says why not."""
    transfer = os.pwritev if writing else os.preadv
    transfer(fd, (bytearray(PAGESIZE),), 0, _RWF_DONTCACHE)
