"""What is left in a store when a server was killed, or when a file was removed that referred to it.

A file in the store is alive while some file of the share refers to it.  Most are found at once, by
the path in their record.  For the rest all of the share is looked through, twice: a file that was
renamed out of the one walk's way is met by the other.  What nothing refers to then goes.
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
    """One look at the stores of a share; `grace` in seconds.  Blocks; OSError."""

    root: Root
    grace: float = GRACE
    removed: int = 0
    _undecided: dict[str, str] = field(default_factory=dict)  # numbers, with the store's directory
    _found: dict[str, list[str]] = field(default_factory=dict)  # of those, with what refers to them

    def steps(self) -> Iterator[None]:
        """Each step takes some microseconds, or for a large directory as long as its listing."""
        yield from self._look_into("")
        # Where no store can be made in the root they lie beside the files.
        beside = not os.access(".", os.W_OK | os.X_OK, dir_fd=self.root.lookup.fd)
        if not self._undecided and not beside:
            return
        for _ in range(2):
            yield from self._walk()
            for number in self._found:
                self._undecided.pop(number, None)
        yield from self._note_owners()
        in_use = content.places_in_use()
        for number, directory in self._undecided.items():
            if number not in in_use:
                with contextlib.suppress(FileNotFoundError), self._in(directory) as fd:
                    os.unlink(f"{STREAM_STORE}/{number}", dir_fd=fd)
                    self.removed += 1
            yield

    def _in(self, path: str) -> contextlib.AbstractContextManager[int]:
        return closed_after(self.root.lookup.exact(path))

    def _look_into(self, directory: str) -> Iterator[None]:
        """Find the files of a store whose owner is not where it was."""
        with self._in(directory) as fd:
            opened = store.open_store(fd)
        if opened is None:
            return
        with closed_after(opened) as fd:
            for number in filter(_NUMBER.fullmatch, _entries(fd)):
                if not self._is_alive(fd, number):
                    self._undecided[number] = directory
                yield

    def _is_alive(self, directory: int, number: str) -> bool:
        if number in content.places_in_use():
            return True
        try:
            fd = os.open(number, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except FileNotFoundError:
            return True  # gone meanwhile
        with closed_after(fd):
            if time.time() - os.fstat(fd).st_ctime < self.grace:
                return True
            record = store.load_record(fd)
        return record is not None and number in self._referred_at(record.owner.path)

    def _referred_at(self, path: str) -> set[str]:
        try:
            with self.root.open(path, read=False, write=False) as file:
                return _references(f"{PROC_FDS}/{file.fd}")
        except (NtError, OSError):
            return set()

    def _walk(self) -> Iterator[None]:
        """Look at every file and directory of the share; a symbolic link is none of them."""
        waiting = [""]
        self._note(f"{PROC_FDS}/{self.root.lookup.fd}", "")
        while waiting:
            directory = waiting.pop()
            try:
                with self._in(directory) as fd:
                    reading = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone meanwhile
            with closed_after(reading) as fd:
                for name in _entries(fd):
                    path = join(directory, name)
                    if is_store(name):
                        if directory:
                            yield from self._look_into(directory)
                    elif self._note(f"{PROC_FDS}/{fd}/{name}", path):
                        waiting.append(path)
                    yield

    def _note(self, target: str, path: str) -> bool:
        """Note what a file refers to; whether it is a directory."""
        try:
            mode = os.lstat(target).st_mode if path else stat.S_IFDIR
            if stat.S_ISLNK(mode):
                return False
            for number in _references(target) & self._undecided.keys():
                self._found.setdefault(number, []).append(path)
        except FileNotFoundError:
            return False
        return stat.S_ISDIR(mode)

    def _note_owners(self) -> Iterator[None]:
        """Where the owner has gone the next sweep looks there; a copy becomes the owner."""
        for number, paths in self._found.items():
            with contextlib.suppress(NtError, OSError):
                if not any(self._adopt(number, path, only=True) for path in paths):
                    self._adopt(number, paths[0], only=False)
            yield

    def _adopt(self, number: str, path: str, *, only: bool) -> bool:
        """Have the record say where a file is, `only` if that is the owner; whether it does."""
        with self.root.open(path, read=False, write=False) as file:
            fd = store.open_content(file, Reference(number), write=False)
            with closed_after(fd):
                record, owner = store.load_record(fd), store.owner_of(file)
                was = None if record is None else (record.owner.inode, record.owner.born)
                if only and was != (owner.inode, owner.born):
                    return False
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
