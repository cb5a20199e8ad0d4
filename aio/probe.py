"""The page-cache probe in front of any engine: cached data is read at once, in the calling task.

A hit costs the read; only a read that would wait for the disk costs a thread switch.  A short
count by RWF_NOWAIT is ambiguous: the file ends there, or the next page is not cached (kernels 5.9
and 5.10 take the second for the first).  So it is a hit only if an fstat after it says that the
file ends there, which is right on those kernels too.
"""

import errno
import os
from collections.abc import Coroutine
from mmap import PAGESIZE
from time import perf_counter
from typing import Any

from aio.base import Begun, Data, Done, Engine, Stats
from aio.blocking import write_full
from aio.completion import fsync_awaited, read_awaited
from aio.dontcache import DontCache
from aio.patience import SLEPT
from aio.plain_calls import PlainCalls
from aio.storage import FRESH, MEMORY, NOWAIT, RESIDENCY, UNKNOWN, OpenFile

_RWF_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_preadv = os.preadv

# A call that takes so long, and so much more a byte, may have waited: a fast disk's 4 KiB take 50
# to 90 us, a hit 2 to 5 (measured).  The doubt costs little if it had not.
_DOUBTFUL, _DOUBTFUL_A_BYTE = 40e-6, 0.5e-9


class Probe(PlainCalls):
    """An engine that tries the page cache first, and another engine behind it."""

    def __init__(self, engine: Engine, inline_limit: int, dontcache: DontCache) -> None:
        # One comparison lets every ordinary request pass.
        super().__init__(engine, inline_limit, min(inline_limit, dontcache.shortest - 1))
        self.name = f"nowait+{engine.name}"
        self.notes = engine.notes
        self._inline_limit = inline_limit
        self._dontcache = dontcache
        self._unknown = self._oversize = self._slept = self._deferred = 0

    def try_read(self, fd: int, into: memoryview, offset: int) -> int | None:
        """The count, if the page cache has it all or the file ends before; None: use `read`.

        This is the hot path: one lookup and one system call for a hit on most file systems.
        """
        file = self._files.get(fd)
        if file is None or file.reads_by != NOWAIT:
            return self._try_read_otherwise(file, into, offset)
        length = len(into)
        if length > self._plain_limit and self._is_too_long(fd, length, writing=False):
            return None
        started = perf_counter()
        if started < self._away_until and not (
            self._patience.tries(started) and self._storage.resident(file, offset, length, started)
        ):
            self._misses += 1
            return None
        try:
            count = _preadv(fd, (into,), offset, _RWF_NOWAIT)
        except BlockingIOError:
            self._missed(started)
            return None
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            return self._unlearn(file, into, offset)
        if count != length and offset + count < os.fstat(fd).st_size:
            self._missed(started)
            return None
        ended = perf_counter()
        if ended - started > SLEPT:
            self._patience.hit_waited(ended - started, ended)
            self._away_until = self._patience.away_until
        self._hits += 1
        self._bytes_read += count
        return count

    def _missed(self, started: float) -> None:
        """A probe has found less than all."""
        self._misses += 1
        ended = perf_counter()
        self._patience.missed(ended - started, ended)
        self._away_until = self._patience.away_until

    def _try_read_otherwise(
        self, file: OpenFile | None, into: memoryview, offset: int
    ) -> int | None:
        if file is not None and file.reads_by == FRESH:
            self._storage.learn(file)
            return self.try_read(file.fd, into, offset)
        if file is None or file.reads_by == UNKNOWN:
            self._unknown += 1
            return None
        if len(into) > self._inline_limit:
            self._oversize += 1
            return None
        started = perf_counter()
        if file.reads_by == MEMORY:
            return self._read_now(file, into, offset, started)
        residency = file.residency
        assert file.reads_by == RESIDENCY
        assert residency is not None
        if file.inode.exclusive:  # xfs reads under the inode's lock, below overlayfs too
            self._misses += 1
            return None
        resident = residency.resident(offset, len(into), started)
        if resident:
            return self._read_now(file, into, offset, started)
        if resident is None:
            self._unknown += 1
        else:
            self._misses += 1
        return None

    def _read_now(
        self, file: OpenFile, into: memoryview, offset: int, started: float
    ) -> int | None:
        """A plain read of data believed to be resident."""
        count = _preadv(file.fd, (into,), offset)
        took = perf_counter() - started
        if took > _DOUBTFUL:
            self._slept += took > SLEPT
            self._doubt(file, offset, len(into), took)
        if count != len(into) and offset + count < os.fstat(file.fd).st_size:
            self._misses += 1  # the file grew in between
            return None
        self._hits += 1
        self._bytes_read += count
        return count

    def _doubt(self, file: OpenFile, offset: int, length: int, took: float) -> None:
        """A call whose pages were believed to be resident took so long."""
        residency = file.residency
        if residency is None:
            return
        if took > SLEPT:
            self._storage.beliefs.forget()
        elif took > _DOUBTFUL + length * _DOUBTFUL_A_BYTE:
            residency.doubt(offset, length, self._hits)

    def _is_too_long(self, fd: int, length: int, *, writing: bool) -> bool:
        """Whether a request is not to be tried, since it would keep the loop for too long.

        One with RWF_DONTCACHE does: it drops the pages it has read (0.1 ms for 1 MiB, measured) or
        submits those it has written.  And if it got only a part, and dropped that, the engine would
        have to read it again: two fifths more came from the disk for streams of 1 MiB (measured).
        """
        if length <= self._inline_limit and not self._dontcache.flags(fd, length, writing=writing):
            return False
        self._oversize += 1
        return True

    def _unlearn(self, file: OpenFile, into: memoryview, offset: int) -> int | None:
        """The file system has RWF_NOWAIT, but not for this file."""
        file.nowait = False
        file.reads_by = FRESH
        return self._try_read_otherwise(file, into, offset)

    @property
    def write_seconds(self) -> float:
        """The engine's."""
        return self._engine.write_seconds

    def try_write(self, fd: int, data: Data, offset: int) -> int | None:
        """The count, if the kernel took all of it into the page cache at once; None: use `write`.

        Below the dirty limit a write is asynchronous by itself, unless it must first read a page of
        which it covers only a part.
        """
        file = self._files.get(fd)
        if file is not None and file.reads_by == FRESH:
            self._storage.learn(file)
        length = len(data)
        if length > self._plain_limit and self._is_too_long(fd, length, writing=True):
            return None
        started = perf_counter()
        if (
            file is None
            or not file.writes_inline
            or (started >= file.gate.open_until and not file.gate.ask(fd, started))
        ):
            self._deferred += 1
            return None
        count = -1  # no write gives it
        if file.file_system.nowait_write is not False:
            count = self._storage.write_nowait(file, data, offset)
        if count != length:
            if self._storage.may_wait(file, offset, length, started):
                file.waits_at = offset
                self._deferred += 1
                return None
            if file.inode.working:  # asked last: the GIL stays here until the call has begun
                self._deferred += 1
                return None
            count = os.pwrite(fd, data, offset)
            if count != length:
                count += write_full(fd, memoryview(data)[count:], offset + count)
        ended = perf_counter()
        file.gate.quick_at = ended
        if ended - started > _DOUBTFUL:
            self._doubt_write(file, offset, length, ended - started, ended)
        self._inline += 1
        self._bytes_written += count
        return count

    def _doubt_write(
        self, file: OpenFile, offset: int, length: int, took: float, ended: float
    ) -> None:
        """A write took so long that it may have waited."""
        if (offset | length) % PAGESIZE:  # a part of a page may have been read
            self._doubt(file, offset, length, took)
        self._stalls += file.gate.slow(took, length, ended)

    def read(self, fd: int, into: memoryview, offset: int) -> Coroutine[Any, Any, int]:
        """The engine's."""
        return read_awaited(self, fd, into, offset)

    def begin_read(self, fd: int, into: memoryview, offset: int, done: Done) -> Begun:
        """The engine's."""
        file = self._files.get(fd)
        if file is None or file.reads_by == FRESH or not file.file_system.reads_lock:
            return self._engine.begin_read(fd, into, offset, done)
        return self._begin_locked(file, into, offset, done)

    def kick(self) -> None:
        """The engine's."""
        self._engine.kick()

    def _begin_locked(self, file: OpenFile, into: memoryview, offset: int, done: Done) -> Begun:
        """Where a read may hold the inode's lock while the disk works, no write is inline then."""
        inode = file.inode

        def ended(count: int, error: BaseException | None) -> None:
            inode.end(exclusive=False)
            done(count, error)

        inode.begin(exclusive=False)
        try:
            return self._engine.begin_read(file.fd, into, offset, ended)
        except BaseException:
            inode.end(exclusive=False)
            raise

    async def write(self, fd: int, data: Data, offset: int) -> int:
        """The engine's; if it was quick, the loop may write again."""
        file = self._known(fd)
        if file is None:
            return await self._engine.write(fd, data, offset)
        if self._holds_lock(file, data, offset):
            with file.inode.at_work(exclusive=True):
                count = await self._engine.write(fd, data, offset)
        else:
            count = await self._engine.write(fd, data, offset)
        if file.writes_inline:
            file.gate.returned(self._engine.write_seconds, perf_counter())
        return count

    def _holds_lock(self, file: OpenFile, data: Data, offset: int) -> bool:
        """Whether a write in a worker may hold the inode's lock for longer than a copy takes.

        A short write that only had to go first (aio.gate), or behind another call, is not counted:
        with some of them in flight at all times, each would keep the next one out of the loop.
        """
        return not file.writes_inline or len(data) > self._plain_limit or offset == file.waits_at

    async def fsync(self, fd: int) -> None:
        """The engine's; nothing of the file is tried in the loop meanwhile."""
        await fsync_awaited(self, fd)

    def begin_fsync(self, fd: int, done: Done) -> Begun:
        """The same."""
        file = self._known(fd)
        if file is None:
            return self._engine.begin_fsync(fd, done)
        inode = file.inode

        def ended(count: int, error: BaseException | None) -> None:
            inode.end(exclusive=True, strains=True)
            done(count, error)

        inode.begin(exclusive=True, strains=True)
        try:
            return self._engine.begin_fsync(fd, ended)
        except BaseException:
            inode.end(exclusive=True, strains=True)
            raise

    def _known(self, fd: int) -> OpenFile | None:
        """The knowledge of an open file, identified by now; None without one."""
        file = self._files.get(fd)
        if file is not None and not file.known:
            self._storage.identify(file)
        return file

    async def aclose(self) -> None:
        """Wait for the calls in flight, then forget every file."""
        try:
            await self._engine.aclose()
        finally:
            for fd in list(self._files):
                self.detach(fd)

    def statistics(self) -> Stats:
        """The engine's counters and the probe's."""
        return self._engine.statistics() + Stats(
            hits=self._hits,
            misses=self._misses,
            unknown=self._unknown,
            oversize=self._oversize,
            slept=self._slept + self._patience.slept,
            hits_waited=self._patience.hits,
            writes_inline=self._inline,
            writes_deferred=self._deferred,
            stalls=self._stalls,
            reads=self._hits,
            writes=self._inline,
            bytes_read=self._bytes_read,
            bytes_written=self._bytes_written,
        )
