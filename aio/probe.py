"""The page-cache probe in front of any engine: what is cached is done at once, in the calling task.

A hit costs the read; only what would wait for the disk costs a thread switch.  A short count by
RWF_NOWAIT is ambiguous: the file ends there, or the next page is not cached (kernels 5.9 and 5.10
take the second for the first).  So it is a hit only if an fstat after it says that the file ends
there, which is right on those kernels too.
"""

import errno
import os
from collections.abc import Coroutine
from mmap import PAGESIZE
from time import perf_counter
from typing import Any

from aio.base import Data, Engine, Stats
from aio.blocking import write_full
from aio.dontcache import DontCache
from aio.storage import FRESH, MEMORY, NOWAIT, RESIDENCY, UNKNOWN, OpenFile, Storage

_RWF_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_preadv = os.preadv

# A cached read of 1 MiB takes 22 us, a disk's at least 100: a guess that took longer has slept, or
# has waited for the GIL that long, which is as bad.
_SLEPT = 0.001
# What takes so long, and so much more a byte, may have: a fast disk's 4 KiB take 50 to 90 us, a hit
# 2 to 5 (measured).  To doubt it costs little if it had not.
_DOUBTFUL, _DOUBTFUL_A_BYTE = 40e-6, 0.5e-9
# The kernel pauses a writer beyond the dirty limit for 10 to 200 ms; waiting for the GIL takes up
# to 5 (the switch interval).
_STALL = 0.008
# After a stall, writes stay away from the loop for this many times its length, so that stalls take
# at most a twentieth of the loop's time however long the device is behind.
_WRITES_AWAY = 20
# Refusing a probe, the kernel submits the read, and where the device's queue is full it waits for a
# place there, as long as for the data: the loop stood still for 2 s at a time, with 64 others
# reading from a disk of 500 reads a second (measured; io_uring waits there too).  After a probe
# that stalled, only what is known to be resident is probed.  That costs a hit 1.7 us: it may go on.
_PROBES_AWAY = 100


class Probe:
    """An engine that tries the page cache first, and another engine behind it."""

    def __init__(self, engine: Engine, inline_limit: int, dontcache: DontCache) -> None:
        self.name = f"nowait+{engine.name}"
        self.notes = engine.notes
        self._engine = engine
        self._inline_limit = inline_limit
        self._dontcache = dontcache
        # One comparison for all that there is nothing special about.
        self._plain_limit = min(inline_limit, dontcache.shortest - 1)
        self._storage = Storage(inline_limit)
        self._files: dict[int, OpenFile] = {}
        self._writes_away_until = self._probes_away_until = 0.0
        # Plain ints: what a hit counts must cost nothing.
        self._hits = self._misses = self._unknown = self._oversize = self._slept = 0
        self._inline = self._deferred = self._stalls = 0
        self._bytes_read = self._bytes_written = 0

    def attach(self, fd: int) -> None:
        """Keep knowledge about this open file until `detach`."""
        self.detach(fd)
        self._files[fd] = OpenFile(fd)
        self._engine.attach(fd)

    def detach(self, fd: int) -> None:
        """Forget this open file, before it is closed."""
        file = self._files.pop(fd, None)
        if file is not None:
            file.close()
            self._engine.detach(fd)

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
        if started < self._probes_away_until and not self._storage.resident(
            file, offset, length, started
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
        self._hits += 1
        self._bytes_read += count
        return count

    def _missed(self, started: float) -> None:
        """A probe has found less than all."""
        self._misses += 1
        ended = perf_counter()
        if ended - started > _STALL:
            self._slept += 1
            self._probes_away_until = ended + _PROBES_AWAY * (ended - started)

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
        """A plain read of what is believed to be resident."""
        count = _preadv(file.fd, (into,), offset)
        took = perf_counter() - started
        if took > _DOUBTFUL:
            self._slept += took > _SLEPT
            self._doubt(file, offset, len(into), took)
        if count != len(into) and offset + count < os.fstat(file.fd).st_size:
            self._misses += 1  # the file grew in between
            return None
        self._hits += 1
        self._bytes_read += count
        return count

    def _doubt(self, file: OpenFile, offset: int, length: int, took: float) -> None:
        """What was done because its pages were believed to be resident took so long."""
        residency = file.residency
        if residency is None:
            return
        if took > _SLEPT:
            residency.forget()
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

    def try_write(self, fd: int, data: Data, offset: int) -> int | None:
        """The count, if the kernel took all of it into the page cache at once; None: use `write`.

        Below the dirty limit a write is asynchronous by itself, unless it must first read a page of
        which it covers only a part.
        """
        file = self._files.get(fd)
        if file is not None and file.reads_by == FRESH:
            self._storage.learn(file)
        if len(data) > self._plain_limit and self._is_too_long(fd, len(data), writing=True):
            return None
        started = perf_counter()
        if file is None or not file.writes_inline or started < self._writes_away_until:
            self._deferred += 1
            return None
        count = -1  # what no write gives
        if file.file_system.nowait_write is not False:
            count = self._storage.write_nowait(file, data, offset)
        if count != len(data):
            if not self._needs_no_read(file, offset, offset + len(data), started):
                self._deferred += 1
                return None
            count = write_full(fd, data, offset)
        ended = perf_counter()
        took = ended - started
        if took > _DOUBTFUL:
            if (offset | len(data)) % PAGESIZE:  # a part of a page may have been read
                self._doubt(file, offset, len(data), took)
            if took > _STALL:
                self._stalls += 1
                self._writes_away_until = ended + _WRITES_AWAY * took
        self._inline += 1
        self._bytes_written += count
        return count

    def _needs_no_read(self, file: OpenFile, offset: int, end: int, now: float) -> bool:
        if file.file_system.in_memory:
            return True
        # Not fstat: the write after one must give the inode a new timestamp (multigrain, 6.13;
        # measured on ext4: fstat and pwrite 3.9 us, lseek and pwrite 1.8).
        pages = _partial_pages(offset, end, os.lseek(file.fd, 0, os.SEEK_END))
        return not pages or all(self._storage.page_resident(file, page, now) for page in pages)

    def read(self, fd: int, into: memoryview, offset: int) -> Coroutine[Any, Any, int]:
        """The engine's."""
        return self._engine.read(fd, into, offset)

    def write(self, fd: int, data: Data, offset: int) -> Coroutine[Any, Any, int]:
        """The engine's."""
        return self._engine.write(fd, data, offset)

    def fsync(self, fd: int) -> Coroutine[Any, Any, None]:
        """The engine's."""
        return self._engine.fsync(fd)

    async def aclose(self) -> None:
        """Wait for what is in flight, then forget every file."""
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
            slept=self._slept,
            writes_inline=self._inline,
            writes_deferred=self._deferred,
            stalls=self._stalls,
            reads=self._hits,
            writes=self._inline,
            bytes_read=self._bytes_read,
            bytes_written=self._bytes_written,
        )


def _partial_pages(offset: int, end: int, size: int) -> set[int]:
    """Pages that a write must find in the page cache: existing data that it does not cover."""
    pages = set()
    head = offset // PAGESIZE
    if offset % PAGESIZE and head * PAGESIZE < size:
        pages.add(head)
    if end % PAGESIZE and end < size:
        pages.add(end // PAGESIZE)
    # A write that leaves a gap behind the end zeroes the rest of the last page (xfs reads it).
    if offset > size and size % PAGESIZE:
        pages.add(size // PAGESIZE)
    return pages
