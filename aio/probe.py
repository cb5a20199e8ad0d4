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
from aio.gate import WAIT
from aio.jobs import Jobs, Owner
from aio.kernel import PageVector
from aio.mounted import Look
from aio.patience import SLEPT, SLOW_MISS, Patience
from aio.residency import tells_the_truth
from aio.storage import FRESH, MEMORY, NOWAIT, RESIDENCY, UNKNOWN, OpenFile, Storage
from aio.threads import ThreadsEngine

_RWF_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_preadv = os.preadv

# A call that takes so long, and so much more a byte, may have waited: a fast disk's 4 KiB take 50
# to 90 us, a hit 2 to 5 (measured).  The doubt costs little if it had not.
_DOUBTFUL, _DOUBTFUL_A_BYTE = 40e-6, 0.5e-9

# What `Probe.plain_ways` says.
PLAIN_READS, PLAIN_WRITES, PLAIN_MISSES = 1, 2, 4


class Probe:
    """An engine that tries the page cache first, and another engine behind it.

    C may make the calls of plain reads and writes in its place (smbd.plain), for as long as the
    loop is in one step: it is told first what is plain, and tells afterwards what was done.
    """

    # Seconds: one that takes longer is told at once.
    SLOW_READ, SLOW_WRITE, SLOW_MISS = SLEPT, WAIT, SLOW_MISS

    def __init__(self, engine: Engine, inline_limit: int, dontcache: DontCache) -> None:
        self.name = f"nowait+{engine.name}"
        self.notes = engine.notes
        self._engine = engine
        self._threads = engine if isinstance(engine, ThreadsEngine) else None
        self._inline_limit = inline_limit
        self._dontcache = dontcache
        # One comparison lets every ordinary request pass.
        self._plain_limit = min(inline_limit, dontcache.shortest - 1)
        self._storage = Storage(inline_limit)
        self._files: dict[int, OpenFile] = {}
        self._patience = Patience()
        self._away_until = 0.0  # the patience's, where every read finds it
        # Plain ints: to count a hit must cost nothing.
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

    def plain_opened(self, fd: int, look: Look) -> bool:
        """Find out of an open file what the first read or write would; whether it is known.

        `look` has been taken at it.
        """
        file = self._files.get(fd)
        if file is None:
            return False
        if file.reads_by == FRESH:
            try:
                self._storage.learn(file, look)
            except OSError:  # the first read or write tells
                return False
        return True

    def plain_ways(self, fd: int, length: int) -> int:
        """Which calls of up to `length` bytes are plain now: PLAIN_READS, PLAIN_WRITES ...

        A plain read is one preadv2 with RWF_NOWAIT: a hit if it gives all, or an fstat behind it
        says that the file ends there; and if it is none, PLAIN_MISSES says that C may make a job of
        it, for `plain_begun`.  A plain write is one pwrite of pages, not behind an end of file amid
        a page, before `plain_until`, while `plain_waits` counts nothing; of the last page it may be
        a part, if the file has nothing there.
        """
        file = self._files.get(fd)
        if file is None or file.reads_by == FRESH or length > self._plain_limit:
            return 0
        nowait = file.reads_by == NOWAIT
        ways = PLAIN_READS if nowait and perf_counter() >= self._away_until else 0
        system = file.file_system
        if ways and self._threads is not None and not system.reads_lock:
            jobs = self._threads.jobs
            if jobs is not None and jobs.is_open:
                ways |= PLAIN_MISSES
        if (
            file.writes_inline
            and system.nowait_write is False
            and not system.stable_pages
            and not (nowait and system.reads_lock)
        ):
            ways |= PLAIN_WRITES
        return ways

    def plain_begun(self, owner: Owner, first: int, count: int, took: float, ended: float) -> None:
        """So many plain reads were misses: jobs made in C, by the address of the first.

        The last one was refused in so much time, then.  Their owner calls `plain_fetched`.
        """
        self._jobs.begin(owner, first, count)
        self._misses += count
        self._patience.missed(took, ended)
        self._away_until = self._patience.away_until

    def plain_fetched(self, count: int, size: int, seconds: float, longest: float) -> None:
        """So many of them have read so many bytes, in that time together; the longest took so long.

        `count` is 0 for one that has failed.
        """
        self._jobs.ended(count, size, seconds, longest)

    @property
    def _jobs(self) -> Jobs:
        assert self._threads is not None, "plain_ways"
        jobs = self._threads.jobs
        assert jobs is not None, "plain_ways"
        return jobs

    @property
    def plain_flushes(self) -> bool:
        """Whether C may make a job of an fsync, for `plain_flush_begun`: once there was one."""
        jobs = None if self._threads is None else self._threads.flush_jobs
        return jobs is not None and jobs.is_open

    def plain_flush_begun(self, owner: Owner, fd: int, first: int) -> None:
        """C has made a job of an fsync, at that address; its owner calls `plain_flushed`."""
        self._flush_jobs.begin(owner, first, 1)
        self._files[fd].inode.begin(exclusive=True, strains=True)

    def plain_flushed(self, fd: int, count: int, done: int, seconds: float, longest: float) -> None:
        """So many of them have ended, so many of these without an error; the rest as above."""
        inode = self._files[fd].inode
        for _ in range(count):
            inode.end(exclusive=True, strains=True)
        self._flush_jobs.flushed(done, seconds, longest)

    @property
    def _flush_jobs(self) -> Jobs:
        assert self._threads is not None, "plain_ways"
        jobs = self._threads.flush_jobs
        assert jobs is not None, "plain_ways"
        return jobs

    @property
    def plain_longest(self) -> int:
        """How many bytes a plain write may have, where `plain_ways` allows any."""
        return self._plain_limit

    def plain_longest_read(self, fd: int) -> int:
        """How many bytes a read may have that goes from the page cache to a socket; 0: none does.

        mincore says whether it would wait, and is not believed of every file.
        """
        file = self._files.get(fd)
        if file is None or file.reads_by != NOWAIT or file.file_system.reads_lock:
            return 0
        return self._plain_limit if tells_the_truth(fd, PageVector(1)) else 0

    def plain_until(self, fd: int) -> float:
        """Until when writes are plain, by perf_counter."""
        return self._files[fd].gate.open_until

    def plain_until_asked(self, fd: int) -> float:
        """The same, once it was asked whether that may be later."""
        gate, now = self._files[fd].gate, perf_counter()
        if now >= gate.open_until:
            gate.ask(fd, now)
        return gate.open_until

    def plain_waits(self, fd: int) -> int:
        """Where the count of calls lies that a write would wait for, as an int32_t."""
        return self._files[fd].inode.address

    def plain_read(self, count: int, size: int) -> None:
        """So many plain reads were hits, of so many bytes."""
        self._hits += count
        self._bytes_read += size

    def plain_written(self, fd: int, count: int, size: int, ended: float) -> None:
        """So many plain writes were made, of so many bytes; the last one was done then."""
        self._files[fd].gate.quick_at = ended
        self._inline += count
        self._bytes_written += size

    def plain_read_waited(self, took: float, ended: float) -> None:
        """A plain read that was a hit took longer than SLOW_READ."""
        self._patience.hit_waited(took, ended)
        self._away_until = self._patience.away_until

    def plain_write_waited(self, fd: int, length: int, took: float, ended: float) -> None:
        """A plain write took longer than SLOW_WRITE."""
        self._stalls += self._files[fd].gate.slow(took, length, ended)

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
