"""Changes made on the machine itself: what the kernel tells of them, and the watchers to be told.

Each directory that a client watches has a mark, and with WATCH_TREE each one below it.  A mark
knows the places of its directory: its paths on disk, as the watchers have them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from aio import kernel
from smbd.share import Workers
from smbd.state.aside import PATIENCE, Aside, Told
from smbd.state.deadlines import Deadlines
from smbd.state.guards import Guards
from smbd.state.marks import Counts, Mark, Marker, Watched
from smbd.state.notify import (
    RENAMED_FILE,
    WRITTEN,
    ChangeNotifyEntry,
    ChangeNotifyList,
    name_filter,
)
from smbd.state.opens import OpenTable
from smbd.vfs import Key as FileKey
from smbd.vfs.names import is_store
from smbd.vfs.watches import Key, Seen, Watches
from smbd.wire.change_notify import CompletionFilter, FileAction

_GONE = kernel.IN_DELETE | kernel.IN_MOVED_FROM
_COME = kernel.IN_CREATE | kernel.IN_MOVED_TO
_ENDED = kernel.IN_IGNORED | kernel.IN_DELETE_SELF
# chmod, chown, utimes, setxattr, and the count of links: the kernel does not say which.
_ATTRIBUTES = (
    CompletionFilter.ATTRIBUTES
    | CompletionFilter.LAST_WRITE
    | CompletionFilter.LAST_ACCESS
    | CompletionFilter.CREATION
    | CompletionFilter.EA
    | CompletionFilter.SECURITY
)


@dataclass(slots=True)
class LocalChanges:
    """All marks of the server, by the keys of events and by place."""

    notify: ChangeNotifyList
    opens: OpenTable
    guards: Guards
    deadlines: Deadlines
    marker: Marker | None = None  # None: nothing is looked after
    by: str = ""  # the ways in which the kernel tells of changes, for people
    counts: Counts = field(default_factory=Counts)
    walks: int = 0  # of the marker's, under way
    strays: bool = False  # whether something happened meanwhile in a place not known yet
    moves: int = 0  # of directories, counted
    _marks: dict[Key, Mark] = field(default_factory=dict)
    _at: dict[str, Mark] = field(default_factory=dict)
    _watched: dict[str, Watched] = field(default_factory=dict)
    _aside: Aside = field(default_factory=Aside)

    def __post_init__(self) -> None:
        self.notify.on_move = self.moved

    def __len__(self) -> int:
        return len(self._marks)

    def is_marked(self, key: Key) -> bool:
        """Whether events by this key are wanted."""
        return key in self._marks or self.guards.is_marked(key)

    # --- what is watched ---

    def watch(self, entry: ChangeNotifyEntry, workers: Workers) -> None:
        """Look after the directory of a watcher, until `unwatch`; `workers` are its share's."""
        if self.marker is None:
            return
        entry.is_local = True
        watched = self._watched.get(entry.where)
        if watched is None:
            watched = self._watched[entry.where] = Watched(entry.where, workers)
        watched.users += 1
        watched.deep += entry.watch_tree
        if watched.users == 1 or (entry.watch_tree and watched.deep == 1):
            self.marker.begin(watched, entry.directory)

    def unwatch(self, entry: ChangeNotifyEntry) -> None:
        """Look no more after the directory of a watcher that has ended."""
        watched = self._watched.get(entry.where)
        if not entry.is_local or watched is None or self.marker is None:
            return
        entry.is_local = False
        watched.users -= 1
        watched.deep -= entry.watch_tree
        if not watched.users:
            del self._watched[entry.where]
        if entry.watch_tree and not watched.deep:
            self._drop_unwanted(entry.where)
        elif not watched.users and not self.is_wanted(entry.where):
            self._drop(entry.where)
        if not watched.users:
            self.marker.end(watched)

    def is_wanted(self, place: str) -> bool:
        """Whether somebody watches a place, or a place above it with all that lies below."""
        return place in self._watched or self._tree_of(place) is not None

    def _tree_of(self, place: str) -> Watched | None:
        while place:
            watched = self._watched.get(place)
            if watched is not None and watched.deep:
                return watched
            place = place.rpartition("/")[0]
        return None

    def put(self, place: str, key: Key, watches: Watches) -> None:
        """Note the mark of the directory that lies at a place."""
        mark = self._marks.get(key)
        if mark is None:
            mark = self._marks[key] = Mark(key, watches)
        if not self.is_wanted(place):
            self._release(mark, place)
        elif self._at.get(place) is not mark:
            self._drop(place)
            mark.places[place] = None
            self._at[place] = mark

    def _drop(self, place: str) -> None:
        mark = self._at.pop(place, None)
        if mark is not None:
            del mark.places[place]
            self._release(mark, place)

    def _release(self, mark: Mark, place: str) -> None:
        if not mark.places and self._marks.pop(mark.key, None) is not None and self.marker:
            self.marker.unmark(mark, place)

    def _drop_unwanted(self, below: str) -> None:
        for place in self._below(below):
            if not self.is_wanted(place):
                self._drop(place)

    def _below(self, place: str) -> list[str]:
        """The place itself, and all below it that have marks."""
        prefix = place + "/"
        return [one for one in self._at if one == place or one.startswith(prefix)]

    def moved(self, old: str, new: str) -> None:
        """A directory, with all that lies in it, has another place."""
        self.moves += 1
        prefix = old + "/"
        for where in [one for one in self._watched if one == old or one.startswith(prefix)]:
            watched = self._watched.pop(where)
            watched.where = new + where[len(old) :]
            self._watched[watched.where] = watched
        for place in self._below(old):
            mark = self._at.pop(place)
            del mark.places[place]
            self.put(new + place[len(old) :], mark.key, mark.watches)

    # --- what has happened ---

    def heard(self, seen: Seen, watches: Watches, now: float) -> None:
        """Take in one event of the kernel's: tell watchers, and break leases."""
        self.counts.events += 1
        self.counts.ours += seen.ours
        if seen.mask & kernel.IN_Q_OVERFLOW:
            self.counts.overflows += 1
            self._aside.clear()
            self.notify.lose()
            self.guards.lost(now)
            return
        if seen.mask & _ENDED and seen.subject in self._marks:
            self._ended(self._marks[seen.subject])
        places = self._places(seen, seen.directory)
        new_places = self._places(seen, seen.new_directory)
        if is_store(seen.name) or is_store(seen.new_name):
            return  # of streams: no client sees it
        if not seen.ours:
            if watches.tells_ours:
                self.guards.heard(seen, now)
            due = None if watches.tells_ours else now + PATIENCE
            for told in _happened(seen, places, new_places):
                self._tell(told, due)
        if seen.is_directory and (seen.name or seen.new_name):
            self._follow(seen, places, new_places)

    def done(self, told: Told, keys: Iterable[FileKey], now: float) -> None:
        """Take in what this process has done itself, for no client: a test, say.

        `keys` are those of the files and directories that are others by it.
        """
        for key in keys:
            self.guards.changed(key, now)
        self.notify.tell(*told)

    def _places(self, seen: Seen, key: Key | None) -> list[str]:
        mark = self._marks.get(key) if key is not None else None
        if mark is not None:
            return list(mark.places)
        if key is not None and not seen.ours and self.walks:
            self.strays = True
        return []

    def _tell(self, told: Told, due: float | None) -> None:
        if due is None:
            self.notify.tell(*told)
            return
        if not self._aside:
            self.deadlines.at(due, lambda: self._tell_aside(due))
        self._aside.put(told, due)

    def _tell_aside(self, now: float) -> None:
        written: set[str] | None = None
        for told in self._aside.pop(now):
            if told.action == FileAction.MODIFIED:
                if written is None:
                    written = {one.file.place for one in self.opens if one.unreported}
                if told.where in written:
                    continue  # CLOSE or FLUSH will tell it
            self.notify.tell(*told)
        due = self._aside.next
        if due is not None:
            self.deadlines.at(due, lambda: self._tell_aside(due))

    def ours(self, action: int, where: str) -> None:
        """The server reports a change of its own; its events have been heard by now."""
        for told in self._aside.ours(action, where) if self._aside else ():
            self.notify.tell(*told)

    def _follow(self, seen: Seen, places: list[str], new_places: list[str]) -> None:
        """A directory has come, gone or moved: its places, and those below it, with it."""
        if seen.mask & kernel.FAN_RENAME:
            self.moves += 1
            gone = [f"{place}/{seen.name}" for place in places if seen.name]
            come = [f"{place}/{seen.new_name}" for place in new_places]
            if gone and come and not seen.ours:  # ours is told by `moved`
                self.notify.move(gone[0], come[0])
        else:
            gone = [f"{place}/{seen.name}" for place in places if seen.mask & _GONE]
            come = [f"{place}/{seen.name}" for place in places if seen.mask & _COME]
        for place in gone:
            # What is removed is empty.  To look for what moved along takes 5 ms with 65,536 marks.
            moves = seen.mask & (kernel.FAN_RENAME | kernel.IN_MOVED_FROM) and place in self._at
            for one in self._below(place) if moves else (place,):
                if one not in self._watched:
                    self._drop(one)
        for place in come:
            tree = self._tree_of(place)
            if tree is not None and self.marker is not None and place not in self._at:
                self.marker.look(tree, place, fresh=not seen.ours)

    def _ended(self, mark: Mark) -> None:
        """The kernel has removed a mark, with its inode or file system."""
        for place in mark.places:
            del self._at[place]
        mark.places.clear()
        del self._marks[mark.key]

    def walked(self, watched: Watched, *, unheard: bool) -> None:
        """A walk of the marker is over; `unheard`: it has met something that nobody was told of."""
        self.walks -= 1
        if unheard or self.strays:
            self.notify.lose(watched.where)
        self.strays = self.strays and self.walks > 0


