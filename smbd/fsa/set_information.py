"""What SET_INFO does to a file, less its names and its security: [MS-FSA] 2.1.5.15."""

import contextlib

from smbd import vfs
from smbd.fsa import write_time
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import File
from smbd.wire.fscc import BasicInformation, ExtendedAttribute, FileAttribute


def basic(file: File, value: BasicInformation, kept: int | None = None) -> int:
    """[MS-FSA] 2.1.5.15.2: set times and attributes; the LastWriteTime that the file then has.

    `kept` is the one that it is to have before.  Blocks.
    """
    if kept is not None:
        write_time.put_back(file, kept)
    if value.attributes:
        if value.attributes & FileAttribute.DIRECTORY and not file.is_directory:
            raise NtError(NtStatus.INVALID_PARAMETER)
        if value.attributes & FileAttribute.TEMPORARY and file.is_directory:
            raise NtError(NtStatus.INVALID_PARAMETER)
    creation, access, write, change = (
        time if time > 0 else None
        for time in (
            value.creation_time,
            value.last_access_time,
            value.last_write_time,
            value.change_time,
        )
    )
    # cifs.ko says so with each time that it sets.  A record of it would be a change of its own, and
    # cost each later look at the file a system call.
    if change is not None and (access or write) and vfs.is_present(change):
        change = None
    several = value.attributes or creation is not None or change is not None
    with vfs.all_or_nothing(file) if several else contextlib.nullcontext():
        if value.attributes:
            vfs.set_attributes(file, value.attributes)
        if creation or access or write or change:
            vfs.set_times(file, creation, access, write, change)
    return vfs.last_write_time(file)


def check_deletable(file: File) -> None:
    """A directory must be empty, nothing may be READONLY, and the root stays.  Blocks.

    Of a symbolic link to a directory only the link goes.
    """
    if (not file.path and file.stream is None) or vfs.information(
        file
    ).attributes & FileAttribute.READONLY:
        raise NtError(NtStatus.CANNOT_DELETE)
    if file.is_directory and not file.is_symlink and not vfs.is_empty(file):
        raise NtError(NtStatus.DIRECTORY_NOT_EMPTY)


def eas(file: File, values: list[ExtendedAttribute]) -> None:
    """[MS-FSA] 2.1.5.15.5: set extended attributes, all of them or none.  Blocks."""
    with vfs.all_or_nothing(file, values):
        vfs.set_eas(file, values)
