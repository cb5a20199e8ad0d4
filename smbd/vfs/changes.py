"""Changes of one entry of an opened directory: make, rename, link, remove."""

import contextlib
import errno
import os
import secrets
import stat

from aio import kernel
from smbd.ntstatus import NtError, NtStatus


class MovedError(Exception):
    """A name stands for another file than when it was looked at."""


class Entry:
    """A name in a directory that is open as `parent` (O_PATH will do)."""

    __slots__ = ("name", "parent")

    def __init__(self, parent: int, name: str) -> None:
        self.parent = parent
        self.name = name

    def status(self) -> os.stat_result:
        """lstat of the entry."""
        return os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)

    def create(self, *, directory: bool) -> int:
        """The descriptor of a new file (O_RDWR) or directory (O_RDONLY).

        Raises NtError: OBJECT_NAME_COLLISION, OBJECT_PATH_NOT_FOUND; OSError.
        """
        flags = os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            if not directory:
                flags |= os.O_RDWR | os.O_CREAT | os.O_EXCL
                return os.open(self.name, flags, 0o666, dir_fd=self.parent)
            os.mkdir(self.name, 0o777, dir_fd=self.parent)
        except FileExistsError as error:
            raise NtError(NtStatus.OBJECT_NAME_COLLISION) from error
        except FileNotFoundError as error:  # the parent was removed meanwhile
            raise NtError(NtStatus.OBJECT_PATH_NOT_FOUND) from error
        return os.open(self.name, flags | os.O_DIRECTORY, dir_fd=self.parent)

    def remove(self) -> None:
        """Unlink a file, or rmdir a directory: OSError(ENOTEMPTY) if it has entries."""
        if stat.S_ISDIR(self.status().st_mode):
            os.rmdir(self.name, dir_fd=self.parent)
        else:
            os.unlink(self.name, dir_fd=self.parent)

    def link(self, new: "Entry") -> None:
        """One more name for this file; a symlink's target would be outside our confinement."""
        os.link(
            self.name,
            new.name,
            src_dir_fd=self.parent,
            dst_dir_fd=new.parent,
            follow_symlinks=False,
        )

    def rename(self, new: "Entry") -> None:
        """rename(2): an entry named `new` is replaced without notice."""
        os.rename(self.name, new.name, src_dir_fd=self.parent, dst_dir_fd=new.parent)


def check_entry(entry: Entry, expected: tuple[int, int] | None) -> None:
    """MovedError if an entry that is to be replaced is not the (device, inode) expected."""
    if expected is not None:
        status = entry.status()
        if (status.st_dev, status.st_ino) != expected:
            raise MovedError


def take_by_rename(old: Entry, new: Entry) -> None:
    """Rename to a name that is free, or is another spelling of the old one; never replaces."""
    try:
        kernel.renameat2(
            old.name,
            new.name,
            kernel.RENAME_NOREPLACE,
            old_dir_fd=old.parent,
            new_dir_fd=new.parent,
        )
    except FileExistsError as error:
        # A file system that ignores case itself finds the old entry under the new spelling.
        if not os.path.samestat(old.status(), new.status()) or old.status().st_nlink > 1:
            raise NtError(NtStatus.OBJECT_NAME_COLLISION) from error
        old.rename(new)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS}:
            raise
        _take_without_flags(old, new)


def _take_without_flags(old: Entry, new: Entry) -> None:
    """Where RENAME_NOREPLACE is unknown: to file system (EINVAL, as for a directory into itself) or
    kernel.  A file is linked and unlinked, which replaces nothing either; a directory cannot be,
    and rename would only ever replace an empty one.
    """
    if not stat.S_ISDIR(old.status().st_mode):
        try:
            old.link(new)
        except FileExistsError as error:
            raise NtError(NtStatus.OBJECT_NAME_COLLISION) from error
        try:
            old.remove()
        except BaseException:
            new.remove()
            raise
        return
    try:
        new.status()
    except FileNotFoundError:
        old.rename(new)
        return
    raise NtError(NtStatus.OBJECT_NAME_COLLISION)


def replace_by_rename(old: Entry, new: Entry, there: str) -> None:
    """Rename onto the entry `there` of the new directory; the new spelling stays."""
    target = Entry(new.parent, there)
    replaced, moved = target.status(), old.status()
    # [MS-FSA] 2.1.5.15.11: a directory is not replaced, nor does one replace a file.
    if stat.S_ISDIR(replaced.st_mode) or stat.S_ISDIR(moved.st_mode):
        raise NtError(NtStatus.ACCESS_DENIED)
    if there != new.name:
        # The one that goes takes the new spelling first: nothing is left to fail when it is gone.
        take_by_rename(target, new)
    try:
        old.rename(new)
        if os.path.samestat(replaced, moved):
            old.remove()  # rename(2) leaves two links of one file alone
    except BaseException:
        _spell_back(new, target)
        raise


def replace_by_link(old: Entry, new: Entry, there: str) -> None:
    """Hard-link onto the entry `there` of the new directory: rename replaces, link(2) does not."""
    target = Entry(new.parent, there)
    replaced = target.status()
    if stat.S_ISDIR(replaced.st_mode):
        raise NtError(NtStatus.ACCESS_DENIED)
    if os.path.samestat(replaced, old.status()):
        take_by_rename(target, new)
        return
    passing = Entry(new.parent, f".smbd-{secrets.token_hex(8)}")
    old.link(passing)
    try:
        if there != new.name:
            take_by_rename(target, new)
        passing.rename(new)
    except BaseException:
        passing.remove()
        _spell_back(new, target)
        raise


def _spell_back(new: Entry, target: Entry) -> None:
    """An entry that could not be replaced gets its own spelling back."""
    if new.name != target.name:
        with contextlib.suppress(OSError, NtError):
            take_by_rename(new, target)
