"""Files that clients cache while other processes may change them: those take the caching away.

A share with `watch = true` lets a client cache a file only once the kernel is asked to tell of what
others do to it, with certainty that it was not the server.  By then the file may have been changed
since the server looked at it last: the caller of `guard` looks again.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

from aio import kernel
from smbd.state.caching import Operation
from smbd.state.files import FileTable
from smbd.vfs import File, Key
from smbd.vfs.watches import Seen

_CHANGES = kernel.IN_MODIFY | kernel.IN_ATTRIB | kernel.IN_CLOSE_WRITE


class Guardian(Protocol):
    """Marks files, which state does not."""

    def guard(self, file: File) -> Hashable | None:
        """Mark an open file or directory, and wait for nothing: the key of its events.

        None if that cannot be, or if events would not say who it was.
        """

    def unguard(self, mark: Hashable, file: File) -> None:
        """Remove the mark."""


@dataclass(slots=True)
class Guards:
    """The files that are guarded, by their keys and by those of events."""

    files: FileTable
    guardian: Guardian | None = None  # None: no file can be guarded
    _marks: dict[Key, Hashable] = field(default_factory=dict)
    _keys: dict[Hashable, Key] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._marks)

    def __contains__(self, file: File) -> bool:
        """Whether nobody can change a file unheard.

        A stream's data is the server's own for as long as it is open.
        """
        return file.key in self._marks or file.stream is not None

    def is_marked(self, mark: Hashable) -> bool:
        """Whether events by this key are wanted."""
        return mark in self._keys

    def guard(self, file: File) -> bool:
        """Guard a file until nobody has it open; whether that can be done."""
        if file in self:
            return True
        if self.guardian is None or file.asks_others:
            return False
        mark = self.guardian.guard(file)
        if mark is None:
            return False
        self.files.on_forget = self._forget
        self._marks[file.key] = mark
        self._keys[mark] = file.key
        return True

    def drop_unused(self, file: File) -> None:
        """End the guard of a file that has no open, since its CREATE was refused."""
        if self._marks and file.key in self._marks and self.files.of(file) is None:
            self._forget(file)

    def _forget(self, file: File) -> None:
        """Nobody has a file open any more."""
        mark = self._marks.pop(file.key, None)
        if mark is not None:
            del self._keys[mark]
            if self.guardian is not None:
                self.guardian.unguard(mark, file)

    def heard(self, seen: Seen, now: float) -> None:
        """Break what clients cache of a file that another process has changed."""
        subject = self._keys.get(seen.subject)
        if subject is not None:
            if seen.mask & _CHANGES:
                self._break(subject, Operation.CHANGE, now)
            if seen.mask & kernel.IN_MOVE_SELF:
                self._break(subject, Operation.REMOVE, now)
        for mark in (seen.directory, seen.new_directory):
            directory = self._keys.get(mark)
            if directory is not None:
                self._break(directory, Operation.CHANGE, now)

    def changed(self, key: Key, now: float) -> None:
        """Break what clients cache of any file that has been changed beside them."""
        self._break(key, Operation.CHANGE, now)

    def lost(self, now: float) -> None:
        """Break all caching of guarded files: the kernel has lost events."""
        for key in self._marks:
            self._break(key, Operation.CHANGE, now)

    def _break(self, key: Key, operation: Operation, now: float) -> None:
        """Nobody waits for the clients: what was done is done."""
        state = self.files.by_key(key)
        if state is not None and state.cachings.keepers:
            wait = state.cachings.contend(operation, None, now)
            if wait is not None:
                wait.give_up()
