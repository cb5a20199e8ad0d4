"""What all opens of one file must agree on: share modes and the deletion that waits.

Keyed by (device, inode), so that names, links and letter case make no difference.
"""

from dataclasses import dataclass, field

from smbd.ntstatus import NtError, NtStatus
from smbd.state.locks import ByteRangeLocks
from smbd.state.open import Open
from smbd.vfs import File
from smbd.wire.access import Access
from smbd.wire.create import ShareAccess

# Who reads or writes attributes only takes part in no share mode ([MS-FSA] 2.1.5.1.2.2).
_SHARED = (
    (Access.FILE_READ_DATA | Access.FILE_EXECUTE, ShareAccess.READ),
    (Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA, ShareAccess.WRITE),
    (Access.DELETE, ShareAccess.DELETE),
)
_WRITES = Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA
_DATA = _SHARED[0][0] | _SHARED[1][0] | _SHARED[2][0]


def share_modes_conflict(access: int, sharing: int, held: int, held_sharing: int) -> bool:
    """Whether an open for `access` that shares `sharing` collides with one that is held."""
    if not access & _DATA or not held & _DATA:
        return False
    return any(
        (access & rights and not held_sharing & shared) or (held & rights and not sharing & shared)
        for rights, shared in _SHARED
    )


@dataclass(slots=True, eq=False)
class FileState:
    """One file or directory that somebody has open."""

    key: tuple[int, int]
    opens: list[Open] = field(default_factory=list)
    locks: ByteRangeLocks = field(default_factory=ByteRangeLocks)
    delete_pending: bool = False
    writers: int = 0  # the opens that could write, counted as they came

    def has_other_writer(self, open_: Open) -> bool:
        """Whether somebody beside this open could write now."""
        return any(held is not open_ and held.granted_access & _WRITES for held in self.opens)

    def check(self, access: int, sharing: int) -> None:
        """SHARING_VIOLATION or DELETE_PENDING if one more such open cannot be."""
        if self.delete_pending:
            raise NtError(NtStatus.DELETE_PENDING)
        for held in self.opens:
            if share_modes_conflict(access, sharing, held.granted_access, held.share_access):
                raise NtError(NtStatus.SHARING_VIOLATION)

    def doom(self, *, doomed: bool = True) -> None:
        """Mark for deletion, or take the mark off; who watches a doomed directory is told."""
        self.delete_pending = doomed
        for held in self.opens if doomed else ():
            if held.notify is not None:
                held.notify.end(NtStatus.DELETE_PENDING)

    def renamed(self, old: str, new: str) -> None:
        """Keep the paths of all opens of this file with its name."""
        for held in self.opens:
            if held.file.path == old:
                held.file.path = new


@dataclass(slots=True)
class FileTable:
    """The files that are open, for the whole server."""

    _files: dict[tuple[int, int], FileState] = field(default_factory=dict)

    def of(self, file: File) -> FileState | None:
        """The state of a file, if anybody has it open."""
        return self._files.get((file.device, file.inode))

    def check(self, file: File, access: int, sharing: int) -> None:
        """Whether one more open of this file agrees with those held."""
        state = self.of(file)
        if state is not None:
            state.check(access, sharing)

    def add(self, open_: Open) -> FileState:
        """Count an open in; its share modes were checked without an await between."""
        key = (open_.file.device, open_.file.inode)
        state = self._files.setdefault(key, FileState(key))
        state.opens.append(open_)
        state.writers += bool(open_.granted_access & _WRITES)
        open_.locks = state.locks
        return state

    def goes_with(self, open_: Open) -> bool:
        """Whether closing this open deletes its file."""
        state = self._files[open_.file.device, open_.file.inode]
        return len(state.opens) == 1 and (state.delete_pending or open_.delete_on_close)

    def remove(self, open_: Open) -> FileState | None:
        """Count an open out; the file's state if the file is now to be deleted.

        [MS-FSA] 2.1.5.5: a handle's delete-on-close becomes the file's when that handle closes,
        and the file goes with its last handle.  Until `forget` the table goes on saying
        DELETE_PENDING: a CREATE that comes while a worker unlinks must not get a dying file.
        """
        state = self._files[open_.file.device, open_.file.inode]
        state.opens.remove(open_)
        state.locks.drop(open_)
        if open_.delete_on_close:
            state.doom()
        if state.opens:
            return None
        if state.delete_pending:
            return state
        del self._files[state.key]
        return None

    def forget(self, state: FileState) -> None:
        """The file of a state that `remove` gave is deleted, or could not be."""
        del self._files[state.key]

    def below(self, open_: Open) -> list[Open]:
        """The opens of whatever lies inside a directory."""
        prefix = open_.file.path + "/"
        return [
            held
            for state in self._files.values()
            for held in state.opens
            if held.file.root is open_.file.root and held.file.path.startswith(prefix)
        ]
