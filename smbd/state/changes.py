"""Names that are about to change: reserved from the check to the end of the act.

The event loop checks an operation (share modes, pending deletions, opens inside a folder) and a
worker carries it out; other requests may come between.  So a deletion, rename, link, truncation or
mark for deletion reserves its files with the check; it is a Change until the worker is done.  A
CREATE that finds a reserved file waits for the end, and looks again.

A CREATE opens in a worker too, before it can be checked.  It is a Flight meanwhile, and a file
whose Change ended meanwhile may be gone or moved: the CREATE has to look at it again as well.  So
has one that has opened what another CREATE was making (see making.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self, TypeVar

from smbd.state.making import Making, Makings
from smbd.state.waits import Wait
from smbd.vfs import File, Key

T = TypeVar("T")
# What ended is remembered for the oldest flight, which a disk that hangs may keep up for hours.
# Beyond this it is forgotten, and every CREATE that was away then looks again.
_MOST_ENDED, _MOST_MOVED = 65_536, 256
Identity = tuple[int, int]  # (device, inode)


@dataclass(slots=True, eq=False)
class Change:
    """An operation under way on some names; as a context manager it ends with the block.

    `files` are reserved for it alone: those whose names go or come, and directories that nobody
    may put anything into.  `folders` get an entry, several changes at a time.  `paths` are the
    absolute paths where something comes or goes, and `moving` those that a directory moves from
    and to, with all that lies in it: what was opened by a symbolic link may be found by either.
    """

    changes: "Changes"
    files: frozenset[Identity]
    folders: frozenset[Identity] = frozenset()
    paths: tuple[str, ...] = ()
    moving: tuple[str, ...] = ()
    _waits: list[Wait] = field(default_factory=list)

    def wait(self) -> Wait:
        """A Wait that is over when this change is."""
        self._waits.append(Wait(for_others=False))
        return self._waits[-1]

    def end(self) -> None:
        """End the change, done or not; what waits for it looks again."""
        self.changes.ended(self)
        for wait in self._waits:
            wait.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


@dataclass(slots=True, eq=False)
class Flight:
    """A CREATE whose worker opens or makes a file: no table knows that file yet."""

    changes: "Changes"
    making: Making  # for the worker to say what it makes
    began: int = 0

    def begin(self) -> None:
        """A worker looks from now on: what ended before that is no news."""
        self.changes.flights.pop(self, None)
        self.changes.flights[self] = None
        self.began = self.changes.moment

    def meets(self, file: File) -> Wait | None:
        """What to wait for before a file that was opened is looked for again; None if nothing."""
        if self.changes.ended_since(self.began, file):
            return Wait(over=True)
        return self.changes.meet(file, self.making)

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.changes.landed(self)


@dataclass(slots=True)
class Changes:
    """Every change under way in the server; in most moments there is none."""

    moment: int = 0  # counts the changes that have ended
    flights: dict[Flight, None] = field(default_factory=dict)  # in the order of their beginning
    _makings: Makings = field(default_factory=Makings)
    _files: dict[Identity, Change] = field(default_factory=dict)
    _folders: dict[Identity, list[Change]] = field(default_factory=dict)
    _moving: dict[str, Change] = field(default_factory=dict)
    # At which moment a change of a file, or of all beneath a path, ended last; oldest first.
    _ended: dict[Key, int] = field(default_factory=dict)
    _moved: dict[str, int] = field(default_factory=dict)
    _forgotten: int = 0  # what ended until this moment is not remembered

    def begin(
        self,
        files: Iterable[Identity],
        folders: Iterable[Identity] = (),
        paths: tuple[str, ...] = (),
        moving: tuple[str, ...] = (),
    ) -> Change | Wait:
        """Reserve; or what to wait for before everything has to be looked at again."""
        change = Change(self, frozenset(files), frozenset(folders), paths, moving)
        hindering = self._hindering(change)
        if hindering is not None:
            return hindering.wait()
        for key in change.files:
            self._files[key] = change
        for key in change.folders:
            self._folders.setdefault(key, []).append(change)
        for path in moving:
            self._moving[path] = change
        return change

    def _hindering(self, change: Change) -> Change | None:
        for key in change.files | change.folders:
            if key in self._files:
                return self._files[key]
        for key in change.files:
            if key in self._folders:
                return self._folders[key][0]
        for path in change.paths:
            above = self._moving_above(path)
            if above is not None:
                return above
        return self._hindering_move(change.moving) if change.moving else None

    def _hindering_move(self, moving: tuple[str, ...]) -> Change | None:
        for path in moving:
            if path in self._moving:
                return self._moving[path]
        prefixes = tuple(path + "/" for path in moving)
        for other in self._files.values():
            if any(path.startswith(prefixes) for path in other.paths):
                return other
        return None

    def _moving_above(self, path: str) -> Change | None:
        for moving, change in self._moving.items():
            if path.startswith(moving + "/"):
                return change
        return None

    @property
    def are_none(self) -> bool:
        """Whether nothing is under way that a file just opened could meet."""
        return not self._files and not (self.flights and self._makings)

    def meet(self, file: File, own: Making | None = None) -> Wait | None:
        """The end of a change under way of a file just opened, or of a folder above it.

        Or of the CREATE that makes it, if that is not the caller's `own`.
        """
        if not self._files and not self.flights:
            return None
        change = self._files.get((file.device, file.inode))
        if change is None and file.created_in is not None:
            change = self._files.get(file.created_in)
        if change is None and self._moving:
            change = self._moving_above(file.absolute_path)
        if change is not None:
            return change.wait()
        if own is not None and own.keys:
            return None  # it is the one that makes it
        making = self._makings.of(file)
        return None if making is None else making.wait()

    def hinders(self, directory: File) -> bool:
        """Whether nothing may be made in a directory now: it is about to change, or one above."""
        if not self._files:
            return False
        return (
            directory.identity in self._files
            or self._moving_above(directory.absolute_path + "/") is not None
        )

    def made(self, key: Key) -> None:
        """A change of one file is made, or the file, which began in this turn: nothing was in its
        way.
        """
        if self.flights:
            self.moment += 1
            _put_last(self._ended, key, self.moment)
            self._forget_if_many()

    def ended_since(self, began: int, file: File) -> bool:
        """Whether a change of this file, or of a folder above it, has ended since a moment."""
        if self.moment == began:
            return False
        if began < self._forgotten:
            return True
        keys = (file.identity, file.key, file.created_in)
        if max(self._ended.get(key, 0) for key in keys if key) > began:
            return True
        later = [path for path, moment in self._moved.items() if moment > began]
        return bool(later) and file.absolute_path.startswith(tuple(path + "/" for path in later))

    def flight(self) -> Flight:
        """A CREATE that is about to leave for a worker, for the length of a block."""
        return Flight(self, Making(self._makings))

    def landed(self, flight: Flight) -> None:
        """A CREATE is over: changes that ended before the others began can be forgotten."""
        del self.flights[flight]
        for key in flight.making.keys:
            self.made(key)
        flight.making.end()
        oldest = next(iter(self.flights)).began if self.flights else self.moment
        _drop_until(self._ended, oldest)
        _drop_until(self._moved, oldest)

    def ended(self, change: Change) -> None:
        """For Change.end."""
        for key in change.files:
            del self._files[key]
        for key in change.folders:
            self._folders[key].remove(change)
            if not self._folders[key]:
                del self._folders[key]
        for path in change.moving:
            del self._moving[path]
        if self.flights:
            self.moment += 1
            for key in change.files:
                _put_last(self._ended, key, self.moment)
            for path in change.moving:
                _put_last(self._moved, path, self.moment)
            self._forget_if_many()

    def _forget_if_many(self) -> None:
        if len(self._ended) > _MOST_ENDED or len(self._moved) > _MOST_MOVED:
            self._forgotten = self.moment
            self._ended.clear()
            self._moved.clear()


def _put_last(log: dict[T, int], name: T, moment: int) -> None:
    log.pop(name, None)
    log[name] = moment


def _drop_until(log: dict[T, int], moment: int) -> None:
    while log:
        first = next(iter(log))
        if log[first] > moment:
            return
        del log[first]
