"""O_DIRECT beside buffered handles of the same file: alignment, bounce buffers, parts of pages.

Each file is opened a second time, with O_DIRECT; whole blocks go by that descriptor, through
aligned memory where the caller's is not.  A write's parts of pages go through the page cache: the
kernel reads, modifies and writes them under its own lock, which no reading and writing back by us
would be safe against (other processes write too), and no padding ever lies behind the end of file.
The kernel keeps both ways coherent, since a direct request flushes and drops the cached pages that
it touches.  But it cannot drop a page (or the large folio that it is part of) that is being
dirtied: then old data would stay, and fsync fail with EIO.  So on one file, writes of parts of
pages go alone, and direct ones together.
"""

import errno
import fcntl
import os
from dataclasses import dataclass, field
from functools import partial
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, PAGESIZE, mmap
from typing import NamedTuple

import trio

from aio.base import Begun, Data, Done, Stats
from aio.bounce import BounceBuffers, Piece
from aio.file_systems import FileSystem
from aio.kernel import (
    AT_EMPTY_PATH,
    STATX_BASIC_STATS,
    STATX_DIOALIGN,
    Address,
    address_of,
    file_system_type,
    statx,
)
from aio.ring import READ, WRITE, Request, Ring
from aio.shared_lock import SharedLock
from aio.transfers import Transfers, going_on, no_progress

# The flags that a second descriptor has in common with the first.
_FLAGS = os.O_ACCMODE | os.O_APPEND | os.O_DSYNC | os.O_SYNC | os.O_NOATIME
# Any disk takes this; known more exactly by statx from Linux 6.1 on.
_UNIT = 4096
# The longest piece of a request; a longer request is done piece after piece.  To copy one takes
# 0.1 ms, in which the loop does nothing else.
_LONGEST = 1 << 20
# Errors of a request by O_DIRECT on a descriptor that could be opened so.
_REFUSED = {errno.EINVAL, errno.EOPNOTSUPP}
# Errors of a read although the disk has not failed: a process wrote to a mapping meanwhile.  If the
# disk has failed, the read fails through the cache too.
_COLLISION = {errno.EIO}


class Alignment(NamedTuple):
    """The alignment that O_DIRECT asks for, in bytes, both powers of two."""

    memory: int
    offset: int  # and length


def alignment(fd: int) -> Alignment:
    """The alignment for an open file; OSError if its file system has no O_DIRECT for it.

    tmpfs takes the flag (Linux 6.6) and ignores it: that is no direct I/O.
    """
    file_system = FileSystem(file_system_type(fd))
    if file_system.is_memory:
        raise OSError(errno.EOPNOTSUPP, f"{file_system.name} is nothing but memory")
    try:
        status = statx("", dir_fd=fd, flags=AT_EMPTY_PATH, mask=STATX_BASIC_STATS | STATX_DIOALIGN)
    except OSError as error:
        if error.errno not in {
            errno.ENOSYS,
            errno.EPERM,
        }:  # a kernel without statx, or a sandbox that hides it
            raise
        return Alignment(_UNIT, _UNIT)
    if not status.mask & STATX_DIOALIGN:
        return Alignment(_UNIT, _UNIT)
    if not status.dio_offset_align:
        raise OSError(errno.EOPNOTSUPP, "the file system has no direct I/O for this file")
    return Alignment(status.dio_mem_align, status.dio_offset_align)


