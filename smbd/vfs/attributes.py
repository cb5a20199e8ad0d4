"""Times, DOS attributes and EAs: put where Linux has a place for them, else where Samba has one."""

import contextlib
import errno
import os
import stat

from aio import kernel
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import change_time, dosattrib, xattrs
from smbd.vfs.busy import changes_records
from smbd.vfs.file import File
from smbd.vfs.information import (
    STORED_ATTRIBUTES,
    Attributes,
    information,
    known_attributes,
)
from smbd.vfs.permission import may_describe
from smbd.wire.filetime import unix_from_filetime
from smbd.wire.fscc import FileAttribute, FileInformation

_WRITE_BITS = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
SETTABLE_ATTRIBUTES = STORED_ATTRIBUTES & ~FileAttribute.SPARSE_FILE


@changes_records
def set_times(
    file: File,
    creation: int | None,
    access: int | None,
    write: int | None,
    change: int | None,
) -> None:
    """Set times (FILETIMEs); None leaves one as it is.

    Linux lets only the owner set `access` and `write`; SMB lets each client that may write.  Those
    of another user's file are kept beside it, see `change_time`.  Where no extended attribute can
    hold `creation` and `change`, or those, they are dropped: refusing would make every copy fail
    that keeps times, and tools expect as much of file systems that know less than NTFS.  Raises
    NtError(ACCESS_DENIED) in a read-only share; OSError.
    """
    file.root.check_writable()
    now = None if creation is None and change is None else information(file)
    if now is not None and creation is not None and now.creation_time != creation:
        known = known_attributes(file)
        _store(file, known.stored, creation, known.cleared)
    if access is not None or write is not None:
        access_ns = None if access is None else unix_from_filetime(access)
        write_ns = None if write is None else unix_from_filetime(write)
        if not _set_on_disk(file, access_ns, write_ns):
            _keep_beside(file, now or information(file), access, write, change)
            return
    # A client that hands back all the times that it has read does not mean this one.
    if now is not None and change is not None and now.change_time != change:
        _placed(file, change_time.NAME, change_time.pack(change))


def _set_on_disk(file: File, access_ns: int | None, write_ns: int | None) -> bool:
    """False where only the owner could."""
    target = file.target if isinstance(file.target, int) else os.fsencode(file.target)
    try:
        kernel.set_times(target, access_ns, write_ns)
    except PermissionError:
        if os.fstat(file.fd).st_uid == os.geteuid() or not may_describe(file):
            raise
        return False
    return True


def _keep_beside(
    file: File, now: FileInformation, access: int | None, write: int | None, change: int | None
) -> None:
    status = os.fstat(file.fd)
    kept = change_time.Kept(
        write=now.last_write_time if write is None else write,
        mtime_ns=status.st_mtime_ns,
        access=now.last_access_time if access is None else access,
        atime_ns=status.st_atime_ns,
    )
    changed = change if change is not None and now.change_time != change else 0
    _placed(file, change_time.NAME, change_time.pack(changed, kept))


@changes_records
def set_attributes(file: File, wanted: int) -> None:
    """Set FILE_ATTRIBUTE_* that can be set; NORMAL is none of them.

    Only a bit that the file does not show already is a change: clients hand back the attributes
    that they have read, and a computed attribute must not become a stored one.  READONLY is taken
    away from the mode too.  Where no extended attribute can hold them READONLY becomes the write
    bits of the mode; HIDDEN and SYSTEM, which somebody would miss, are NtError(NOT_SUPPORTED); the
    others are hints to backup and indexing, set with every copy by Explorer and cifs.ko, and are
    dropped.  Raises NtError(ACCESS_DENIED) in a read-only share; OSError.
    """
    file.root.check_writable()
    now = known_attributes(file)
    changed = (wanted ^ now.shown) & SETTABLE_ATTRIBUTES
    if not changed:
        return
    gone = changed & ~wanted
    # A mode without the owner's write bit shows as READONLY, whatever the record says.
    if gone & now.computed & FileAttribute.READONLY and _let_owner_write(file):
        gone &= ~FileAttribute.READONLY
    _change(file, now, now.stored & ~changed | changed & wanted, gone & now.computed)


