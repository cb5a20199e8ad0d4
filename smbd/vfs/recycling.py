"""The recycle folder of a share: what clients delete or replace lies there, until deleted there.

A file is moved, so that it keeps its times, attributes, streams, access list and other names.  It
lies where it lay, below the recycle folder: "a/b.txt" is ".recycle/a/b.txt", and the next of that
name "b (1).txt".  A rename does not leave a file system, so the recycle folder is in the topmost
folder of the share that is on the file's own, as Windows has one on each volume.

Folders and symbolic links are no data: they are deleted.  So is all that lies in a folder of that
name, at any depth.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

from aio.mounted import look_at
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.acl import stored
from smbd.vfs.changes import Entry, take_by_rename
from smbd.vfs.lookup import (
    PROC_FDS,
    Lookup,
    absolute_path_of,
    closed_after,
    closed_on_error,
    join,
)
from smbd.vfs.mounts import one_path
from smbd.vfs.names import MAXIMUM_COMPONENT, comparison_key
from smbd.vfs.visibility import Names

_MOST_NUMBERED = 10_000  # of one name: behind that it gets a random word
_TRIES = 3  # a client that empties the recycle folder may remove what was made for a file
# What link(2) says where there are no hard links, or none of a file of somebody else's.
_NO_LINK = frozenset((errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Kept(NamedTuple):
    """Where a file was kept: absolute paths."""

    place: str
    made: tuple[str, ...]  # the folders that were made for it, outermost first


class _Folder(NamedTuple):
    """An open folder (O_PATH), and where it is."""

    fd: int
    place: str
    made: tuple[str, ...]


class _Taken(NamedTuple):
    """A file's name in the recycle folder, whose descriptor is open."""

    new: Entry
    kept: Kept
    moved: bool  # the old name is gone

    def close(self) -> None:
        os.close(self.new.parent)

    def give_back(self, lookup: Lookup, entry: Entry) -> None:
        """Take the name away again, which the file has in place of `entry`, or beside it."""
        with lookup.index.of_both(entry.parent, self.new.parent) as (old_names, new_names):
            if self.moved:
                take_by_rename(self.new, entry)
                old_names.added(entry.name)
            else:
                self.new.remove()
            new_names.removed(self.new.name)


class Recycle:
    """A share's recycle folder: its name, and the names that are deleted all the same."""

    __slots__ = ("_key", "_name", "_spared")

    def __init__(self, name: str, spared: Names | None = None) -> None:
        self._name = name
        self._key = comparison_key(name)
        self._spared = spared

    def move(self, lookup: Lookup, entry: Entry, parent: str) -> Kept | None:
        """Move a file that is to be deleted; None for what is not kept.  Blocks.

        `parent` is the path of its folder, behind all symbolic links.  NtError, OSError: it is
        where it was.
        """
        if not self._keeps(entry, parent):
            return None
        taken = self._take(lookup, entry, parent, _move)
        taken.close()
        return taken.kept

    @contextlib.contextmanager
    def keeping(self, lookup: Lookup, entry: Entry, parent: str) -> Iterator[Kept | None]:
        """A block in which a file is replaced, with one more name of it in the recycle folder.

        None for what is not kept.  If the block fails that name goes again.  Where a file can have
        one name alone it is moved before, and its old name is free for a moment.
        """
        if not self._keeps(entry, parent):
            yield None
            return
        taken = self._take(lookup, entry, parent, _link)
        try:
            yield taken.kept
        except BaseException:
            taken.give_back(lookup, entry)
            raise
        finally:
            taken.close()

    def _take(
        self, lookup: Lookup, entry: Entry, parent: str, take: Callable[[Entry, Entry], bool]
    ) -> "_Taken":
        for _ in range(_TRIES - 1):
            with contextlib.suppress(FileNotFoundError):
                return self._try(lookup, entry, parent, take)
        return self._try(lookup, entry, parent, take)

    def _try(
        self, lookup: Lookup, entry: Entry, parent: str, take: Callable[[Entry, Entry], bool]
    ) -> "_Taken":
        folder = self._open(lookup, entry.parent, parent)
        with (
            closed_on_error(folder.fd),
            lookup.index.of_both(entry.parent, folder.fd) as (old_names, new_names),
        ):
            for candidate in _candidates(entry.name):
                new = Entry(folder.fd, candidate)
                if new_names.find(candidate) is None:
                    with contextlib.suppress(FileExistsError):
                        moved = take(entry, new)
                        break
            new_names.added(new.name)
            if moved:
                old_names.removed(entry.name)
            return _Taken(new, Kept(f"{folder.place}/{new.name}", folder.made), moved)

    def _keeps(self, entry: Entry, parent: str) -> bool:
        if self._key in map(comparison_key, (entry.name, *parent.split("/"))):
            return False
        if self._spared is not None and self._spared.mean(entry.name):
            return False
        return stat.S_ISREG(entry.status().st_mode)

    def _open(self, lookup: Lookup, beside: int, parent: str) -> _Folder:
        """The folder for what lies in `parent`, which is open as `beside`; it is made if need be.

        Each part that is made gets mode and access list of the folder that it stands for.
        """
        top, names = _topmost(lookup, beside, parent)
        with closed_after(lookup.exact(top)) as at_top:
            fd, place = os.dup(at_top), one_path(absolute_path_of(at_top)).rstrip("/")
        made: list[str] = []
        sources = accumulate(names, join, initial=top)
        # The recycle folder has one name alone: what lies in it must be known to do so.
        wanted = (iter([self._name]), *map(_candidates, names))
        with contextlib.ExitStack() as at_error:
            at_error.callback(lambda: os.close(fd))
            for candidates, source in zip(wanted, sources, strict=True):
                below, found, is_new = _enter(lookup, fd, candidates, source)
                os.close(fd)
                fd, place = below, f"{place}/{found}"
                if is_new:
                    made.append(place)
            at_error.pop_all()
        return _Folder(fd, place, tuple(made))


