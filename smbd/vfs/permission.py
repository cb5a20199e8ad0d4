"""What this process may do with an open file, by its effective ids; a read-only share counts in."""

import os
import stat

from smbd.vfs.file import File
from smbd.vfs.lookup import PROC_FDS, closed_after


def may_read(file: File) -> bool:
    """Whether the data, or the entries of a folder, can be read."""
    return file.readable or _may(file, os.R_OK)


def may_write(file: File) -> bool:
    """Whether the data, or the entries of a folder, can be changed."""
    return file.writable or (not file.root.read_only and _may(file, os.W_OK))


def may_own(file: File) -> bool:
    """Whether times and mode can be changed, which is the owner's even without write access."""
    if file.root.read_only:
        return False
    return os.geteuid() in {0, os.fstat(file.fd).st_uid}


def may_remove(file: File) -> bool:
    """Whether the file's name can be removed from its folder, which is the folder's to allow."""
    parent, _, name = file.path.rpartition("/")
    if not name or file.root.read_only:
        return False
    with closed_after(file.root.lookup.exact(parent)) as parent_fd:
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=parent_fd, effective_ids=True):
            return False
        status = os.fstat(parent_fd)
        owners = {0, status.st_uid, os.fstat(file.fd).st_uid}
        return not status.st_mode & stat.S_ISVTX or os.geteuid() in owners


def _may(file: File, mode: int) -> bool:
    root = file.root
    if root.lookup.has_proc:
        return os.access(f"{PROC_FDS}/{file.fd}", mode, effective_ids=True)
    parent, _, name = file.path.rpartition("/")
    with closed_after(root.lookup.exact(parent)) as parent_fd:
        return os.access(name or ".", mode, dir_fd=parent_fd, effective_ids=True)
