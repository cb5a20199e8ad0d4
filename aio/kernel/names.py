"""openat2 and renameat2: opening confined to a folder, renaming without replacing."""

import errno
import os
import sys
from functools import lru_cache
from typing import Any

from aio.kernel.libc import check, ffi, system_call

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10
RESOLVE_CACHED = 0x20  # fails with EAGAIN unless every name is in the dentry cache (Linux 5.12)

RENAME_NOREPLACE = 0x01
RENAME_EXCHANGE = 0x02

_AT_FDCWD = -100
_HOW_SIZE = ffi.sizeof("struct open_how")
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

_openat2 = system_call("openat2", "int, const char *, struct open_how *, size_t")
_renameat2 = system_call("renameat2", "int, const char *, int, const char *, unsigned int")


def openat2(
    path: str | bytes, flags: int, *, mode: int = 0, resolve: int = 0, dir_fd: int = _AT_FDCWD
) -> int:
    """An open file descriptor, closed on exec, found under the rules of `resolve` (RESOLVE_*).

    Errors: as open(2); ENOSYS before Linux 5.6; EXDEV where a name would leave the folder;
    EAGAIN where the kernel could not be sure (a rename meanwhile, or RESOLVE_CACHED): ask again.
    EINTR is retried, as `os.open` does.
    """
    name = _name(path)
    how = _how(flags, mode, resolve)
    while True:
        fd = _openat2(dir_fd, name, how, _HOW_SIZE)
        if fd >= 0:
            return fd
        try:
            check(fd, path)
        except InterruptedError:
            continue


@lru_cache(maxsize=64)
def _how(flags: int, mode: int, resolve: int) -> Any:
    """The rules as the kernel reads them, which writes nothing there: to make them takes 0.7 us."""
    return ffi.new("struct open_how *", (flags | os.O_CLOEXEC, mode, resolve))


def renameat2(
    old: str | bytes,
    new: str | bytes,
    flags: int,
    *,
    old_dir_fd: int = _AT_FDCWD,
    new_dir_fd: int = _AT_FDCWD,
) -> None:
    """Rename under RENAME_NOREPLACE (EEXIST) or RENAME_EXCHANGE.

    EINVAL says that the file system has no such flag; ENOSYS, that the kernel has no such call.
    """
    check(_renameat2(old_dir_fd, _name(old), new_dir_fd, _name(new), flags), old)


def _name(path: str | bytes) -> bytes:
    # As os.fsencode, at a third of its cost.
    name = path if isinstance(path, bytes) else path.encode(_ENCODING, _ERRORS)
    if b"\0" in name:  # C would take the part before it for the whole name
        raise OSError(errno.EINVAL, "embedded null byte", path)
    return name
