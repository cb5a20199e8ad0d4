"""Where a new file is to be: its directory, opened once for all that a CREATE wants of it."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING, Protocol, Self

from aio import kernel
from aio.mounted import look_at, look_of
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.at_once import AtOnce
from smbd.vfs.changes import Entry
from smbd.vfs.file import File, Key
from smbd.vfs.index import DirectoryIndex
from smbd.vfs.information import raw_status_of, status_as_known
from smbd.vfs.lookup import closed_on_error, join

if TYPE_CHECKING:
    from smbd.vfs.root import Root


class Maker(Protocol):
    """Hears of what a worker makes, before anybody else can have opened it."""

    def at(self, place: str) -> AbstractContextManager[None]:
        """A block in which a file is made, whose File.place is this."""

    def makes(self, key: Key) -> None:
        """The file that is made, inside of the block, or a stream, has this File.key."""


class Unheard:
    """The Maker of what nobody hears of: no client opens anything meanwhile."""

    def at(self, _place: str) -> AbstractContextManager[None]:
        """As Maker has it."""
        return nullcontext()

    def makes(self, _key: Key) -> None:
        """As Maker has it."""


class Place:
    """The directory that a name is to be in, open for as long as a block lasts, and the name."""

    __slots__ = ("_at_once", "_began", "_idle", "_names", "_taken", "directory", "name")

    def __init__(self, directory: File, name: str, at_once: AtOnce | None) -> None:
        self.directory = directory
        self.name = name
        self._at_once = at_once
        self._began = perf_counter()
        self._idle: float | None = None  # seconds, of what C has done
        self._taken = False  # by the loop ...
        self._names: DirectoryIndex | None = None  # ... with its names, if any are known

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.leave()

    def leave(self) -> None:
        """End the block."""
        if self._names is not None:
            self._names.lock.release()
        if self._taken and self._at_once is not None:
            if self._idle is None:
                self._at_once.made(self._began)
            else:
                self._at_once.waited(self._idle)
        self.directory.close()

    def create(self, maker: Maker, *, directory: bool) -> File:
        """Make a file (open for reading and writing) or a directory (for reading), exclusively.

        Blocks.  Raises NtError: OBJECT_NAME_COLLISION if the name is there in any spelling,
        OBJECT_PATH_NOT_FOUND, ACCESS_DENIED in a read-only share; OSError.
        """
        self.directory.root.check_writable()
        if not self.name:
            raise NtError(NtStatus.OBJECT_NAME_COLLISION)
        with self.directory.root.lookup.index.of(self.directory.fd) as names:
            there = names.find(self.name)
            if there is not None:
                self.directory.root.check_name(there)  # whose short name it is
                raise NtError(NtStatus.OBJECT_NAME_COLLISION)
            began = perf_counter()
            with maker.at(f"{self.directory.place}/{self.name}"):
                fd = Entry(self.directory.fd, self.name).create(directory=directory)
                file = self._made(fd, directory=directory)
                maker.makes(file.identity)
            names.added(self.name)
        if self._at_once is not None:
            self._at_once.returned(began)
        return file

    def take(self, status: kernel.Statx) -> bool:
        """Have the loop alone change the directory until the block ends; False if it must wait."""
        names = self.directory.root.lookup.index.get((status.dev, status.ino))
        if names is not None:
            if not names.lock.acquire(blocking=False):
                return False
            names.begin(self.directory.fd, (status.mtime_ns, status.ctime_ns))
            self._names = names
        self._taken = True
        return True

    def create_at_once(self, *, directory: bool) -> File | None:
        """As `create`, after `take`; None if the directory has to be read first."""
        self.directory.root.check_writable()
        names = self._names
        if names is None or not names.is_free_now(self.name):
            return None
        fd = Entry(self.directory.fd, self.name).create(directory=directory)
        names.added_free(self.name)
        return self._made(fd, directory=directory)

    def holds(self, file: File) -> bool:
        """Whether the name is that of an open file, and of no other.  OSError."""
        try:
            status = Entry(self.directory.fd, self.name).status()
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == file.identity

    def remove_at_once(self, *, directory: bool = False) -> None:
        """Remove the name, after `take`; errors as Root.remove."""
        self.directory.root.check_writable()
        if directory:
            os.rmdir(self.name, dir_fd=self.directory.fd)
        else:
            os.unlink(self.name, dir_fd=self.directory.fd)
        if self._names is not None:
            self._names.removed(self.name)

    def removed_beside(self, names: Sequence[str], idle: float) -> None:
        """C has removed names after `take`, or none; the slowest has waited for so many seconds."""
        self._idle, self._taken = idle, bool(names)
        if self._names is not None and names:
            self._names.removed(*names)

    def _made(self, fd: int, *, directory: bool) -> File:
        root = self.directory.root
        with closed_on_error(fd):
            seen = raw_status_of(fd)
            status = kernel.statx_of(seen)
            look = look_of(status)
            if root.file_systems.known(look.st_dev, look.mount) is None:
                root.file_systems.learn(fd, look)
        path = join(self.directory.path, self.name)
        file = File(root, path, fd, look, read=True, write=not directory)
        file.seen = seen, status
        file.created_in = self.directory.identity
        file.crossed = self.directory.crossed
        return file


def place_for(root: "Root", path: str) -> Place:
    """The place of a path.  Blocks; NtError(OBJECT_PATH_NOT_FOUND), OSError."""
    parent, _, name = path.rpartition("/")
    fd, parent, crossed = root.lookup.find_directory(parent)
    with closed_on_error(fd):
        look = look_at(fd)
        root.file_systems.learn(fd, look)
    directory = File(root, parent, fd, look, read=False, write=False)
    directory.crossed = crossed
    return Place(directory, name, root.file_systems.at_once(look.st_dev))


def place_at_once(root: "Root", path: str) -> Place | None:
    """The place of a path, taken, where the loop may change it now; None: see `place_for`."""
    parent, _, name = path.rpartition("/")
    began = perf_counter()
    found = root.lookup.cached(parent) if name and root.is_seen(began) else None
    if found is None:
        return None
    fd, _, crossed = found
    try:
        seen = status_as_known(fd)
        at_once = root.file_systems.at_once(seen.dev)
        if at_once is not None and at_once.admits(fd, began):
            directory = File(root, parent, fd, look_of(seen), read=False, write=False)
            directory.crossed = crossed
            place = Place(directory, name, at_once)
            if directory.is_directory and place.take(seen):
                return place
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None
