"""A share's root directory: every name that a client says is opened and made here.

Lookups are confined (confine.py); what moves and removes names is in naming.py.
"""

import contextlib
import os
import stat
from itertools import count
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Self

from aio import kernel
from aio.leaky_bucket import LeakyBucket
from aio.mounted import Look, known_type, look_at, look_for, look_of
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import confine
from smbd.vfs.blocking import open_may_wait, shows_others
from smbd.vfs.file import File
from smbd.vfs.file_systems import FileSystems
from smbd.vfs.information import raw_status
from smbd.vfs.lookup import (
    Found,
    Lookup,
    absolute_path_of,
    closed_after,
    closed_on_error,
)
from smbd.vfs.mounts import learn_mounts, one_path
from smbd.vfs.naming import Naming
from smbd.vfs.place import Place, Unheard, place_at_once, place_for
from smbd.vfs.rules import NO_RULES, Rules
from smbd.vfs.volume import describe_volume
from smbd.wire.fscc import Volume

# So often at most the loop looks whether something was mounted over a share.
_SIGHT = 0.1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 10.0

_numbers = count(1)


class Glimpse(NamedTuple):
    """A name that the kernel has in its caches, and all that is shown of its file."""

    found: Found  # the caller closes the descriptor
    raw: bytes  # as `kernel.statx_of` takes it
    began: float  # monotonic


