"""The directory entries of a share: renamed, linked, removed, kept in the recycle folder.

A change acts on an opened parent directory with one component, so that no path is walked twice and
nothing outside the root is ever reached.
"""

import contextlib
import os
import stat
from collections.abc import Iterator

from aio.inodes import busy
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.changes import (
    Entry,
    check_entry,
    replace_by_link,
    replace_by_rename,
    take_by_rename,
)
from smbd.vfs.file import File
from smbd.vfs.lookup import Lookup, closed_after, join
from smbd.vfs.recycling import Kept
from smbd.vfs.rules import Rules

Identity = tuple[int, int] | None  # (device, inode)


class Naming:
    """The directory entries of a share.  Every method may be called from any thread, and blocks
    where it looks at the file system.
    """

    def __init__(self, lookup: Lookup, rules: Rules, *, read_only: bool) -> None:
        self.lookup = lookup
        self.recycle = rules.recycle
        self.read_only = read_only

    def check_writable(self) -> None:
        """Raises NtError(ACCESS_DENIED) in a read-only share, as its maximal access says too."""
        if self.read_only:
            raise NtError(NtStatus.ACCESS_DENIED)

    def check_name(self, *components: str) -> None:
        """Raises NtError(ACCESS_DENIED) if one of these may be no name here: it is vetoed."""
        veto = self.lookup.veto
        if veto is not None and any(map(veto.mean, components)):
            raise NtError(NtStatus.ACCESS_DENIED)

    def standing(self, path: str) -> tuple[int, int] | None:
        """(device, inode) of the entry that has a name, in any spelling; a symbolic link's own.

        None if there is none.  Raises NtError(OBJECT_PATH_NOT_FOUND); OSError.
        """
        parent, _, name = path.rpartition("/")
        with (
            self.lookup.directory(parent) as (parent_fd, *_),
            self.lookup.index.of(parent_fd) as names,
        ):
            there = names.find(name)
            try:
                status = Entry(parent_fd, there).status() if there is not None else None
            except FileNotFoundError:
                return None
        return None if status is None else (status.st_dev, status.st_ino)

    def rename(self, file: File, new_path: str, replace: bool, over: Identity = None) -> None:
        """Give a file another path, atomically; `file.path` follows.

        `replace` lets it take the place of a file (never of a directory: ACCESS_DENIED), but only
        of the (device, inode) `over` if that is given: else MovedError.  The caller asks before
        whether that one is open or READONLY, by opening it.  Raises NtError: OBJECT_NAME_COLLISION,
        OBJECT_PATH_NOT_FOUND, OBJECT_NAME_NOT_FOUND (the old name is gone), ACCESS_DENIED;
        OSError(EINVAL), which is INVALID_PARAMETER, for a directory into itself.
        """
        self.check_writable()
        parent, name = self._target(new_path)
        with (
            self._entry(file) as old,
            self.lookup.directory(parent) as (parent_fd, parent, crossed),
            self.lookup.index.of_both(old.parent, parent_fd) as (old_names, new_names),
        ):
            new = Entry(parent_fd, name)
            there = new_names.find(name)
            self.check_name(there or "")
            stays = old_names is new_names and there == old.name
            if stays and name == old.name:
                return
            if there is None or stays:
                take_by_rename(old, new)
            elif not replace:
                raise NtError(NtStatus.OBJECT_NAME_COLLISION)
            else:
                check_entry(Entry(parent_fd, there), over)
                replace_by_rename(old, new, there)
                new_names.removed(there)
            old_names.removed(old.name)
            new_names.added(name)
            file.path = join(parent, name)
            if file.is_symlink:
                real = self.lookup.real_path(parent_fd, parent) if crossed else parent
                file.symlink = join(real, name)
            file.crossed = crossed or file.is_symlink

    def link(self, file: File, new_path: str, replace: bool, over: Identity = None) -> None:
        """Give a file one more path: a hard link.

        Raises NtError as `rename`, and FILE_IS_A_DIRECTORY for a directory; MovedError, OSError.
        """
        self.check_writable()
        if file.is_directory:
            raise NtError(NtStatus.FILE_IS_A_DIRECTORY)
        parent, name = self._target(new_path)
        with (
            self._entry(file) as old,
            self.lookup.directory(parent) as (parent_fd, *_),
            self.lookup.index.of(parent_fd) as names,
        ):
            new = Entry(parent_fd, name)
            there = names.find(name)
            self.check_name(there or "")
            if there is None:
                old.link(new)
            elif not replace:
                raise NtError(NtStatus.OBJECT_NAME_COLLISION)
            else:
                check_entry(Entry(parent_fd, there), over)
                replace_by_link(old, new, there)
                names.removed(there)
            names.added(name)

    def _target(self, path: str) -> tuple[str, str]:
        """The directory and the name of a path that a file is to have; NtError if it may not."""
        parent, _, name = path.rpartition("/")
        if not name:
            raise NtError(NtStatus.OBJECT_NAME_COLLISION)
        self.check_name(name)
        return parent, name

    def remove(self, file: File) -> None:
        """Remove a file's name, or an empty directory, if the name still is that file's.

        Raises NtError: OBJECT_NAME_NOT_FOUND if it is not, ACCESS_DENIED for the root;
        OSError(ENOTEMPTY), which is DIRECTORY_NOT_EMPTY, for a directory with entries.
        """
        self.check_writable()
        with (
            self._entry(file) as entry,
            self.lookup.index.of(entry.parent) as names,
        ):
            entry.remove()
            names.removed(entry.name)

    def delete(self, file: File) -> Kept | None:
        """As `remove`, for a client: where the share has a recycle folder a file goes there.

        Errors as `remove`, and those of a recycle folder that cannot take it: it stays then.
        """
        self.check_writable()
        if self.recycle is not None:
            with self._entry(file) as entry:
                kept = self.recycle.move(self.lookup, entry, self._real_parent(file, entry))
            if kept is not None:
                return kept
        self.remove(file)
        return None

    @contextlib.contextmanager
    def keeping(self, file: File | None) -> Iterator[Kept | None]:
        """A block in which another file takes the name of this one, which is kept as by `delete`.

        Errors as `delete`.
        """
        if self.recycle is None or file is None:
            yield None
            return
        with contextlib.ExitStack() as stack:
            entry = stack.enter_context(self._entry(file))
            parent = self._real_parent(file, entry)
            yield stack.enter_context(self.recycle.keeping(self.lookup, entry, parent))

    def _real_parent(self, file: File, entry: Entry) -> str:
        return self.lookup.real_path(entry.parent, file.described.path.rpartition("/")[0])

    def refresh(self, file: File) -> None:
        """Bring `file.path` up to date after a directory above it was renamed.

        Raises NtError(OBJECT_NAME_NOT_FOUND) if the file has no name here any more.
        """
        if file.path:
            with self._entry(file):
                pass

    @contextlib.contextmanager
    def _entry(self, file: File) -> Iterator[Entry]:
        """The directory entry by which a file was opened, once it is certain that it still is.

        Between this look and the change that follows, another process could still swap the name:
        Linux has no call that removes or renames a name only while it is a certain inode's.
        """
        file = file.described
        if not file.path:
            raise NtError(NtStatus.ACCESS_DENIED)
        parent_fd = self._parent(file, file.path)
        if parent_fd is None and not file.is_symlink:  # the kernel would know a symlink's target
            parent_fd = self._parent(file, self.lookup.current_path(file.fd))
        if parent_fd is None:
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
        with closed_after(parent_fd), busy(file.fd):
            yield Entry(parent_fd, file.path.rpartition("/")[2])

    def _parent(self, file: File, path: str) -> int | None:
        """The directory that holds `file` as `path`, which becomes `file.path`; None if it does
        not.

        A file that was opened by a symbolic link is held by that link, if it still leads there: it
        is the link that gets renamed or removed.
        """
        parent, _, name = path.rpartition("/")
        if not name:
            return None
        with contextlib.ExitStack() as stack:
            try:
                fd = stack.enter_context(closed_after(self.lookup.exact(parent)))
                status = Entry(fd, name).status()
                if stat.S_ISLNK(status.st_mode) != file.is_symlink:
                    return None
                if file.is_symlink:
                    status = os.fstat(stack.enter_context(closed_after(self.lookup.exact(path))))
            except (FileNotFoundError, NotADirectoryError, NtError):
                return None
            if (status.st_dev, status.st_ino) != file.identity:
                return None
            file.path = path
            return os.dup(fd)
