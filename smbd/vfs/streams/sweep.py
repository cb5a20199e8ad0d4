"""What is left in a store when a server was killed, or when a file was removed that referred to it.

A file in the store is alive while some file refers to it.  Most are found at once, by the path in
their record.  For the rest all shares are looked through, twice: what was renamed out of the one
walk's way is met by the other.  What nothing refers to then goes.
"""

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from smbd.ntstatus import NtError
from smbd.vfs.lookup import PROC_FDS, closed_after, join
from smbd.vfs.names import STREAM_STORE, is_store
from smbd.vfs.root import Root
from smbd.vfs.streams import attribute, content, store
from smbd.vfs.streams.attribute import Reference

# Seconds that a new file may wait for its reference: another server may serve the same directory.
GRACE = 600.0
_NUMBER = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Sweep:
    """One look at stores: `look` into each, `walk` through all shares twice, and `finish`.

    These give steps of some microseconds; the listing of a large directory is one, too.  All block.
    An OSError says that not everything could be seen: nothing is to be removed then.
    """

    grace: float = GRACE
    removed: int = 0
    undecided: dict[str, Root] = field(default_factory=dict)  # numbers, with the store's share
    _found: dict[str, list[tuple[Root, str]]] = field(default_factory=dict)  # what refers to them

    def look(self, root: Root) -> Iterator[None]:
        """Find the files in a share's store whose owner is not where it was."""
        opened = store.open_store(root.lookup.fd)
        if opened is None:
            return
        with closed_after(opened) as fd:
            in_use = content.places_in_use()
            for number in filter(_NUMBER.fullmatch, _entries(fd)):
                if number not in in_use and not self._is_alive(root, fd, number):
                    self.undecided[number] = root
                yield

    def _is_alive(self, root: Root, directory: int, number: str) -> bool:
        try:
            fd = os.open(number, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except FileNotFoundError:
            return True  # gone meanwhile
        with closed_after(fd):
            if time.time() - os.fstat(fd).st_ctime < self.grace:
                return True
            record = store.load_record(fd)
        if record is None:
            return False
        try:
            with root.open(record.owner.path, read=False, write=False) as file:
                return number in _references(f"{PROC_FDS}/{file.fd}")
        except (NtError, OSError):
            return False

    def walk(self, root: Root) -> Iterator[None]:
        """Look at every file and directory of a share; a symbolic link is none of them."""
        waiting = [""]
        self._note(root, f"{PROC_FDS}/{root.lookup.fd}", "")
        while waiting:
            directory = waiting.pop()
            try:
                with closed_after(root.lookup.exact(directory)) as fd:
                    reading = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone meanwhile
            with closed_after(reading) as fd:
                for name in _entries(fd):
                    path = join(directory, name)
                    is_directory = self._note(root, f"{PROC_FDS}/{fd}/{name}", path)
                    if is_directory and not is_store(name):
                        waiting.append(path)
                    yield

    def _note(self, root: Root, target: str, path: str) -> bool:
        """Note what a file refers to; whether it is a directory."""
        try:
            mode = os.lstat(target).st_mode if path else stat.S_IFDIR
            if stat.S_ISLNK(mode):
                return False
            for number in _references(target) & self.undecided.keys():
                self._found.setdefault(number, []).append((root, path))
        except FileNotFoundError:
            return False
        return stat.S_ISDIR(mode)

    def finish(self) -> Iterator[None]:
        """Remove what nothing refers to; the rest will be found by its record."""
        for number, places in self._found.items():
            home = self.undecided.pop(number)
            # A file of the store's own share before others; a copy becomes the owner last.
            places.sort(key=lambda place: place[0] is not home)
            with contextlib.suppress(NtError, OSError):
                if not any(_adopt(number, home, *place, only=True) for place in places):
                    _adopt(number, home, *places[0], only=False)
            yield
        in_use = content.places_in_use()
        for number, root in self.undecided.items():
            if number not in in_use:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{STREAM_STORE}/{number}", dir_fd=root.lookup.fd)
                    self.removed += 1
            yield


def _adopt(number: str, home: Root, root: Root, path: str, *, only: bool) -> bool:
    """Have the record say where a file is, `only` if that is the owner; whether it does."""
    with (
        root.open(path, read=False, write=False) as file,
        closed_after(store.open_content(file, Reference(number), write=False)) as fd,
    ):
        record, owner = store.load_record(fd), store.owner_of(file)
        was = None if record is None else (record.owner.inode, record.owner.born)
        if only and was != (owner.inode, owner.born):
            return False
        if root is not home:
            store.move(number, home.lookup.fd, root.lookup.fd)
        store.save_record(fd, owner)
    return True


def _references(target: str) -> set[str]:
    """The numbers that the attributes of a file refer to; OSError."""
    found = set()
    for name in map(os.fsencode, _names(target)):
        if name.startswith(attribute.PREFIX):
            with contextlib.suppress(FileNotFoundError):
                value = attribute.load(target, name)
                if isinstance(value, Reference):
                    found.add(value.number)
    return found


def _entries(fd: int) -> list[str]:
    with os.scandir(fd) as found:
        return [one.name for one in found]


def _names(target: str) -> list[str]:
    try:
        return os.listxattr(target)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return []
