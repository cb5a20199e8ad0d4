"""Where streams lie whose content is too large for an extended attribute.

Each is a file in `.smbd-streams`, a directory in the share's root that no client is shown.  An
attribute of the file that it belongs to refers to it by a number that nobody can guess, and in an
attribute of its own it has its owner: inode, time of birth, last known path.  So a file may be
renamed, copied or removed by other programs: see `is_owned`, and sweep.py.

An open stream has a nameless file first (O_TMPFILE), of which a kill leaves nothing.  It gets its
name when it turns out to be too large, complete and on the disk, and then the reference is set.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import PurePath
from struct import Struct
from typing import NamedTuple

from aio import kernel
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.file import File
from smbd.vfs.lookup import PROC_FDS, closed_after, join
from smbd.vfs.names import STREAM_STORE
from smbd.vfs.streams.attribute import Reference

RECORD = "user.smbd.StreamOf"

_RECORD = Struct(
    "<"
    "Q"  # inode
    "Q"  # time of birth, ns of Unix time; 0 where the file system has none
    "Q"  # inode of the content itself
)  # fmt: skip
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_roots: dict[str, None] = {}  # of the shares of this process, by absolute path
# The file system has no O_TMPFILE; EISDIR and ENOENT come from kernels that do not know it.
_NAMELESS_UNKNOWN = frozenset((errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT))
# Another directory may do.
_ELSEWHERE = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV))


class Owner(NamedTuple):
    """The file that a stream in the store belongs to."""

    inode: int
    born: int
    path: str  # from the share's root, when it was seen last


class Record(NamedTuple):
    """The attribute of a file in the store."""

    owner: Owner
    content: int  # the inode that it was written for: another one in a store that was copied


def owner_of(file: File) -> Owner:
    """What a file is known by."""
    path = file.path
    if file.crossed:  # the name by which another one finds it
        path = file.root.lookup.current_path(file.fd) or path
    return Owner(file.inode, _born(file.fd), path)


def _born(fd: int) -> int:
    status = kernel.statx(b"", dir_fd=fd, flags=kernel.AT_EMPTY_PATH, mask=kernel.STATX_BTIME)
    return status.btime_ns or 0


def load_record(fd: int) -> Record | None:
    """Whose a file in the store is; None without a record; OSError."""
    try:
        value = os.getxattr(fd, RECORD)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return None
    if len(value) < _RECORD.size:
        return None
    inode, born, content = _RECORD.unpack_from(value)
    return Record(Owner(inode, born, os.fsdecode(value[_RECORD.size :])), content)


def save_record(fd: int, owner: Owner) -> None:
    """Say whose a file in the store is; OSError."""
    record = _RECORD.pack(owner.inode, owner.born, os.fstat(fd).st_ino)
    try:
        os.setxattr(fd, RECORD, record + os.fsencode(owner.path))
    except OSError as error:
        # A path of 4 KiB has no room on ext4: the slow walk finds the file without it.
        if error.errno not in {errno.ENOSPC, errno.ERANGE, errno.E2BIG}:
            raise
        os.setxattr(fd, RECORD, record)


class Working(NamedTuple):
    """A file for the content of an open stream; it has a name where it cannot do without."""

    fd: int
    name: Reference | None


def make(file: File) -> Working:
    """A new one, open for reading and writing; OSError.

    A nameless one may be beside the file where the share's root takes none: small content never
    gets a name.
    """
    flags = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
    lookup = file.root.lookup
    try:
        return Working(os.open(".", flags, 0o600, dir_fd=lookup.fd), None)
    except OSError as error:
        if error.errno in _ELSEWHERE:
            with closed_after(lookup.exact(file.path.rpartition("/")[0])) as parent:
                return Working(os.open(".", flags, 0o600, dir_fd=parent), None)
        if error.errno not in _NAMELESS_UNKNOWN:
            raise
    reference = _new_reference()
    with closed_after(_opened_store(lookup.fd, make=True)) as store:
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | _FLAGS
        return Working(os.open(reference.number, flags, 0o600, dir_fd=store), reference)


def give_name(file: File, fd: int) -> Reference:
    """Give a nameless file its place in the store, on the disk; OSError."""
    reference, nameless = _new_reference(), f"{PROC_FDS}/{fd}"
    with closed_after(_opened_store(file.root.lookup.fd, make=True)) as store:
        os.link(nameless, reference.number, dst_dir_fd=store, follow_symlinks=True)
        _sync_directory(store)
    return reference


def _new_reference() -> Reference:
    return Reference(secrets.token_hex(16))


def _sync_directory(fd: int) -> None:
    with contextlib.suppress(OSError):  # a file system that cannot
        os.fsync(fd)


def move(number: str, source: int, target: int) -> None:
    """Move a file from the store in one open directory to that in another; OSError."""
    with (
        closed_after(_opened_store(source)) as old,
        closed_after(_opened_store(target, make=True)) as new,
    ):
        os.rename(number, number, src_dir_fd=old, dst_dir_fd=new)


def _opened_store(directory: int, *, make: bool = False) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | _FLAGS
    try:
        return os.open(STREAM_STORE, flags, dir_fd=directory)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(STREAM_STORE, 0o700, dir_fd=directory)
    return os.open(STREAM_STORE, flags, dir_fd=directory)


def open_store(directory: int) -> int | None:
    """The store in an open directory, if there is one; OSError."""
    try:
        return _opened_store(directory)
    except FileNotFoundError:
        return None


def open_content(file: File, reference: Reference, *, write: bool) -> int:
    """Open what a file's attribute refers to; FileNotFoundError if it is nowhere; OSError."""
    flags = (os.O_RDWR if write else os.O_RDONLY) | _FLAGS
    for directory in _for_old(file):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return os.open(f"{STREAM_STORE}/{reference.number}", flags, dir_fd=directory)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def size_of(file: File, reference: Reference) -> os.stat_result | None:
    """The status of what an attribute refers to; None if it is nowhere."""
    for directory in _for_old(file):
        with contextlib.suppress(OSError):
            name = f"{STREAM_STORE}/{reference.number}"
            return os.stat(name, dir_fd=directory, follow_symlinks=False)
    return None


