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

from aio.kernel.libc import ffi


class Inode:
    """The calls at work on one file, away from the loop; any thread may count."""

    __slots__ = ("__weakref__", "_device", "_working", "exclusive")

    def __init__(self, device: int) -> None:
        self._device = device
        self.exclusive = 0  # calls that may keep readers out
        self._working = ffi.new("int32_t *")

    @property
    def working(self) -> int:
        """Those, and calls that may keep writers alone out."""
        count: int = self._working[0]
        return count

    @property
    def address(self) -> int:
        """Where `working` lies in memory, as an int32_t: for C that asks without the GIL."""
        return int(ffi.cast("uintptr_t", self._working))

    @contextmanager
    def at_work(self, *, exclusive: bool, strains: bool = False) -> Iterator[None]:
        """Count a call for as long as it lasts; `strains`: see `is_strained`."""
        self.begin(exclusive=exclusive, strains=strains)
        try:
            yield
        finally:
            self.end(exclusive=exclusive, strains=strains)

    def begin(self, *, exclusive: bool, strains: bool = False) -> None:
        """Count a call, until `end`."""
        with _lock:
            self.exclusive += exclusive
            self._working[0] += 1
            if strains:
                _strains[self._device] = _strains.get(self._device, 0) + 1

    def end(self, *, exclusive: bool, strains: bool = False) -> None:
        """It counts no longer."""
        with _lock:
            self.exclusive -= exclusive
            self._working[0] -= 1
            if strains:
                _strains[self._device] -= 1
                if not _strains[self._device]:
                    del _strains[self._device]


_lock = threading.Lock()
_inodes: WeakValueDictionary[tuple[int, int], Inode] = WeakValueDictionary()
_strains: dict[int, int] = {}  # st_dev -> the calls at work there that strain it


def is_strained(device: int) -> bool:
    """Whether a call is at work, away from the loop, that keeps a file system's journal busy.

    A flush, a copy, a truncation or an allocation: a change of names may wait until it is done.
    """
    return device in _strains


def inode_of(device: int, number: int) -> Inode:
    """The Inode of st_dev and st_ino, one and the same for as long as anybody holds it."""
    with _lock:
        inode = _inodes.get((device, number))
        if inode is None:
            inode = _inodes[device, number] = Inode(device)
        return inode


@contextmanager
def busy(fd: int, *, strains: bool = False) -> Iterator[None]:
    """While this lasts, in any thread, no engine tries this file in its loop.  OSError: EBADF.

    For system calls on an open file that may hold its inode's lock for long, and maybe strain the
    file system.
    """
    status = os.fstat(fd)
    with inode_of(status.st_dev, status.st_ino).at_work(exclusive=True, strains=strains):
        yield
