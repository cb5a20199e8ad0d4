"""The calls that C makes in the probe's place (smbd.plain), while the loop is in one step.

It is told first which are plain, and tells afterwards what was done: so the probe knows of files,
and of how long calls take, what it would know if it had made them.
"""

from time import perf_counter

from aio.base import Engine
from aio.gate import WAIT
from aio.jobs import Jobs, Owner
from aio.kernel import PageVector
from aio.mounted import Look
from aio.patience import SLEPT, SLOW_MISS, Patience
from aio.residency import tells_the_truth
from aio.storage import FRESH, NOWAIT, OpenFile, Storage
from aio.threads import ThreadsEngine

# What `PlainCalls.plain_ways` says.
PLAIN_READS, PLAIN_WRITES, PLAIN_MISSES = 1, 2, 4


class PlainCalls:
    """An engine's open files, and which calls on them are plain now."""

    # Seconds: one that takes longer is told at once.
    SLOW_READ, SLOW_WRITE, SLOW_MISS = SLEPT, WAIT, SLOW_MISS

    def __init__(self, engine: Engine, inline_limit: int, plain_limit: int) -> None:
        """What is longer than `plain_limit` is never plain."""
        self._engine = engine
        self._threads = engine if isinstance(engine, ThreadsEngine) else None
        self._plain_limit = plain_limit
        self._storage = Storage(inline_limit)
        self._files: dict[int, OpenFile] = {}
        self._patience = Patience()
        self._away_until = 0.0  # the patience's, where every read finds it
        # Plain ints: to count a hit must cost nothing.
        self._hits = self._misses = self._inline = self._stalls = 0
        self._bytes_read = self._bytes_written = 0

    def attach(self, fd: int) -> None:
        """Keep knowledge about this open file until `detach`."""
        if fd in self._files:
            self.detach(fd)
        self._files[fd] = OpenFile(fd)
        self._engine.attach(fd)

    def detach(self, fd: int) -> None:
        """Forget this open file, before it is closed."""
        file = self._files.pop(fd, None)
        if file is not None:
            file.close()
            self._engine.detach(fd)

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
        """How many bytes a plain read or write may have, where `plain_ways` allows any."""
        return self._plain_limit

    def plain_longest_passed(self, fd: int) -> int:
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
