"""What all opens of one file must agree on: share modes, and the deletions that wait.

A file is known by (device, inode), so that names and letter case make no difference to share modes
and locks.  A deletion is of a name: each name by which the file is open is a Link.
"""

from dataclasses import dataclass, field

from smbd.ntstatus import NtError, NtStatus
from smbd.state.changes import Changes
from smbd.state.file_state import FileState, Link
from smbd.state.locks import ByteRangeLocks, LockBudget
from smbd.state.open import Open
from smbd.state.queues import Queues
from smbd.state.sharing import WRITES
from smbd.vfs import File, Root


@dataclass(slots=True)
class FileTable:
    """The files that are open, for the whole server."""

    changes: Changes = field(default_factory=Changes)
    # Requests that may make or overwrite a file wait by (root, path), those that change its records
    # or names by its identity, those that go on where the last one of a handle stopped by the Open.
    # In a queue each wakes once: 1,000 that all woke for each that is done would wake a million
    # times.
    queues: Queues = field(default_factory=Queues)
    lock_budget: LockBudget = field(default_factory=LockBudget)
    _files: dict[tuple[int, int], FileState] = field(default_factory=dict)

    @property
    def locks(self) -> int:
        """How many byte-range locks are held."""
        return LockBudget().left - self.lock_budget.left

    def of(self, file: File) -> FileState | None:
        """The state of a file, if anybody has it open."""
        return self._files.get((file.device, file.inode))

    def check(self, file: File, access: int, sharing: int) -> None:
        """Whether one more open of this file agrees with those held."""
        state = self.of(file)
        if state is not None:
            state.check(file, access, sharing)

    def check_folder(self, file: File) -> None:
        """DELETE_PENDING if a file was made in a folder that waits for its deletion."""
        state = None if file.created_in is None else self._files.get(file.created_in)
        if state is not None and state.links_that_go():
            raise NtError(NtStatus.DELETE_PENDING)

    def add(self, open_: Open) -> Link:
        """Count an open in; its share modes were checked without an await between."""
        file = open_.file
        key = (file.device, file.inode)
        state = self._files.get(key)
        if state is None:
            state = self._files[key] = FileState(key, locks=ByteRangeLocks(self.lock_budget))
        link = state.link_of(file) if state.links else None
        if link is None:
            link = Link(state, file)
            state.links.append(link)
        link.opens[open_] = None
        state.modes.count(open_.granted_access, open_.share_access)
        state.writers += bool(open_.granted_access & WRITES)
        open_.locks, open_.link = state.locks, link
        return link

    def goes_with(self, open_: Open) -> bool:
        """Whether closing this open deletes a name of its file."""
        link = open_.link
        if link is None or not (link.delete_pending or open_.delete_on_close):
            return False
        return len(link.opens) == 1

    def remove(self, open_: Open) -> Link | None:
        """Count an open out; its link if that name is now to be deleted.

        [MS-FSA] 2.1.5.5: a handle's delete-on-close becomes the link's when that handle closes,
        and the link goes with the last handle that was opened by it.  Until `forget` the table
        goes on saying DELETE_PENDING: a CREATE that comes while a worker unlinks must not get a
        dying file.
        """
        link = open_.link
        assert link is not None, "it was added"
        state = link.state
        del link.opens[open_]
        state.modes.count(open_.granted_access, open_.share_access, -1)
        state.locks.drop(open_)
        if open_.delete_on_close:
            link.doom()
        if link.opens:
            link.file = next(iter(link.opens)).file
            return None
        link.file = open_.file
        if link.delete_pending:
            return link
        self.forget(link)
        return None

    def forget(self, link: Link) -> None:
        """The name that `remove` gave is deleted, or could not be."""
        state = link.state
        state.links.remove(link)
        state.doomed -= link.delete_pending
        if not state.links:
            del self._files[state.key]

    def has_open_below(self, directory: File) -> bool:
        """Whether something inside a directory is open.

        Asked of each name, not of each open, and of each share's place once: 0.3 us a name.
        """
        prefix = directory.absolute_path + "/"
        places: dict[Root, str] = {}
        for state in self._files.values():
            for link in state.links:
                file = link.file
                if link.opens:
                    root = places.get(file.root)
                    if root is None:
                        root = places[file.root] = file.root.absolute_path
                    if file.absolute_path_below(root).startswith(prefix):
                        return True
        return False
