"""Which files a worker is at work on: a call that is tried in the loop meanwhile may wait for it.

Many calls hold the inode's lock while the disk works: fsync on btrfs; a truncation, zeroing and a
copy on xfs and btrfs; a write that is paused beyond the dirty limit on ext4.  A write to the same
file then waits as long (seconds, measured), RWF_NOWAIT or not asked.  So each such call is counted
here, of all engines and shares: a file has one lock, however often it is open.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class Inode:
    """The calls at work on one file, away from the loop; any thread may count."""

    __slots__ = ("__weakref__", "exclusive", "working")

    def __init__(self) -> None:
        self.exclusive = 0  # calls that may keep readers out
        self.working = 0  # those, and calls that may keep writers alone out

    @contextmanager
    def at_work(self, *, exclusive: bool) -> Iterator[None]:
        """Count a call for as long as it lasts."""
        with _lock:
            self.exclusive += exclusive
            self.working += 1
        try:
            yield
        finally:
            with _lock:
                self.exclusive -= exclusive
                self.working -= 1


_lock = threading.Lock()
_inodes: WeakValueDictionary[tuple[int, int], Inode] = WeakValueDictionary()


def inode_of(device: int, number: int) -> Inode:
    """The same for as long as anybody holds it: of st_dev and st_ino."""
    with _lock:
        inode = _inodes.get((device, number))
        if inode is None:
            inode = _inodes[device, number] = Inode()
        return inode


@contextmanager
def busy(fd: int) -> Iterator[None]:
    """While this lasts, in any thread, no engine tries this file in its loop.  OSError: EBADF.

    For system calls on an open file that may hold its inode's lock for long.
    """
    status = os.fstat(fd)
    with inode_of(status.st_dev, status.st_ino).at_work(exclusive=True):
        yield
