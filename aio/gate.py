"""Whether a write to a file system may be made in the loop now.

A write below the dirty limit goes to the page cache and returns, but for a file system that is
frozen (fsfreeze, a snapshot by LVM or of a virtual machine: as long as that lasts), beyond the
dirty limit (243 to 524 ms at a time behind another writer, measured) and on a `sync` mount (the
disk's time, each).  No system call tells a frozen file system without waiting for it, RWF_NOWAIT
included (6.18).  So after a pause, and after a stall, a write goes to a worker first, as a canary,
and the loop writes when that was quick.  After a pause a write of no bytes will do, in a thread of
its own: it waits while the file system is frozen, and changes nothing.  The dirty limit and the
mount are looked at as time goes.
"""

import _thread
import os
from pathlib import Path
from time import perf_counter
from weakref import WeakValueDictionary

from aio.leaky_bucket import LeakyBucket

# In the kernel pauses take 10 to 200 ms each; waiting for the GIL takes up to 5 (the switch
# interval).  So much of waiting, in one write or in several, is a stall.
STALL = 0.008
# A wait, and not a longer copy or another thread with the GIL.
WAIT, _WAIT_A_BYTE = 0.0005, 0.5e-9
# After a stall, writes stay away from the loop for this many times its length, so that stalls take
# at most a twentieth of the loop's time however long the device is behind.
AWAY, AWAY_AT_MOST = 20, 5.0
# A file system that nobody has written to for so long may have been frozen since.  A writer that
# does not pause so long never pays for a canary (85 us); within it, a freeze stops the loop.
QUIET = 0.02
# The look costs 25 us: a thousandth of the loop's time.
_LOOK_AGAIN = 0.02
_LOOK_AWAY = 0.05  # while it is close to the limit
_LOOK_AT_MOUNT = 1.0
# How much of the way to the dirty limit others may go between two looks: an eighth is 60 MB on a
# machine with 4 GB.
_CLOSE = 7 / 8
_VMSTAT = Path("/proc/vmstat")


class Gate:
    """Of one file system, for all engines of the process."""

    __slots__ = (
        "__weakref__",
        "_away_until",
        "_flying",
        "_mount_until",
        "_mount_waits",
        "_stalled",
        "_waited",
        "open_until",
        "quick_at",
    )

    def __init__(self) -> None:
        self.open_until = 0.0  # perf_counter's seconds, as all times here; then `ask`
        self.quick_at = 0.0  # when a write was quick for the last time
        self._away_until = 0.0
        self._flying = False  # whether a canary is away
        self._stalled = False  # since then, no write of somebody's data was quick
        self._mount_until = 0.0
        self._mount_waits = False
        self._waited = LeakyBucket()

    def ask(self, fd: int, now: float) -> bool:
        """Whether a write may be made in the loop, after `open_until`.  OSError: EBADF."""
        if now < self._away_until:
            return False
        if now - self.quick_at > QUIET:
            if not (self._flying or self._stalled):
                self._send_canary(fd)
            return False
        if now >= self._mount_until:
            self._mount_until = now + _LOOK_AT_MOUNT
            self._mount_waits = bool(os.fstatvfs(fd).f_flag & os.ST_SYNCHRONOUS) or _is_strict(fd)
        if self._mount_waits or _is_close_to_dirty_limit():
            self._away_until = now + _LOOK_AWAY
            return False
        self._waited.look(now)
        self.open_until = now + _LOOK_AGAIN
        return True

    def returned(self, seconds: float, now: float) -> None:
        """A write in a worker has taken the kernel so long."""
        if seconds < STALL:
            self._stalled = False
            self.quick_at = now

    def slow(self, seconds: float, length: int, now: float) -> bool:
        """A write of `length` bytes in the loop took so long; whether that makes a stall."""
        if seconds < WAIT + length * _WAIT_A_BYTE:
            return False
        waited = self._waited.add(seconds, now)
        if waited < STALL:
            return False
        self._waited.clear()
        self._stalled = True
        self._away_until = now + min(AWAY * waited, AWAY_AT_MOST)
        self.open_until = 0.0
        return True

    def _send_canary(self, fd: int) -> None:
        own = os.dup(fd)  # the other may be closed meanwhile
        self._flying = True
        try:
            _thread.start_new_thread(self._fly, (own,))  # threading's waits until it has begun
        except RuntimeError:  # no more threads: a write in a worker will tell
            self._flying = False
            os.close(own)

    def _fly(self, fd: int) -> None:
        started = perf_counter()
        try:
            os.pwrite(fd, b"", 0)
        except OSError:
            return
        finally:
            os.close(fd)
            self._flying = False
        ended = perf_counter()
        if ended - started < STALL:
            self.quick_at = ended


_gates: WeakValueDictionary[int, Gate] = WeakValueDictionary()


def gate_of(device: int) -> Gate:
    """The Gate of a st_dev, one and the same for as long as anybody holds it."""
    gate = _gates.get(device)
    if gate is None:
        gate = _gates[device] = Gate()
    return gate


def _is_close_to_dirty_limit() -> bool:
    """Whether the kernel may soon pause writers: it lets them be below the middle of two limits.

    (balance_dirty_pages, dirty_freerun_ceiling.)  A limit of a control group's own is not seen.
    """
    try:
        text = _VMSTAT.read_bytes()
        dirty = _count(text, b"nr_dirty") + _count(text, b"nr_writeback")
        limits = _count(text, b"nr_dirty_threshold") + _count(
            text, b"nr_dirty_background_threshold"
        )
    except (OSError, ValueError):
        return False
    return dirty > limits / 2 * _CLOSE


def _count(text: bytes, name: bytes) -> int:
    start = text.index(b"\n%b " % name) + len(name) + 2
    return int(text[start : text.index(b"\n", start)])


def _is_strict(fd: int) -> bool:
    """Whether the device has a dirty limit of its own, which nothing but debugfs tells about."""
    device = os.fstat(fd).st_dev
    file = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/strict_limit")
    try:
        return file.read_bytes().startswith(b"1")
    except OSError:
        return False