def forget(file: File, reference: Reference) -> None:
    """Remove a file from the store that no attribute refers to; it may be gone."""
    for directory in _for_old(file):
        with contextlib.suppress(OSError):
            os.unlink(f"{STREAM_STORE}/{reference.number}", dir_fd=directory)
            return


def know_share(root: str) -> None:
    """A share has its root at this absolute path: files may have been moved out of it."""
    _roots[root] = None


def _for_old(file: File) -> Iterator[int]:
    """The directories whose store may have content, the share's root first, open for their turn.

    A share may lie inside another one, or have lain, and a file may have been moved from one to
    another: so then each directory between root and file, each above the root, and other shares.
    """
    lookup = file.root.lookup
    yield lookup.fd
    path = ""
    for name in file.path.split("/")[:-1]:
        path = join(path, name)
        with contextlib.suppress(NtError, OSError), closed_after(lookup.exact(path)) as fd:
            yield fd
    above = map(str, PurePath(file.root.absolute_path or "/").parents)
    for directory in (*above, *_roots):
        with contextlib.suppress(OSError):
            fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            with closed_after(fd):
                yield fd


def is_owned(file: File, fd: int) -> bool:
    """Whether content that a file refers to is its own; else the file is a copy of its owner.

    A store that was copied or restored with its share has other inodes, and so have the files that
    refer to it: there the path tells.  The record is brought up to date.
    """
    record = load_record(fd)
    if record is None:
        return False
    mine, owner = owner_of(file), record.owner
    if record.content == os.fstat(fd).st_ino:
        owned = (owner.inode, owner.born) == (mine.inode, mine.born)
    else:
        owned = owner.path == mine.path
    if owned and (owner, record.content) != (mine, os.fstat(fd).st_ino):
        with contextlib.suppress(OSError):  # it helps the sweep, and the store may be read-only
            save_record(fd, mine)
    return owned


def check_streams(file: File) -> None:
    """OBJECT_NAME_INVALID, as on a volume without streams, where the share is to have none."""
    if not file.root.has_streams:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
