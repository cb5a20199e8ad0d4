"""Writing extended attributes, which have little room, and the status where it does not suffice.

ext4 keeps all of a file in one block, 4 KiB in most file systems, and says ENOSPC when they fill
it: the same as when the disk is full.
"""

import errno
import os
import stat

from smbd.ntstatus import NtError
from smbd.vfs.busy import holds_inode
from smbd.vfs.file import File

LARGEST_LIST = 65_536  # XATTR_LIST_MAX: the kernel gives no list of names that is longer
LONGEST_NAME = 255  # XATTR_NAME_MAX, "user." included
_TOO_LARGE = frozenset((errno.E2BIG, errno.ERANGE))


@holds_inode
def write(file: File, attribute: str | bytes, value: bytes, no_room: int) -> None:
    """Set an extended attribute of an open file.

    Raises NtError with the status `no_room` where it is too large for the file system; OSError, of
    which ENOSPC says that the disk is full.
    """
    try:
        _set(file, attribute, value)
    except OSError as error:
        out_of_place = error.errno == errno.ENOSPC and os.fstatvfs(file.fd).f_bavail
        if out_of_place or error.errno in _TOO_LARGE:
            raise NtError(no_room) from error
        raise


def _set(file: File, attribute: str | bytes, value: bytes) -> None:
    try:
        os.setxattr(file.target, attribute, value)
    except PermissionError:
        status = os.fstat(file.fd)
        if status.st_mode & stat.S_IWUSR or status.st_uid != os.geteuid():
            raise
        _set_for_owner(file, attribute, value, stat.S_IMODE(status.st_mode))


def _set_for_owner(file: File, attribute: str | bytes, value: bytes, mode: int) -> None:
    """Linux wants write access even of the owner, to whom DOS attributes and descriptor belong.

    The owner is this server: its write access meanwhile lets nobody in.
    """
    os.chmod(file.target, mode | stat.S_IWUSR)  # noqa: PTH101 (a descriptor)
    try:
        os.setxattr(file.target, attribute, value)
    finally:
        os.chmod(file.target, mode)  # noqa: PTH101
