"""Whether a change of names and records may be made in the event loop now, by file system.

To make, remove or rename a file changes the kernel's caches and waits for no disk, but where the
journal commits or is full (a FLUSH, a truncation, another program's fsync), the blocks of a
directory were evicted, or the file system is frozen.  No system call tells beforehand.  So the loop
makes no change while a call of ours is known to strain the file system, nor after a pause or a
stall before a worker's change was quick; and a leaky bucket says how long changes have lately
kept it waiting.

It is for file systems known to work so: overlayfs copies files up, FUSE and the network ask others.
And where this machine serves NFS a change may wait for one of its clients to give up a delegation,
for which there is no call that would not wait.
"""

import os
from pathlib import Path
from time import perf_counter, thread_time
from weakref import WeakValueDictionary

from aio.file_systems import BTRFS, EXT4, TMPFS, XFS
from aio.gate import AWAY, AWAY_AT_MOST, QUIET, STALL, gate_of
from aio.inodes import is_strained
from aio.leaky_bucket import LeakyBucket

_KINDS = frozenset((EXT4, XFS, BTRFS, TMPFS))
# A change takes 20 to 200 us of work: a longer one has waited, or another thread had the GIL, which
# is as bad.  But ext4 looks at each inode that was freed within five seconds before it takes one:
# that is 1 ms of work for a new file after many deletions, and no wait.
_WAIT = 0.001
_LOOK_AT_MOUNT = 1.0
_NFS_SERVER = Path("/proc/net/rpc/nfsd")  # it is there while the module is, with or without threads
_NO_THREADS = b"\nth 0 "


class AtOnce:
    """Of one file system, for all shares of the process.

    Times are of perf_counter, which on Linux is monotonic.
    """

    __slots__ = (
        "__weakref__",
        "_away_until",
        "_cpu",
        "_device",
        "_gate",
        "_mount_until",
        "_mount_waits",
        "_quick_at",
        "_stalled",
        "_waited",
    )

    def __init__(self, device: int) -> None:
        self._device = device
        self._quick_at = 0.0  # when a change was quick for the last time, in whichever thread
        self._away_until = 0.0
        self._stalled = False  # since then, no change in a worker was quick
        self._mount_until = 0.0
        self._mount_waits = False
        self._waited = LeakyBucket()
        self._cpu = 0.0  # thread_time when `admits` was asked
        self._gate = gate_of(device)  # a quick WRITE tells as much of a freeze

    def admits(self, fd: int, now: float) -> bool:
        """Whether the loop may change something beside the open file `fd`.  OSError: EBADF."""
        if now < self._away_until or self._stalled:
            return False
        if now - self._quick_at > QUIET and now - self._gate.quick_at > QUIET:
            return False
        if is_strained(self._device):
            return False
        if now >= self._mount_until:
            self._mount_until = now + _LOOK_AT_MOUNT
            self._mount_waits = bool(os.fstatvfs(fd).f_flag & os.ST_SYNCHRONOUS) or _serves_nfs()
        if self._mount_waits:
            return False
        self._waited.look(now)
        self._cpu = thread_time()
        return True

    def made(self, began: float) -> None:
        """The loop has made a change that `admits` was asked about then."""
        self._quick_at = now = perf_counter()
        if now - began >= _WAIT:
            self.waited(now - began - (thread_time() - self._cpu))

    def waited(self, idle: float) -> None:
        """Such a change, or the slowest of some, has waited for so many seconds."""
        self._quick_at = now = perf_counter()
        if idle < _WAIT:
            return
        waited = self._waited.add(idle, now)
        if waited >= STALL:
            self._waited.clear()
            self._stalled = True
            self._away_until = now + min(AWAY * waited, AWAY_AT_MOST)

    def returned(self, began: float) -> None:
        """A worker has made a change that began then."""
        now = perf_counter()
        if now - began < STALL:
            self._stalled = False
            self._quick_at = now


def _serves_nfs() -> bool:
    try:
        return _NO_THREADS not in _NFS_SERVER.read_bytes()
    except OSError:
        return False


_all: WeakValueDictionary[int, AtOnce] = WeakValueDictionary()


def at_once_on(device: int, kind: int) -> AtOnce | None:
    """The same for as long as anybody holds it: of a st_dev, and statfs's f_type; None: never."""
    if kind not in _KINDS:
        return None
    found = _all.get(device)
    if found is None:
        found = _all.setdefault(device, AtOnce(device))
    return found