def _happened(seen: Seen, places: list[str], new_places: list[str]) -> list[Told]:
    """What the watchers are to be told of an event.

    fanotify puts what one process did to one name into one event, without the order: that something
    is gone comes first, since to look for something that is not there does no harm.
    """
    mask, told = seen.mask, []
    named = name_filter(directory=seen.is_directory)
    old = [f"{place}/{seen.name}" for place in places if seen.name]
    new = [f"{place}/{seen.new_name}" for place in new_places]
    if mask & kernel.FAN_RENAME:
        within = seen.directory == seen.new_directory
        gone = FileAction.RENAMED_OLD_NAME if within else FileAction.REMOVED
        come = FileAction.RENAMED_NEW_NAME if within else FileAction.ADDED
        told += [Told(gone, where, named) for where in old]
        told += [Told(come, where, named) for where in new]
        if not seen.is_directory:
            told += [Told(FileAction.MODIFIED, where, RENAMED_FILE, named) for where in new]
    if mask & _GONE:
        told += [Told(FileAction.REMOVED, where, named) for where in old]
    if mask & _COME:
        told += [Told(FileAction.ADDED, where, named) for where in old]
    changed = (WRITTEN if mask & kernel.IN_MODIFY else 0) | (
        _ATTRIBUTES if mask & kernel.IN_ATTRIB else 0
    )
    if changed:
        told += [Told(FileAction.MODIFIED, where, changed) for where in old]
    return told
