"""Who watches which directory, and what has happened there since: [MS-FSA] 2.1.1.8, 2.1.4.1.

Whatever changes something through the server reports it here, by one call.  What other processes do
to the disk is not seen.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from smbd.ntstatus import NtError
from smbd.vfs import File, path_to_name
from smbd.wire.change_notify import CompletionFilter, FileAction, pack_notify_information

# A watcher that never asks again must not eat the memory: what would not fit into so many bytes of
# answer makes it look for itself.  Explorer's own buffer has a quarter of it.
_MOST_BUFFERED = 65536
_ENTRY = 12  # NextEntryOffset, Action, FileNameLength

# What a WRITE changes; CLOSE reports it (Open.unreported).
WRITTEN = CompletionFilter.LAST_WRITE | CompletionFilter.SIZE

# What Windows reports beside the new name of a file, not of a directory (Samba's notify_rename, and
# smb2.notify.mask-change); who is told of the name hears nothing more (smb2.notify.rec).
_RENAMED_FILE = CompletionFilter.ATTRIBUTES | CompletionFilter.CREATION


@dataclass(slots=True, eq=False)
class NotifyWait:
    """A CHANGE_NOTIFY's place in the line: the first is answered with all there is.

    As a context manager it is given up at the end, whatever that is.
    """

    entry: "ChangeNotifyEntry"
    wake: Callable[[], None] = lambda: None  # called, maybe again, when it is first and may go

    def give_up(self) -> None:
        """Leave the line."""
        self.entry.waits.remove(self)
        self.entry.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_up()


@dataclass(slots=True, eq=False)
class ChangeNotifyEntry:
    """[MS-FSA] 2.1.1.8: what one open directory is watched for.

    The first request on the handle decides it for all that follow (2.1.5.11), its buffer's size
    included: Windows allocates the buffer then.
    """

    completion_filter: int
    watch_tree: bool
    capacity: int  # bytes, as they would be on the wire
    waits: deque[NotifyWait] = field(default_factory=deque)
    _events: list[tuple[int, str]] = field(default_factory=list)  # NotifyEventList
    _size: int = 0
    _overflowed: bool = False
    _ended: int = 0  # the status that all get from now on

    @property
    def ready(self) -> bool:
        """Whether there is something to answer."""
        return bool(self._events or self._overflowed or self._ended)

    def add(self, action: int, name: str) -> None:
        """Keep an event; one that only says again what the last one said tells nothing new."""
        if self._overflowed or (self._events and self._events[-1] == (action, name)):
            return
        self._size += _ENTRY + 2 * len(name) + 3 & ~3
        if self._size > min(self.capacity, _MOST_BUFFERED):
            self._events.clear()
            self._overflowed = True
        else:
            self._events.append((action, name))
        self.wake()

    def end(self, status: int) -> None:
        """Answer every request, those that wait too, with this."""
        self._ended = status
        self.wake()

    def wait(self) -> NotifyWait:
        """Stand in line for what comes."""
        self.waits.append(NotifyWait(self))
        return self.waits[-1]

    def wake(self) -> None:
        """Let the first of the line go, if there is something for him."""
        if self.waits and self.ready:
            self.waits[0].wake()

    def take(self, limit: int) -> bytes | None:
        """FILE_NOTIFY_INFORMATION of all events; None where they do not fit: NOTIFY_ENUM_DIR.

        Either way the client is told, and the buffer empty.  Raises what `end` was given.
        """
        if self._ended:
            raise NtError(self._ended)
        answer = None
        if not self._overflowed:
            answer = pack_notify_information(self._events, min(limit, self.capacity))
        self._events, self._size, self._overflowed = [], 0, False
        return answer


@dataclass(slots=True)
class ChangeNotifyList:
    """The directories that are watched, for the whole server.

    By the path on disk, so that shares that lie within one another see each other's changes.
    """

    _entries: dict[str, list[tuple[File, ChangeNotifyEntry]]] = field(default_factory=dict)

    def watch(self, directory: File, entry: ChangeNotifyEntry) -> None:
        """Report to `entry` from now on."""
        self._entries.setdefault(_where(directory), []).append((directory, entry))

    def end(self, entry: ChangeNotifyEntry, status: int) -> None:
        """A watched directory's handle is closed, or the directory goes away."""
        for where, watchers in self._entries.items():
            kept = [one for one in watchers if one[1] is not entry]
            if len(kept) < len(watchers):
                self._entries[where] = kept
                if not kept:
                    del self._entries[where]
                break
        entry.end(status)

    def added(self, file: File, path: str | None = None) -> None:
        """A file or directory has been made, or got one more name, its `path`."""
        self._report(_where(file, path), FileAction.ADDED, _name_filter(file))

    def removed(self, file: File) -> None:
        """A file or directory is gone."""
        self._report(_where(file), FileAction.REMOVED, _name_filter(file))

    def modified(self, file: File, changed: int) -> None:
        """Something else than a name has changed: bits of CompletionFilter."""
        self._report(_where(file), FileAction.MODIFIED, changed)

    def renamed(self, file: File, old_path: str) -> None:
        """A file or directory has now its path, in place of the old one."""
        if not self._entries:
            return
        old, new = _where(file, old_path), _where(file)
        if file.is_directory:
            self._rename_watched()
        named = _name_filter(file)
        if old.rpartition("/")[0] == new.rpartition("/")[0]:
            self._report(old, FileAction.RENAMED_OLD_NAME, named)
            self._report(new, FileAction.RENAMED_NEW_NAME, named)
        else:
            self._report(old, FileAction.REMOVED, named)
            self._report(new, FileAction.ADDED, named)
        if not file.is_directory:
            self._report(new, FileAction.MODIFIED, _RENAMED_FILE, unless=named)

    def _rename_watched(self) -> None:
        """Find the watched directories' places anew: one of them may have moved."""
        watched = [one for watchers in self._entries.values() for one in watchers]
        self._entries = {}
        for directory, entry in watched:
            self.watch(directory, entry)

    def _report(self, where: str, action: int, changed: int, unless: int = 0) -> None:
        """[MS-FSA] 2.1.4.1: tell who watches the parent, or with WATCH_TREE a folder above it.

        Not who watches the very thing that changed: the specification has that too, but neither
        Windows nor Samba does so (smb2.notify.basedir).
        """
        if not self._entries:
            return
        directory, directly = where, True
        while directory:
            directory = directory.rpartition("/")[0]
            for _, entry in self._entries.get(directory, ()):
                wanted = entry.completion_filter
                if wanted & changed and not wanted & unless and (directly or entry.watch_tree):
                    entry.add(action, path_to_name(where[len(directory) + 1 :]))
            directly = False


def _where(file: File, path: str | None = None) -> str:
    """The path on disk, as configured: no look at the disk."""
    top = str(file.root.path).rstrip("/")
    path = file.path if path is None else path
    return f"{top}/{path}" if path else top


def _name_filter(file: File) -> int:
    return CompletionFilter.DIR_NAME if file.is_directory else CompletionFilter.FILE_NAME