def _topmost(lookup: Lookup, beside: int, parent: str) -> tuple[str, list[str]]:
    """The topmost folder that is on the file system of `beside`, and the names from there to it."""
    here, names = look_at(beside), parent.split("/") if parent else []
    for depth in range(len(names)):
        path = "/".join(names[:depth])
        with closed_after(lookup.exact(path)) as fd:
            look = look_at(fd)
        if (look.st_dev, look.mount) == (here.st_dev, here.mount):
            return path, names[depth:]
    return parent, []


def _enter(
    lookup: Lookup, parent: int, candidates: Iterator[str], source: str
) -> tuple[int, str, bool]:
    """The folder that the first of some names means in `parent`, or the next one.

    (descriptor, name, whether it was made).  A name that something else has is passed over;
    OSError(ENOTDIR) where none is left.
    """
    with lookup.index.of(parent) as names:
        for candidate in candidates:
            there = names.find(candidate)
            if there is not None and comparison_key(there) == comparison_key(candidate):
                with contextlib.suppress(NotADirectoryError):
                    return os.open(there, _FOLDER, dir_fd=parent), there, False
                continue
            try:
                os.mkdir(candidate, 0o700, dir_fd=parent)
            except FileExistsError:  # by another program, this moment
                with contextlib.suppress(NotADirectoryError):
                    return os.open(candidate, _FOLDER, dir_fd=parent), candidate, False
                continue
            names.added(candidate)
            fd = os.open(candidate, _FOLDER, dir_fd=parent)
            try:
                _guard_alike(lookup, fd, source)
            except BaseException:
                os.close(fd)
                raise
            return fd, candidate, True
    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def _guard_alike(lookup: Lookup, fd: int, source: str) -> None:
    """Give a new folder the mode and the access list of another one."""
    with closed_after(lookup.exact(source)) as guarded:
        mode = stat.S_IMODE(os.fstat(guarded).st_mode)
        if not lookup.has_proc:
            return  # it stays the server's user's own
        target = f"{PROC_FDS}/{fd}"
        try:
            os.setxattr(target, stored.NAME, os.getxattr(f"{PROC_FDS}/{guarded}", stored.NAME))
        except OSError as error:
            if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}:
                raise
        os.chmod(target, mode)  # noqa: PTH101 -- a descriptor's path


def _move(entry: Entry, new: Entry) -> bool:
    """Move a file; FileExistsError if the name is taken."""
    try:
        take_by_rename(entry, new)
    except NtError as error:
        if error.status == NtStatus.OBJECT_NAME_COLLISION:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        raise
    return True


def _link(entry: Entry, new: Entry) -> bool:
    """Give a file one more name, or move it (True) where it cannot have two; FileExistsError."""
    try:
        entry.link(new)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return _move(entry, new)
    return False


def _candidates(name: str) -> Iterator[str]:
    """The names under which a file of this name may lie: itself, and numbered ones."""
    yield name
    stem, period, extension = name.rpartition(".")
    stem, extension = (stem, period + extension) if stem else (name, "")
    for number in range(1, _MOST_NUMBERED):
        yield _numbered(stem, f" ({number})", extension)
    while True:
        yield _numbered(stem, f" ({secrets.token_hex(8)})", extension)


def _numbered(stem: str, number: str, extension: str) -> str:
    if len(os.fsencode(extension)) > MAXIMUM_COMPONENT // 2:
        stem, extension = stem + extension, ""
    room = MAXIMUM_COMPONENT - len(os.fsencode(number + extension))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + number + extension