def reopen(fd: int) -> int:
    """A second descriptor of an open file, with O_DIRECT.  EINVAL: its file system has none."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL) & _FLAGS
    return os.open(f"/proc/self/fd/{fd}", flags | os.O_DIRECT)


def try_direct(fd: int) -> Alignment:
    """Read a block of an open file by O_DIRECT; its alignment.  OSError says why not."""
    needs = alignment(fd)
    direct = reopen(fd)
    try:
        with mmap(-1, max(needs.offset, PAGESIZE), flags=MAP_PRIVATE | MAP_ANONYMOUS) as memory:
            os.preadv(direct, (memory,), 0)
    finally:
        os.close(direct)
    return needs


class _Inode:
    """One file, however often it is open."""

    __slots__ = ("direct", "key", "lock", "opens")

    def __init__(self, key: tuple[int, int]) -> None:
        self.key = key
        self.opens = 0
        self.direct = False  # whether any of them ever went by O_DIRECT
        self.lock = SharedLock()  # of writes


class _File:
    """One open file and its second descriptor."""

    __slots__ = ("alignment", "direct", "fd", "inode", "usable")

    def __init__(self, fd: int, inode: _Inode) -> None:
        self.fd = fd
        self.inode = inode
        self.direct = -1
        self.alignment = Alignment(1, 1)
        try:
            self.alignment = alignment(fd)
            self.direct = reopen(fd)
        except OSError:
            self.usable = False  # `aio.describe` tells why, and `Stats.buffered` how often
        else:
            self.usable = inode.direct = True

    def close(self) -> None:
        if self.direct >= 0:
            os.close(self.direct)


_NOWHERE = Address(0, memoryview(b""))


@dataclass(slots=True, eq=False)
class _Reading:
    """A read, one piece of it in flight."""

    file: _File
    into: memoryview
    offset: int
    done: Done
    there: memoryview  # what of `into` is before the end of file
    memory: Address
    count: int = 0  # bytes that have come
    before: int = 0  # bytes in the borrowed piece before those that are wanted
    piece: Piece | None = None
    request: Request = field(init=False)

    @property
    def want(self) -> int:
        """Bytes of the piece."""
        return min(len(self.there) - self.count, _LONGEST)

    def copy_out(self, piece: Piece, got: int) -> int:
        """What is wanted of the blocks around it; the count."""
        count = min(max(got - self.before, 0), self.want)
        self.there[self.count : self.count + count] = piece.view[self.before : self.before + count]
        return count


class Direct:
    """Requests by O_DIRECT through a ring; `other` does those that O_DIRECT cannot do."""

    def __init__(self, ring: Ring, stats: Stats, other: Transfers) -> None:
        self._ring = ring
        self._stats = stats
        self._other = other
        self._memory = BounceBuffers(ring.register)
        self._files: dict[int, _File | None] = {}  # None: nothing was read or written yet
        self._inodes: dict[tuple[int, int], _Inode] = {}

    def attach(self, fd: int) -> None:
        """Open it a second time at its first request: an open for metadata alone costs nothing."""
        self.detach(fd)
        self._files[fd] = None

    def detach(self, fd: int) -> None:
        """Close the second descriptor."""
        file = self._files.pop(fd, None)
        if file is None:
            return
        file.close()
        file.inode.opens -= 1
        if not file.inode.opens:
            del self._inodes[file.inode.key]

    def close(self) -> None:
        """Close all."""
        for fd in list(self._files):
            self.detach(fd)

    def _file(self, fd: int) -> _File | None:
        file = self._files.get(fd)
        if file is None and fd in self._files:
            status = os.fstat(fd)
            key = status.st_dev, status.st_ino
            inode = self._inodes.setdefault(key, _Inode(key))
            inode.opens += 1
            file = self._files[fd] = _File(fd, inode)
        return file

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """As `Transfers.begin_read`."""
        file = self._file(fd)
        if file is None or not file.usable or not into:
            self._stats.buffered += 1
            return self._other.begin_read(fd, into, offset, done)
        # Not a block further than the end of file: there may be blocks that xfs has set aside for
        # data to come, and for them a read fails with EIO (6.18).
        there = into[: max(os.fstat(file.fd).st_size - offset, 0)]
        if not there:
            return self._other.begin_read(fd, there, offset, done)
        read = _Reading(file, into, offset, done, there, address_of(there, writable=True))
        return self._read_on(read)

    def _read_on(self, read: "_Reading") -> Request:
        """Read the next piece."""
        at, want = read.offset + read.count, read.want
        address = Address(read.memory.value + read.count, read.memory.view)
        if self._fits(read.file, address, at, want):
            request = Request(READ, read.file.direct, address, want, at)
        else:  # the blocks around it
            self._stats.bounced += 1
            unit = read.file.alignment.offset
            read.before = at % unit
            around = read.before + want
            around += -around % unit
            read.piece = piece = self._memory.take(around)
            request = Request(READ, read.file.direct, piece.address, around, at - read.before)
            request.registered = piece.registered
        read.request = request
        self._ring.begin(request, partial(self._got, read))
        return request

    def _got(self, read: "_Reading", got: int, error: BaseException | None) -> None:
        read.request.release()
        if read.piece is not None:
            got = read.copy_out(read.piece, got)
            self._memory.give(read.piece)
            read.piece = None
        read.count += got
        if error is None and got and read.count < len(read.there):
            going_on(read.done, self._read_on, read)
            return
        read.memory, read.there = _NOWHERE, _NOWHERE.view
        if not isinstance(error, OSError) or error.errno not in _REFUSED | _COLLISION:
            read.done(read.count, error)
            return
        self._stats.buffered += 1
        refused = error.errno in _REFUSED

        def ended(count: int, error: BaseException | None) -> None:
            if refused and error is None:  # the request was right, so it was for being direct
                read.file.usable = False
            read.done(count, error)

        begin, fd = self._other.begin_read, read.file.fd
        going_on(read.done, begin, fd, read.into, read.offset, ended)

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """As `Transfers.write`."""
        file = self._file(fd)
        if file is None or not file.inode.direct:
            self._stats.buffered += 1
            return await self._other.write(fd, data, offset)
        view = memoryview(data)
        unit = max(PAGESIZE, file.alignment.offset)
        lock = file.inode.lock
        with trio.CancelScope(shield=True):
            if file.usable and view:
                whole = not (offset % unit or len(view) % unit)
                write = self._write_blocks if whole else self._write_parts
                try:
                    async with lock.shared() if whole else lock.exclusive():
                        return await write(file, view, offset)
                except OSError as error:
                    if error.errno not in _REFUSED:
                        raise
            async with lock.exclusive():
                self._stats.buffered += 1
                count = await self._other.write(fd, view, offset)
        file.usable = file.usable and not count
        return count

    async def _write_parts(self, file: _File, data: memoryview, offset: int) -> int:
        """Whole pages directly; parts of pages, before and behind them, through the cache."""
        self._stats.buffered += 1
        unit = max(PAGESIZE, file.alignment.offset)
        first = -offset % unit
        last = len(data) - (offset + len(data)) % unit
        if first >= last:
            return await self._other.write(file.fd, data, offset)
        await self._write_blocks(file, data[first:last], offset + first)
        if first:
            await self._other.write(file.fd, data[:first], offset)
        if last < len(data):
            await self._other.write(file.fd, data[last:], offset + last)
        return len(data)

    async def _write_blocks(self, file: _File, data: memoryview, offset: int) -> int:
        source = address_of(data)
        count, length = 0, len(data)
        while count < length:
            at = offset + count
            want = min(length - count, _LONGEST)
            address = Address(source.value + count, source.view)
            if self._fits(file, address, at, want):
                request = Request(WRITE, file.direct, address, want, at)
                got = await self._ring.perform(request)
            else:
                got = await self._write_bounced(file, data[count : count + want], at)
            got -= got % file.alignment.offset  # the rest of a block is written again
            if not got:
                raise no_progress()
            count += got
        return count

    async def _write_bounced(self, file: _File, data: memoryview, offset: int) -> int:
        self._stats.bounced += 1
        with self._memory.borrow(len(data)) as piece:
            piece.view[: len(data)] = data
            request = Request(WRITE, file.direct, piece.address, len(data), offset)
            request.registered = piece.registered
            return await self._ring.perform(request)

    def _fits(self, file: _File, address: Address, offset: int, length: int) -> bool:
        needs = file.alignment
        return not (address.value % needs.memory or offset % needs.offset or length % needs.offset)
