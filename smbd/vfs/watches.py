"""What other processes do to files and directories, as the kernel tells it: fanotify, or inotify.

fanotify says which process did it, so what the server did itself is known for certain.  inotify
does not, and puts several changes of a file into one event: there nothing can be known for certain.
Both have a mark on each inode that is looked after, and none on whole file systems: that would
need CAP_SYS_ADMIN, and wake the server for every write of every program.
"""

import errno
import os
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from aio import kernel
from aio.mounted import learn_type, look_at
from smbd.vfs.blocking import asks_others
from smbd.vfs.lookup import closed_after
from smbd.vfs.names import is_store

T = TypeVar("T")
Key: TypeAlias = Hashable  # by which events name what was marked

_ROOM = 1 << 14  # some 300 events: 1 ms of work
_NAMES = kernel.IN_CREATE | kernel.IN_DELETE
_OF_BOTH = kernel.IN_MODIFY | kernel.IN_ATTRIB | kernel.IN_MOVE_SELF
# Writes through a mapping (mmap) and by io_submit are no events, but the end of the mapping and of
# the descriptor is one.
_OF_FILE = _OF_BOTH | kernel.IN_CLOSE_WRITE
_OF_DIRECTORY = _OF_BOTH | _NAMES | kernel.IN_DELETE_SELF
_MOVES = kernel.IN_MOVED_FROM | kernel.IN_MOVED_TO
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_ITSELF = b"."  # fanotify's name of a directory that an event is about


class Seen(NamedTuple):
    """One thing that happened; at least one of the keys is that of a mark."""

    mask: int  # what happened, several things at once maybe: IN_*, or FAN_RENAME
    ours: bool = False  # the server did it
    directory: Key | None = None  # where
    name: str = ""  # of what, there; "": of what is marked itself
    subject: Key | None = None  # what; None: not told
    new_directory: Key | None = None  # of a rename: None if it is not marked
    new_name: str = ""

    @property
    def is_directory(self) -> bool:
        """Whether it is about a directory."""
        return bool(self.mask & kernel.IN_ISDIR)


class Watches(Protocol):
    """The marks of this server, and the events that come of them."""

    name: str
    tells_ours: bool  # whether an event says that the server itself did it
    fd: int  # readable when there are events

    def mark(self, fd: int, *, directory: bool) -> Key:
        """Have events of an open file or directory told, once however often it is called.

        May be called in any thread, and waits for nothing on a local file system.  OSError.
        """

    def unmark(self, key: Key, path: str) -> None:
        """Have events of a directory told no more; it was at this path last.  Blocks; OSError."""

    def unmark_open(self, key: Key, fd: int, *, directory: bool) -> None:
        """The same of an open file or directory; on a local file system it waits for nothing."""

    def read(self) -> list[Seen]:
        """The next events: [] if there are none."""

    def close(self) -> None:
        """End all marks."""


class Fanotify:
    """The best that there is: since Linux 5.13, and not in a container with Docker's defaults."""

    name = "fanotify"
    tells_ours = True

    def __init__(self) -> None:
        self.fd = kernel.fanotify_init()
        self._pid = os.getpid()
        self._moves = kernel.FAN_RENAME

    def mark(self, fd: int, *, directory: bool) -> Key:
        """As Watches says."""
        key = kernel.handle_of(fd)
        if not directory:
            kernel.fanotify_add_mark(self.fd, _OF_FILE, fd)
            return key
        try:
            kernel.fanotify_add_mark(self.fd, self._of_directory(), fd)
        except OSError as error:
            if error.errno != errno.EINVAL or self._moves == _MOVES:
                raise
            self._moves = _MOVES  # before Linux 5.17
            kernel.fanotify_add_mark(self.fd, self._of_directory(), fd)
        return key

    def unmark(self, key: Key, path: str) -> None:
        """As Watches says."""
        with closed_after(os.open(path, _DIRECTORY)) as fd:
            self.unmark_open(key, fd, directory=True)

    def unmark_open(self, key: Key, fd: int, *, directory: bool) -> None:
        """As Watches says."""
        if kernel.handle_of(fd) == key:
            kernel.fanotify_remove_mark(
                self.fd, self._of_directory() if directory else _OF_FILE, fd
            )

    def read(self) -> list[Seen]:
        """As Watches says."""
        return [
            Seen(
                event.mask,
                event.pid == self._pid,
                event.directory or None,
                _name(event.name),
                event.subject or (event.directory if event.name == _ITSELF else None),
                event.new_directory or None,
                _name(event.new_name),
            )
            for event in kernel.fanotify_events(_read(self.fd))
        ]

    def close(self) -> None:
        """As Watches says."""
        os.close(self.fd)

    def _of_directory(self) -> int:
        return _OF_DIRECTORY | self._moves | kernel.FAN_EVENT_ON_CHILD | kernel.FAN_ONDIR


