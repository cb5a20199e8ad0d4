"""The rights of this process to an open file, by its effective ids; a read-only share counts in."""

import os
import stat

from aio import kernel
from smbd.vfs.file import File
from smbd.vfs.lookup import PROC_FDS, closed_after

_AS_KNOWN = kernel.AT_EMPTY_PATH | kernel.AT_STATX_DONT_SYNC
_FIXED = kernel.STATX_ATTR_IMMUTABLE | kernel.STATX_ATTR_APPEND


def may_read(file: File) -> bool:
    """Whether the data, or the entries of a directory, can be read."""
    file = file.described
    return file.readable or _may(file, os.R_OK)


def may_write(file: File) -> bool:
    """Whether the data, or the entries of a directory, can be changed."""
    file = file.described
    # Without the right to search a directory nothing can be made in it.
    mode = os.W_OK | os.X_OK if file.is_directory else os.W_OK
    return file.writable or (not file.root.read_only and _may(file, mode))


def may_describe(file: File) -> bool:
    """Whether times, attributes and the other records in extended attributes can be changed.

    The owner can without write access, others with it.  Nobody can where Linux lets nobody, and in
    a directory with the sticky bit only the owner can.
    """
    file = file.described
    if file.writable:
        return True
    if file.root.read_only or _is_fixed(file.fd):
        return False
    status = os.fstat(file.fd)
    owned = os.geteuid() in {0, status.st_uid}
    if _may(file, os.W_OK):
        return owned or not (file.is_directory and status.st_mode & stat.S_ISVTX)
    # Last, as a file system that is far away may have to be asked.
    return owned and not os.fstatvfs(file.fd).f_flag & os.ST_RDONLY


def may_remove(file: File) -> bool:
    """Whether the file's name can be removed: the rights to its directory decide."""
    file = file.described
    parent, _, name = file.path.rpartition("/")
    if not name or file.root.read_only:
        return False
    with closed_after(file.root.lookup.exact(parent)) as parent_fd:
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=parent_fd, effective_ids=True):
            return False
        above = _owner_and_flags(parent_fd)
    # As it was opened, if that was this moment.
    its = kernel.statx_of(file.examined.raw) if file.examined else _owner_and_flags(file.fd)
    if (above.attributes | its.attributes) & _FIXED:
        return False
    return not above.mode & stat.S_ISVTX or os.geteuid() in {0, above.uid, its.uid}


def may_remove_from(directory: File) -> bool:
    """Whether any name of an open directory can be removed, but for what its file forbids."""
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=directory.fd, effective_ids=True):
        return False
    status = _owner_and_flags(directory.fd)
    return not (status.attributes & _FIXED or status.mode & stat.S_ISVTX)


def _owner_and_flags(fd: int) -> kernel.Statx:
    return kernel.statx(b"", dir_fd=fd, flags=kernel.AT_EMPTY_PATH, mask=kernel.STATX_BASIC_STATS)


def _is_fixed(fd: int) -> bool:
    """Whether a file may be appended to at most (chattr +a), or not even that (+i); root too."""
    status = kernel.statx(b"", dir_fd=fd, flags=_AS_KNOWN, mask=0)
    return bool(status.attributes & _FIXED)


def _may(file: File, mode: int) -> bool:
    root = file.root
    if root.lookup.has_proc:
        return os.access(f"{PROC_FDS}/{file.fd}", mode, effective_ids=True)
    parent, _, name = file.path.rpartition("/")
    with closed_after(root.lookup.exact(parent)) as parent_fd:
        return os.access(name or ".", mode, dir_fd=parent_fd, effective_ids=True)