@changes_records
def give_attributes(file: File, wanted: int) -> None:
    """Set the FILE_ATTRIBUTE_* that a CREATE brings: all of them were said by the client.

    Computed attributes stay as they are.  An attribute that the file system cannot hold is dropped:
    a file without HIDDEN is of more use than none, and its metadata says so.  Errors as
    `set_attributes`.
    """
    file.root.check_writable()
    now = known_attributes(file)
    stored = wanted & SETTABLE_ATTRIBUTES | now.stored & FileAttribute.SPARSE_FILE
    if stored != now.stored:
        _change(file, now, stored, 0, drops=True)


@changes_records
def set_sparse(file: File, sparse: bool) -> None:
    """FSCTL_SET_SPARSE ([MS-FSCC] 2.3.69): whether zeroed ranges may lose their storage.

    Raises NtError: ACCESS_DENIED in a read-only share, NOT_SUPPORTED where it cannot be stored;
    OSError.
    """
    file.root.check_writable()
    now = known_attributes(file)
    bit = FileAttribute.SPARSE_FILE
    # Said of a file that only has holes it is stored all the same: they may be filled meanwhile.
    if (now.stored if sparse else now.shown) & bit == (bit if sparse else 0):
        return
    cleared = 0 if sparse else now.computed & bit
    stored = now.stored | bit if sparse else now.stored & ~bit
    if not _store(file, stored, now.creation_time, now.cleared & ~stored | cleared):
        raise NtError(NtStatus.NOT_SUPPORTED)


def _change(file: File, now: Attributes, stored: int, cleared: int, *, drops: bool = False) -> None:
    """Store other attributes; `cleared` are computed ones that go.

    Where there is no place for them, READONLY becomes the mode, and with `drops` the others go.
    """
    cleared |= now.cleared & ~stored
    if _store(file, stored, now.creation_time, cleared):
        return
    if cleared & FileAttribute.READONLY:
        raise NtError(NtStatus.ACCESS_DENIED)
    if stored & ~now.shown & (FileAttribute.HIDDEN | FileAttribute.SYSTEM) and not drops:
        raise NtError(NtStatus.NOT_SUPPORTED)
    if stored & FileAttribute.READONLY and not file.is_directory:
        # On a mount with one owner for all files (vfat), a file just made is not ours.
        with contextlib.suppress(*(PermissionError,) if drops else ()):
            _set_mode(file, stat.S_IMODE(os.fstat(file.fd).st_mode) & ~_WRITE_BITS)


def _store(file: File, stored: int, creation_time: int | None, cleared: int) -> bool:
    """Write the record; False where there is no place for it, or none left."""
    if file.is_directory:
        stored |= FileAttribute.DIRECTORY  # as Samba writes it
    return _placed(file, dosattrib.NAME, dosattrib.pack(stored, creation_time, cleared))


def _placed(file: File, attribute: str, value: bytes) -> bool:
    """Set an extended attribute; False where this file system, or this file, has no room for it."""
    try:
        xattrs.write(file, attribute, value, NtStatus.EA_TOO_LARGE)
    except NtError:  # other attributes of the file have all the room
        return False
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return False
    return True


def _let_owner_write(file: File) -> bool:
    """False where that is another user's to say, and we may write all the same."""
    status = os.fstat(file.fd)
    if not status.st_mode & stat.S_IWUSR:
        try:
            _set_mode(file, stat.S_IMODE(status.st_mode) | stat.S_IWUSR)
        except PermissionError:
            if status.st_uid == os.geteuid() or not may_describe(file):
                raise
            return False
    return True


def _set_mode(file: File, mode: int) -> None:
    os.chmod(file.target, mode)  # noqa: PTH101 (a descriptor)