class Root(Naming):
    """The directory that a share serves.  Every method may be called from any thread.

    Raises OSError if there is no such directory.  `streams` says whether files may have named
    streams, `rules` what else it does with names and deletions.
    openat2=False forces the walk that stands in for openat2 where the kernel lacks it.
    """

    # An open of a cached name takes 15 us (measured); one on a network file system or FUSE takes
    # a round trip, and the event loop would stand still for each.  On a busy machine a quick one
    # may take long as well, when others get the processor: that is not counted where the kernel
    # tells it, and the pause after a slow one is short, and doubles only as long as the next one
    # is slow again.
    SLOW_OPEN = 0.002  # seconds

    def __init__(
        self,
        path: str | Path,
        read_only: bool = False,
        name: str = "",
        *,
        streams: bool = True,
        rules: Rules = NO_RULES,
        openat2: bool = True,
    ) -> None:
        learn_mounts()
        self.path = Path(path)
        self.number = next(_numbers)  # of all folders that were opened
        self.name = name
        self.hide = rules.hide
        super().__init__(Lookup(path, veto=rules.veto, openat2=openat2), rules, read_only=read_only)
        self.uses_openat2 = self.lookup.uses_openat2
        self.has_streams = streams and self.lookup.has_proc  # as far as the file system has
        with contextlib.ExitStack() as at_error:
            at_error.callback(self.lookup.close)
            label = os.fsencode(f"{name}\0{self.path.resolve()}")
            self.file_systems = FileSystems(self.lookup.fd, label, self.hide)
            self.file_systems.learn(self.lookup.fd, look_at(self.lookup.fd))
            at_error.pop_all()
        self._cached_again_at = self._look_again_at = 0.0
        self._pause = _FIRST_PAUSE
        self._waited = LeakyBucket()  # how long opens in the loop have; for a processor not counted

    def close(self) -> None:
        """Close the root; open files stay open.  A second call does nothing."""
        self.lookup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.close()

    @property
    def absolute_path(self) -> str:
        """The absolute path of the directory, by the kernel; one for all mounts that show it."""
        path = one_path(absolute_path_of(self.lookup.fd))
        return "" if path == "/" else path or str(self.path)

    def is_at_path(self) -> bool:
        """Whether the share's path still names this directory.  Blocks; OSError without one."""
        there, here = look_for(self.path), look_at(self.lookup.fd)
        return (there.st_dev, there.st_ino, there.mount) == (here.st_dev, here.st_ino, here.mount)

    def check_in_sight(self) -> None:
        """Raises NtError(NETWORK_NAME_DELETED) if something was mounted over the directory.
        Blocks.

        The client connects again, and then sees that: nothing is to be written below it.
        """
        try:
            there, here = look_for(self.path), look_at(self.lookup.fd)
        except OSError:
            return  # gone or moved: clients that work in it go on
        if there.mount != here.mount:
            raise NtError(NtStatus.NETWORK_NAME_DELETED)

    def _is_covered(self) -> bool:
        """As `check_in_sight`, as far as that can be seen without waiting."""
        found = confine.find_cached_anywhere(self.path)
        if found is None:
            return False
        with closed_after(found):
            return look_at(found).mount != look_at(self.lookup.fd).mount

    def is_seen(self, now: float) -> bool:
        """Whether nothing is mounted over the directory, as far as the last look tells; `now` is
        monotonic.  False may say nothing as well: it has to be looked for by a worker.
        """
        if now < self._look_again_at:
            return True
        self._look_again_at = now + _SIGHT
        return not self._is_covered()

    def volume(self, file: File, *, read_only: bool = False) -> Volume:
        """The file system that an open file is on, called as the share; OSError.

        `read_only` to the one who asks: the share itself may be for others to write to.
        """
        file = file.described
        file_system = self.file_systems.learn(file.fd, look_at(file.fd))
        return describe_volume(
            file.fd,
            self.lookup.fd,
            self.name,
            file_system,
            read_only=read_only or self.read_only,
            streams=self.has_streams,
        )

    def open(self, path: str, read: bool, write: bool) -> File:
        """Open a file or directory that exists; with neither `read` nor `write` only its metadata.

        The name as spelled goes before any other spelling.  A directory ignores `write`.  Raises
        NtError: OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND (a parent is missing or no directory),
        ACCESS_DENIED (a symlink out of the share; neither file nor directory; `write` in a
        read-only share).  BlockingIOError: another program holds a lease on the file, and was told
        to give it up; OSError for the rest.
        """
        found = self.lookup.find(path)
        with closed_on_error(found.fd):
            look = look_at(found.fd)
            self.file_systems.learn(found.fd, look)
        return self._opened(found, look, read=read, write=write)

    def open_cached(self, path: str, read: bool, write: bool) -> File | None:
        """As `open`, for a caller that cannot wait; None: try again with `open`.

        Only for a name as spelled that the kernel knows already, on a file system of which it is
        known that opening a known inode waits for nothing.  It may wait all the same: after an open
        that took long this answers None for a while.
        """
        glimpse = self.glimpse(path)
        return None if glimpse is None else self.open_glimpsed(glimpse, read, write)

    def glimpse(self, path: str) -> Glimpse | None:
        """The first half of `open_cached`: nothing is opened yet, and `waited` is to follow."""
        began = monotonic()
        if began < self._cached_again_at or not self.lookup.has_proc:
            return None
        found = self.lookup.cached(path) if self.is_seen(began) else None
        if found is None:
            return None
        try:
            return Glimpse(found, raw_status(found.fd), began)
        except BaseException:
            os.close(found.fd)
            raise

    def open_glimpsed(self, glimpse: Glimpse, read: bool, write: bool) -> File | None:
        """The second half, by which the descriptor is closed or kept."""
        found, raw, began = glimpse
        seen = kernel.statx_of(raw)
        look = look_of(seen)
        known = self.file_systems.known(look.st_dev, look.mount)
        kind = known_type(look)
        if known is None or open_may_wait(kind, write=write):
            os.close(found.fd)
            return None
        try:
            file = self._opened(found, look, read=read, write=write)
        except BlockingIOError:
            return None
        if not shows_others(kind):
            file.seen = raw, seen
        self.waited(began)
        return file

    def cached_until(self, now: float) -> float:
        """Until when (monotonic) `lookup.fd` is enough to find what the kernel has in its caches.

        0 if not now: `glimpse` finds out more.
        """
        lookup = self.lookup
        if (
            now < self._cached_again_at
            or not lookup.has_proc
            or not lookup.has_cache
            or lookup.veto is not None
            or not self.is_seen(now)
        ):
            return 0.0
        return self._look_again_at

    def waited(self, began: float, ended: float | None = None) -> None:
        """An open that the loop has begun then has ended (default: now): if it was slow, a pause
        follows.
        """
        ended = monotonic() if ended is None else ended
        if ended - began < self.SLOW_OPEN:
            self._waited.look(ended)
            self._pause = _FIRST_PAUSE
        elif self._waited.add(ended - began, ended) >= self.SLOW_OPEN:
            self._waited.clear()
            self._cached_again_at = began + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _opened(self, found: Found, look: Look, *, read: bool, write: bool) -> File:
        """The File of a lookup's result; its descriptor is closed or kept here."""
        fd, path, crossed = found
        if not self.lookup.has_proc:
            read = True  # where metadata cannot be reached through O_PATH
        opened = fd
        try:
            symlink = self.lookup.symlink(path) if crossed else ""
            write = _is_regular(look.st_mode) and write
            if write:
                self.check_writable()
            if read or write:
                flags = (os.O_RDWR if read else os.O_WRONLY) if write else os.O_RDONLY
                opened = self.lookup.reopen(fd, path, flags, look, wait=False)
        except BaseException:
            os.close(fd)
            raise
        if opened != fd:
            os.close(fd)
        file = File(self, path, opened, look, read=read, write=write)
        if crossed:
            file.crossed, file.symlink = crossed, symlink
        return file

    def create(self, path: str, directory: bool) -> File:
        """Make a file (open for reading and writing) or a directory (for reading), exclusively.

        Errors as Place.create says.
        """
        self.check_writable()
        with self.place(path) as place:
            return place.create(Unheard(), directory=directory)

    def place(self, path: str) -> Place:
        """Where a new file of that path would be.  Raises NtError(OBJECT_PATH_NOT_FOUND); OSError.

        At the path of the root itself there is no place: OBJECT_NAME_COLLISION; at a vetoed one
        neither: ACCESS_DENIED.
        """
        if not path:
            raise NtError(NtStatus.OBJECT_NAME_COLLISION)
        self.check_name(path.rpartition("/")[2])
        return place_for(self, path)

    def place_at_once(self, path: str) -> Place | None:
        """The same without waiting, if the loop may make the file now; None if not."""
        if self.lookup.veto is not None and self.lookup.veto.mean_any(path):
            return None
        return place_at_once(self, path)


def _is_regular(mode: int) -> bool:
    """Whether it is a file, not a directory; NtError(ACCESS_DENIED) if neither.

    A FIFO would block its open and a device could do anything at all: they are not even tried.
    """
    if stat.S_ISREG(mode):
        return True
    if not stat.S_ISDIR(mode):
        raise NtError(NtStatus.ACCESS_DENIED)
    return False
