"""Directories that clients watch, and the events they are told of: [MS-FSA] 2.1.1.8, 2.1.4.1.

Whatever changes something through the server reports it here, by one call; what other processes do
to the disk comes from `local`, by paths on the disk.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from smbd.ntstatus import NtError, NtStatus
from smbd.state.event_log import Event, EventLog, EventMemory
from smbd.state.waits import QueueEntry
from smbd.vfs import File, Names, path_to_name
from smbd.wire.change_notify import CompletionFilter, FileAction, pack_notify_information

_ALL = 0xFFF  # what CompletionFilter has bits for
# Filters and depths that one directory is watched with.  A change is written down once for each;
# clients know a handful.
_MOST_WAYS = 64

# What a WRITE changes.  CLOSE and FLUSH report it (Open.unreported): WRITE itself has no time for
# it, and a watcher of a large copy would be told a thousand times.  Windows too tells of sizes and
# write times when its cache is flushed, not at each write.
WRITTEN = CompletionFilter.LAST_WRITE | CompletionFilter.SIZE

# How each half of a rename is told where the other one may not be.
_ALONE = {
    FileAction.RENAMED_OLD_NAME: FileAction.REMOVED,
    FileAction.RENAMED_NEW_NAME: FileAction.ADDED,
}

# What Windows reports beside the new name of a file, not of a directory (Samba's notify_rename, and
# smb2.notify.mask-change); a watcher of names hears nothing of these (smb2.notify.rec).
RENAMED_FILE = CompletionFilter.ATTRIBUTES | CompletionFilter.CREATION


@dataclass(slots=True, eq=False)
class ChangeNotifyEntry:
    """[MS-FSA] 2.1.1.8: what one open directory is watched for.

    The first request on the handle decides it for all that follow (2.1.5.11), its buffer's size
    included: Windows allocates the buffer then.
    """

    directory: File
    completion_filter: int
    watch_tree: bool
    capacity: int  # bytes, as they would be on the wire
    veto: Names | None = None  # the names that its share keeps from clients
    is_local: bool = False  # whether it is told of what other processes do: LocalChanges
    # The first of these requests is answered with all there is.
    waits: deque[QueueEntry] = field(default_factory=deque)
    _log: EventLog = field(default_factory=EventLog)
    _position: tuple[int, int] = (0, 0)  # how far it has read
    _left: list[Event] | None = field(default_factory=list)  # unread when it ended; None: too much
    _ended: bool = False

    def join(self, log: EventLog) -> None:
        """Read what comes there from now on."""
        self._log = log
        self._position = log.read_to_end()
        log.readers[self] = None

    def leave(self) -> EventLog:
        """Read no more of what comes; what came is told all the same.  The log that was left."""
        self._left, self._ended = self._unread(), True
        self._log.forget(self)
        return self._log

    @property
    def where(self) -> str:
        """The path of the directory on disk."""
        return self._log.where

    @property
    def ready(self) -> bool:
        """Whether there is something to answer."""
        return self._left != [] if self._ended else self._log.has_more(self._position)

    def end(self, status: int) -> None:
        """Answer all that wait with this, but the one that has been woken for events."""
        for entry in tuple(self.waits):
            entry.end(status)

    def wait(self) -> QueueEntry:
        """Queue a request for the events that come."""
        entry = QueueEntry(queue=self)
        self.waits.append(entry)
        self.wake()
        return entry

    def remove(self, entry: QueueEntry) -> None:
        """For QueueEntry.give_up."""
        if entry in self.waits:
            self.waits.remove(entry)
            self.wake()
            self._log.go_on()

    def wake(self) -> bool:
        """Let the first in the queue go, if there is something for it, or as soon as there is.

        Whether it goes on now.
        """
        if self.waits and self.ready:
            self.waits[0].end()
            return True
        if self.waits and not self._ended:
            self._log.waiting[self] = None
        return False

    def take(self, limit: int) -> bytes | None:
        """FILE_NOTIFY_INFORMATION of all events; None where they do not fit: NOTIFY_ENUM_DIR.

        Either way the client is told, and nothing is left unread.
        """
        events = self._unread()
        self._left = []
        if not self._ended:
            self._position = self._log.read_to_end()
            self._log.forget_read()
        return (
            None if events is None else pack_notify_information(events, min(limit, self.capacity))
        )

    def _unread(self) -> list[Event] | None:
        return self._left if self._ended else self._log.since(self._position, self.capacity)


@dataclass(slots=True)
class ChangeNotifyList:
    """The directories that are watched, for the whole server.

    By the absolute path (File.place), which is one whatever symbolic link leads there, and in
    whatever share: a watcher hears of all that is done in its directory.
    """

    # Told of each change that was made through the server (action, path on disk) and of each
    # directory that moved with its watchers (old path, new path).
    on_change: Callable[[int, str], None] | None = None
    on_move: Callable[[str, str], None] | None = None
    _entries: dict[str, list[EventLog]] = field(default_factory=dict)
    _memory: EventMemory = field(default_factory=EventMemory)

    @property
    def any(self) -> bool:
        """Whether any directory is watched."""
        return bool(self._entries)

    def watch(self, entry: ChangeNotifyEntry) -> None:
        """Report to it from now on; INSUFFICIENT_RESOURCES where others watch in many ways."""
        where = entry.directory.place
        way = entry.completion_filter & _ALL, entry.watch_tree
        logs = self._entries.get(where, [])
        for log in logs:
            if (log.completion_filter, log.watch_tree) == way and log.veto is entry.veto:
                entry.join(log)
                return
        if len(logs) >= _MOST_WAYS:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        log = EventLog(*way, where, veto=entry.veto, memory=self._memory)
        self._entries.setdefault(where, logs).append(log)
        entry.join(log)

    def end(self, entry: ChangeNotifyEntry, status: int) -> None:
        """A watched directory's handle is closed."""
        log = entry.leave()
        if not log.readers:
            log.clear()
            logs = self._entries[log.where]
            logs.remove(log)
            if not logs:
                del self._entries[log.where]
        entry.end(status)

    def added(self, file: File, place: str = "") -> None:
        """A file or directory has been made, or got one more name: that as an absolute path."""
        if self._entries:
            self._report(FileAction.ADDED, place or file.place_of_name, _name_filter(file))

    def appeared(self, place: str, *, directory: bool) -> None:
        """Something that nobody has open has come to an absolute path."""
        if self._entries:
            self._report(FileAction.ADDED, place, name_filter(directory=directory))

    def vanished(self, place: str, *, directory: bool) -> None:
        """Something that nobody has open is gone from an absolute path."""
        if self._entries:
            self._report(FileAction.REMOVED, place, name_filter(directory=directory))

    def removed(self, file: File) -> None:
        """A file or directory is gone."""
        if self._entries:
            self._report(FileAction.REMOVED, file.place_of_name, _name_filter(file))

    def modified(self, file: File, changed: int) -> None:
        """Something else than a name has changed: bits of CompletionFilter."""
        if self._entries:
            self._report(FileAction.MODIFIED, file.place, changed)

    def renamed(self, file: File, old: str) -> None:
        """A file or directory has its place in place of the old one, an absolute path."""
        if not self._entries:
            return
        new, named = file.place_of_name, _name_filter(file)
        if file.is_directory:
            self.move(old, new)
        if old.rpartition("/")[0] == new.rpartition("/")[0]:
            self._report(FileAction.RENAMED_OLD_NAME, old, named)
            self._report(FileAction.RENAMED_NEW_NAME, new, named)
        else:
            self._report(FileAction.REMOVED, old, named)
            self._report(FileAction.ADDED, new, named)
        if not file.is_directory:
            self._report(FileAction.MODIFIED, new, RENAMED_FILE, unless=named)

    def move(self, old: str, new: str) -> None:
        """The watched directories that moved, or lie in one that did, are found under new paths."""
        if self.on_move is not None:
            self.on_move(old, new)
        below = old + "/"
        for where in [one for one in self._entries if one == old or one.startswith(below)]:
            logs = self._entries.pop(where)
            moved = new + where[len(old) :]
            for log in logs:
                log.where = moved
            self._entries.setdefault(moved, []).extend(logs)

    def lose(self, where: str | None = None) -> None:
        """Tell those that watch this path, or a folder above it, to look for themselves.

        None: all that watch.
        """
        if where is None:
            lost = [log for logs in self._entries.values() for log in logs]
        else:
            lost = list(self._entries.get(where, ()))
            while where := where.rpartition("/")[0]:
                lost += [log for log in self._entries.get(where, ()) if log.watch_tree]
        for log in lost:
            log.lose()

    def _report(self, action: int, where: str, changed: int, *, unless: int = 0) -> None:
        if self.on_change is not None:
            self.on_change(action, where)
        self.tell(action, where, changed, unless)

    def tell(self, action: int, where: str, changed: int, unless: int = 0) -> None:
        """[MS-FSA] 2.1.4.1: tell watchers of the parent, or with WATCH_TREE of a folder above it.

        The specification tells watchers of the changed directory itself, too.  Samba does not, nor
        does its test expect that of Windows (smb2.notify.basedir).
        """
        directory = where
        directly = True
        while directory:
            directory = directory.rpartition("/")[0]
            logs = self._entries.get(directory)
            name = path_to_name(where[len(directory) + 1 :]) if logs else ""
            for log in logs or ():
                wanted = log.completion_filter
                if wanted & changed and not wanted & unless and (directly or log.watch_tree):
                    if log.veto is None:
                        log.add(action, name)
                    elif not log.veto.mean_any(where[len(directory) + 1 :]):
                        # Of a rename the other name may be vetoed.
                        log.add(_ALONE.get(action, action), name)
            directly = False


def name_filter(*, directory: bool) -> int:
    """The bit of CompletionFilter for names of such things."""
    return CompletionFilter.DIR_NAME if directory else CompletionFilter.FILE_NAME


def _name_filter(file: File) -> int:
    return name_filter(directory=file.is_directory)
