"""What all opens of one file must agree on: share modes, and the deletions that wait.

A file is known by (device, inode), so that names and letter case make no difference to share modes
and locks.  A deletion is of a name: each name by which the file is open is a Link.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from smbd.ntstatus import NtError, NtStatus
from smbd.state.caching import Caching, CachingFigures, Operation
from smbd.state.cachings import Cachings
from smbd.state.changes import Changes
from smbd.state.deadlines import Deadlines
from smbd.state.directories import DirectoryLeases
from smbd.state.file_state import FileState, Link
from smbd.state.locks import ByteRangeLocks, LockBudget
from smbd.state.open import Open
from smbd.state.open_names import OpenNames
from smbd.state.queues import Queues
from smbd.state.sharing import WRITES
from smbd.state.waits import Wait
from smbd.vfs import File, Key, Root, fold
from smbd.wire.access import Access
from smbd.wire.create import ShareAccess

_NUMBERS = 4096
_SHARES_ALL = ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE


@dataclass(slots=True)
class FileTable:
    """The files that are open, for the whole server."""

    deadlines: Deadlines = field(default_factory=Deadlines)
    changes: Changes = field(default_factory=Changes)
    # Requests that may make or overwrite a file wait by (root, path), those that change its records
    # or names by its identity, those that go on where the last one of a handle stopped by the Open.
    # In a queue each wakes once: 1,000 that all woke for each that is done would wake a million
    # times.  But a file has other paths, and what may not be at the same time `changes` knows.
    queues: Queues = field(default_factory=Queues)
    lock_budget: LockBudget = field(default_factory=LockBudget)
    directories: DirectoryLeases = field(default_factory=DirectoryLeases)
    caching: CachingFigures = field(default_factory=CachingFigures)
    names: OpenNames = field(default_factory=OpenNames)
    on_forget: Callable[[File], None] | None = None  # told of a file whose last open is closed
    # How many of them are open, by the inode's number and so many numbers: for those that are not
    # of this process's Python.
    inodes: "array[int]" = field(default_factory=lambda: array("I", bytes(4 * _NUMBERS)))
    _files: dict[Key, FileState] = field(default_factory=dict)

    @property
    def locks(self) -> int:
        """How many byte-range locks are held."""
        return LockBudget().left - self.lock_budget.left

    def of(self, file: File) -> FileState | None:
        """The state of a file or stream, if anybody has it open, or one of its streams."""
        return self._files.get(file.key)

    def by_key(self, key: Key) -> FileState | None:
        """The state of a file or stream by its File.key."""
        return self._files.get(key)

    def check(self, file: File, access: int, sharing: int) -> None:
        """Whether one more open of this file or stream agrees with those held."""
        state = self.of(file)
        if state is not None:
            state.check(file, access, sharing)
        if file.stream is not None:
            self.check(file.described, 0, 0)  # [MS-FSA]: its deletion is that of its streams

    def meet(
        self, open_: Open, access: int, operation: Operation, own: Caching | None, now: float
    ) -> Wait | None:
        """As FileState.meet, and as the streams of the file let it be opened."""
        file = open_.file
        state = self.of(file)
        if file.stream is not None:
            self.check(file.described, 0, 0)
        elif state is not None:
            state.check_deletion(file)  # before clients are asked for what they keep of streams
            wait = _meet_streams(state, access, operation, now)
            if wait is not None:
                return wait
        return None if state is None else state.meet(open_, access, operation, own, now)

    def has_open_streams(self, file: File) -> bool:
        """Whether a named stream of a file is open."""
        state = self.of(file)
        return state is not None and any(link.streams for link in state.links)

    def contend_streams(self, file: File, now: float) -> Wait | None:
        """Ask for the handles on a file's streams that are kept for no program; as below."""
        state = self.of(file)
        return None if state is None else _contend(_open_streams(state), now)

    def is_open(self, file: File, stream: str) -> bool:
        """Whether this stream of a file is open."""
        return (file.device, file.inode, fold(stream)) in self._files

    def check_folder(self, file: File) -> None:
        """DELETE_PENDING if a file was made in a folder that waits for its deletion."""
        state = None if file.created_in is None else self._files.get(file.created_in)
        if state is not None and state.links_that_go():
            raise NtError(NtStatus.DELETE_PENDING)

    def add(self, open_: Open) -> Link:
        """Count an open in; its share modes were checked without an await between."""
        file = open_.file
        link = self._link(file)
        if file.stream is not None:
            open_.base = self._link(file.described)
            open_.base.streams[open_] = None
        state = link.state
        link.opens[open_] = None
        state.modes.count(open_.granted_access, open_.share_access)
        if open_.granted_access & WRITES:
            state.writers += 1
        open_.locks, open_.cachings, open_.link = state.locks, state.cachings, link
        return link

    def _link(self, file: File) -> Link:
        key = file.key
        state = self._files.get(key)
        if state is None:
            cachings = Cachings(self.deadlines, self.caching)
            locks = ByteRangeLocks(self.lock_budget)
            state = self._files[key] = FileState(key, cachings, self.names, locks)
            self.inodes[key[1] % _NUMBERS] += 1
        link = state.link_of(file) if state.links else None
        if link is None:
            link = Link(state, file)
            state.links.append(link)
            if not state.is_stream:  # that is where its file is, whose link is there too
                self.names.enter(link)
        return link

    def renamed_stream(self, open_: Open) -> None:
        """The stream that is open has another name now, for all its opens."""
        link = open_.link
        assert link is not None, "it was entered"
        state = link.state
        del self._files[state.key]
        state.key = open_.file.key
        self._files[state.key] = state

    def has_become_data(self, open_: Open) -> None:
        """The only open of a stream becomes the only open of its file's data."""
        link, base = open_.link, open_.base
        assert link is not None, "it was entered"
        assert base is not None, "it was a stream"
        self._uncount(open_, link.state)
        self._left(link, open_.file)
        del base.streams[open_]
        open_.base = None
        self.add(open_)
        open_.cachings.enter(None, open_.granted_access)

    def is_alone(self, open_: Open) -> bool:
        """Whether a stream is open nowhere else, and the data of its file nowhere."""
        link, base = open_.link, open_.base
        return (
            link is not None
            and link.users == 1
            and base is not None
            and not any(other.opens for other in base.state.links)
        )

    def goes_with(self, open_: Open) -> bool:
        """Whether closing this open deletes a name of its file, or its stream."""
        link, base = open_.link, open_.base
        if link is None:
            return False
        if base is not None and base.delete_pending and base.users == 1:
            return True
        return (link.delete_pending or open_.delete_on_close) and link.users == 1

    def remove(self, open_: Open) -> Link | None:
        """Count an open out; its link if that name is now to be deleted.

        [MS-FSA] 2.1.5.5: a handle's delete-on-close becomes the link's when that handle closes,
        and the link goes with the last handle that was opened by it, of a named stream too.  Until
        `forget` the table goes on saying DELETE_PENDING: a CREATE that comes while a worker
        unlinks must not get a dying file.
        """
        link, base = open_.link, open_.base
        assert link is not None, "it was added"
        self._uncount(open_, link.state)
        if open_.delete_on_close:
            link.set_delete_pending()
        deleted = self._left(link, open_.file)
        if base is None:
            return deleted
        del base.streams[open_]
        whole = self._left(base, open_.file.described)
        if whole is None:
            return deleted
        if deleted is not None:  # it goes with its file
            self.forget(deleted)
        return whole

    def _uncount(self, open_: Open, state: FileState) -> None:
        assert open_.link is not None, "it was added"
        del open_.link.opens[open_]
        state.modes.count(open_.granted_access, open_.share_access, -1)
        state.locks.drop(open_)
        state.cachings.leave(open_.caching, open_.granted_access)

    def _left(self, link: Link, file: File) -> Link | None:
        """An open by this name has left, of `file`; the link if that is to be deleted now."""
        if link.users:
            left = next(iter(link.opens or link.streams)).file
            link.file = left if link.opens else left.described
            return None
        link.file = file
        self.names.leave(link)
        if link.delete_pending:
            return link
        self.forget(link)
        return None

    def forget(self, link: Link) -> None:
        """The name that `remove` gave is deleted, or could not be."""
        state = link.state
        state.links.remove(link)
        state.pending_deletions -= link.delete_pending
        if not state.links:
            self.directories.leave(state.cachings)
            del self._files[state.key]
            self.inodes[state.key[1] % _NUMBERS] -= 1
            if self.on_forget is not None:
                self.on_forget(link.file)

    def has_open_below(self, directory: File) -> bool:
        """Whether something inside a directory is open."""
        return self.names.any_below(directory)

    def contend_below(self, directory: File, now: float) -> Wait | None:
        """Ask for the handles inside a directory that are kept for no program.

        What to wait for before the first of them is gone; None if there are none.
        """
        if not self.names.any_below(directory):
            return None
        return _contend(self._cached_below(directory), now)

    def _cached_below(self, directory: File) -> Iterator[FileState]:
        """The files inside a directory that clients cache."""
        prefix = directory.absolute_path + "/"
        places: dict[Root, str] = {}
        for state in self._files.values():
            for link in state.links if state.cachings.keepers else ():
                file = link.file
                if link.users:
                    root = places.get(file.root)
                    if root is None:
                        root = places[file.root] = file.root.absolute_path
                    if file.absolute_path_below(root).startswith(prefix):
                        yield state


def _contend(states: Iterable[FileState], now: float) -> Wait | None:
    waits = [
        state.cachings.contend(Operation.REMOVE, None, now)
        for state in states
        if state.cachings.keepers
    ]
    return next((wait for wait in waits if wait is not None), None)


def _open_streams(state: FileState) -> list[FileState]:
    """The named streams of a file that are open, as often as they are."""
    return [
        held.link.state for link in state.links for held in link.streams if held.link is not None
    ]


def _meet_streams(state: FileState, access: int, operation: Operation, now: float) -> Wait | None:
    """SHARING_VIOLATION if streams of a file hinder an open of it; what to wait for, if anything.

    To open a file for DELETE is to open its streams so, of which each must share it.  To overwrite
    a file is to delete them.
    """
    if operation is Operation.OVERWRITE:
        hindering = _open_streams(state)
    elif access & Access.DELETE:
        hindering = [
            stream
            for stream in _open_streams(state)
            if stream.modes.forbid(Access.DELETE, _SHARES_ALL)
        ]
    else:
        return None
    wait = _contend(hindering, now)
    if wait is None and hindering:
        raise NtError(NtStatus.SHARING_VIOLATION)
    return wait