class Inotify:
    """What there is everywhere."""

    name = "inotify"
    tells_ours = False

    def __init__(self) -> None:
        self.fd = kernel.inotify_init()

    def mark(self, fd: int, *, directory: bool) -> Key:
        """As Watches says."""
        mask = _OF_DIRECTORY | _MOVES if directory else _OF_FILE
        return kernel.inotify_add_watch(self.fd, mask, fd)

    def unmark(self, key: Key, path: str) -> None:  # noqa: ARG002 -- Watches
        """As Watches says."""
        assert isinstance(key, int)
        kernel.inotify_rm_watch(self.fd, key)

    def unmark_open(self, key: Key, fd: int, *, directory: bool) -> None:  # noqa: ARG002 -- Watches
        """As Watches says."""
        self.unmark(key, "")

    def read(self) -> list[Seen]:
        """As Watches says."""
        return list(_paired(kernel.inotify_events(_read(self.fd))))

    def close(self) -> None:
        """As Watches says."""
        os.close(self.fd)


KINDS: tuple[type[Fanotify | Inotify], ...] = (Fanotify, Inotify)


def open_watches() -> tuple[list[Watches], str]:
    """All that there is here, the best one first; and why there is not more."""
    found: list[Watches] = []
    reasons: list[str] = []
    for kind in KINDS:
        try:
            found.append(kind())
        except OSError as error:
            reasons.append(f"{kind.name}: {error.strerror}")
    return found, "; ".join(reasons)


def walk(
    top: int, below: str, mark: Callable[[int], T], may_go_on: Callable[[], bool]
) -> Iterator[tuple[str, T, bool]]:
    """Mark a directory and all below it: (path from `top`, mark, whether something is in it) each.

    `below` is the path from the open directory `top` to the first one, "" for itself.  No symbolic
    link is followed.  Left out are directories that cannot be read, and the store of streams.
    Blocks; OSError of `mark`.
    """
    left = [below]
    while left and may_go_on():
        path = left.pop()
        try:
            fd = _open_below(top, path)
        except OSError:
            continue  # gone, or not for us
        with closed_after(fd):
            made = mark(fd)  # first: what comes into it from now on is told
            with os.scandir(fd) as entries:
                filled = False
                for entry in entries:
                    filled = filled or not is_store(entry.name)
                    if not is_store(entry.name) and entry.is_dir(follow_symlinks=False):
                        left.append(f"{path}/{entry.name}" if path else entry.name)
        yield path, made, filled


def _open_below(top: int, path: str) -> int:
    """An open directory, found without following a symbolic link."""
    fd = os.open(".", _DIRECTORY, dir_fd=top)
    for name in path.split("/") if path else ():
        with closed_after(fd):
            fd = os.open(name, _DIRECTORY, dir_fd=fd)
    return fd


def describe(path: Path) -> str:
    """How changes below a directory would be heard of, and what comes of it; for people.  OSError.

    Blocks.
    """
    found, reasons = open_watches()
    try:
        with closed_after(os.open(path, _DIRECTORY & ~os.O_NOFOLLOW)) as fd:
            look = look_at(fd)
            learn_type(fd, look)
            for watches in found:
                try:
                    watches.mark(fd, directory=True)
                except OSError as error:
                    reasons += f"{'; ' if reasons else ''}{watches.name}: {error.strerror}"
                    continue
                return _description(watches, reasons, elsewhere=asks_others(look))
    finally:
        for watches in found:
            watches.close()
    return f"not seen, so clients cache nothing ({reasons})"


def _description(watches: Watches, reasons: str, *, elsewhere: bool) -> str:
    why = f" ({reasons})" if reasons else ""
    if elsewhere:
        return f"{watches.name}{why}, of this machine alone, so clients cache nothing"
    if watches.tells_ours:
        return f"{watches.name}{why}"
    return f"{watches.name}{why}, which does not say whose they are, so clients cache nothing"


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _ROOM)
    except BlockingIOError:
        return b""


def _name(name: bytes) -> str:
    return "" if name == _ITSELF else os.fsdecode(name)


def _paired(events: Iterator[kernel.InotifyEvent]) -> Iterator[Seen]:
    """The two halves of a rename as one; a half whose other did not follow is one of its own."""
    half: kernel.InotifyEvent | None = None
    for event in events:
        if half is not None:
            kind = half.mask & kernel.IN_ISDIR
            if event.mask & kernel.IN_MOVED_TO and event.cookie == half.cookie:
                yield Seen(
                    kernel.FAN_RENAME | kind,
                    directory=half.wd,
                    name=os.fsdecode(half.name),
                    new_directory=event.wd,
                    new_name=os.fsdecode(event.name),
                )
                half = None
                continue
            yield _single(half)
            half = None
        if event.mask & kernel.IN_MOVED_FROM:
            half = event
        else:
            yield _single(event)
    if half is not None:
        yield _single(half)


def _single(event: kernel.InotifyEvent) -> Seen:
    name = os.fsdecode(event.name)
    if name:
        return Seen(event.mask, directory=event.wd, name=name)
    return Seen(event.mask, subject=event.wd)
