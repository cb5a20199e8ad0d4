"""What CREATE does with names and storage, in a worker: open or make, and look.

[MS-FSA] 2.1.5.1 is the order of the checks.  Nothing here knows who else has the file open.
"""

from dataclasses import dataclass

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import File, Root
from smbd.wire.access import FILE_ALL_ACCESS, Access, map_generic
from smbd.wire.create import CreateAction, CreateDisposition, CreateOptions
from smbd.wire.fscc import FileAttribute, FileInformation

_READS = Access.FILE_READ_DATA | Access.FILE_EXECUTE
_WRITES = Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA
_TRUNCATES = frozenset(
    (CreateDisposition.SUPERSEDE, CreateDisposition.OVERWRITE, CreateDisposition.OVERWRITE_IF)
)
_CREATES = frozenset(
    (
        CreateDisposition.SUPERSEDE,
        CreateDisposition.CREATE,
        CreateDisposition.OPEN_IF,
        CreateDisposition.OVERWRITE_IF,
    )
)
# Between "not there" and "there already" somebody else may make or remove the name: a loop that
# goes round more often than this has met an attacker, not a race.
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a CREATE asks for, as far as storage is concerned."""

    path: str
    access: int  # generic rights resolved; may have MAXIMUM_ALLOWED
    disposition: int
    options: int
    attributes: int
    share_maximum: int  # what the tree connect allows at most

    @property
    def truncates(self) -> bool:
        """Whether an existing file loses its data."""
        return self.disposition in _TRUNCATES


@dataclass(slots=True)
class Found:
    """An open file, not yet agreed with those who have it open."""

    file: File
    action: int
    information: FileInformation
    granted: int
    maximal: int


def open_or_create(root: Root, wanted: Wanted) -> Found:
    """Open what is there or make what is not, as the disposition says.  Blocks."""
    for _ in range(_TRIES):
        if wanted.disposition != CreateDisposition.CREATE:
            try:
                return _open(root, wanted)
            except NtError as error:
                missing = error.status == NtStatus.OBJECT_NAME_NOT_FOUND
                if not missing or wanted.disposition not in _CREATES:
                    raise
        try:
            return _create(root, wanted)
        except NtError as error:
            collided = error.status == NtStatus.OBJECT_NAME_COLLISION
            if not collided or wanted.disposition == CreateDisposition.CREATE:
                raise
    raise NtError(NtStatus.OBJECT_NAME_COLLISION)


def _open(root: Root, wanted: Wanted) -> Found:
    file = _open_data(root, wanted)
    try:
        information = vfs.information(file)
        _check_kind(file, wanted)
        _check_attributes(information, wanted)
        maximal = maximal_access(file, information) & wanted.share_maximum
        granted = _grant(wanted, maximal)
        if wanted.truncates and not maximal & Access.FILE_WRITE_DATA:
            raise NtError(NtStatus.ACCESS_DENIED)
    except BaseException:
        file.close()
        raise
    return Found(file, CreateAction.OPENED, information, granted, maximal)


def _open_data(root: Root, wanted: Wanted) -> File:
    """Open with what the data rights need; MAXIMUM_ALLOWED takes what there is."""
    read = bool(wanted.access & _READS)
    write = bool(wanted.access & _WRITES) or wanted.truncates
    if not wanted.access & Access.MAXIMUM_ALLOWED:
        return root.open(wanted.path, read, write)
    for more_read, more_write in ((True, True), (True, write), (read, write)):
        try:
            return root.open(wanted.path, more_read, more_write)
        except NtError as error:
            if error.status != NtStatus.ACCESS_DENIED or (more_read, more_write) == (read, write):
                raise
    raise NtError(NtStatus.ACCESS_DENIED)


def _create(root: Root, wanted: Wanted) -> Found:
    if (
        wanted.attributes & FileAttribute.READONLY
        and wanted.options & CreateOptions.DELETE_ON_CLOSE
    ):
        raise NtError(NtStatus.CANNOT_DELETE)
    maximal = FILE_ALL_ACCESS & wanted.share_maximum
    granted = _grant(wanted, maximal)
    if not maximal & Access.FILE_WRITE_DATA:
        raise NtError(NtStatus.ACCESS_DENIED)
    directory = bool(wanted.options & CreateOptions.DIRECTORY_FILE)
    file = root.create(wanted.path, directory)
    try:
        # A new file is to be archived, and shows so without a record of its own.
        kept = wanted.attributes & _SETTABLE & ~FileAttribute.ARCHIVE
        if kept:
            vfs.set_attributes(file, kept | (0 if directory else FileAttribute.ARCHIVE))
        information = vfs.information(file)
    except BaseException:
        root.remove(file)
        file.close()
        raise
    return Found(file, CreateAction.CREATED, information, granted, maximal)


_SETTABLE = (
    FileAttribute.READONLY
    | FileAttribute.HIDDEN
    | FileAttribute.SYSTEM
    | FileAttribute.ARCHIVE
    | FileAttribute.TEMPORARY
    | FileAttribute.OFFLINE
    | FileAttribute.NOT_CONTENT_INDEXED
)


def truncate(file: File, wanted: Wanted) -> FileInformation:
    """What OVERWRITE and SUPERSEDE do to a file that was there.  Blocks."""
    vfs.set_end_of_file(file, 0)
    vfs.set_attributes(file, (wanted.attributes & _SETTABLE) | FileAttribute.ARCHIVE)
    return vfs.information(file)


def _check_kind(file: File, wanted: Wanted) -> None:
    """A directory where a file was asked for, or the other way round."""
    if file.is_directory:
        if wanted.options & CreateOptions.NON_DIRECTORY_FILE or wanted.truncates:
            raise NtError(NtStatus.FILE_IS_A_DIRECTORY)
    elif wanted.options & CreateOptions.DIRECTORY_FILE:
        raise NtError(NtStatus.NOT_A_DIRECTORY)


def _check_attributes(information: FileInformation, wanted: Wanted) -> None:
    """READONLY hinders writing and deleting; HIDDEN and SYSTEM must be repeated to overwrite."""
    attributes = information.attributes
    if attributes & FileAttribute.READONLY and not information.is_directory:
        if wanted.access & _WRITES or wanted.truncates:
            raise NtError(NtStatus.ACCESS_DENIED)
        if wanted.options & CreateOptions.DELETE_ON_CLOSE:
            raise NtError(NtStatus.CANNOT_DELETE)
    if wanted.truncates:
        guarded = attributes & (FileAttribute.HIDDEN | FileAttribute.SYSTEM)
        if guarded & ~wanted.attributes:
            raise NtError(NtStatus.ACCESS_DENIED)


def maximal_access(file: File, information: FileInformation) -> int:
    """What this process may do with a file, as an access mask."""
    may = vfs.access(file)
    mask = (
        Access.FILE_READ_ATTRIBUTES | Access.READ_CONTROL | Access.SYNCHRONIZE | Access.FILE_READ_EA
    )
    if may.read:
        mask |= Access.FILE_READ_DATA | Access.FILE_EXECUTE
    if may.write:
        mask |= (
            _WRITES
            | Access.FILE_WRITE_EA
            | Access.FILE_WRITE_ATTRIBUTES
            | Access.FILE_DELETE_CHILD
            | Access.WRITE_DAC
            | Access.WRITE_OWNER
        )
        if information.attributes & FileAttribute.READONLY and not information.is_directory:
            mask &= ~_WRITES
    if may.remove:
        mask |= Access.DELETE
    return mask


def _grant(wanted: Wanted, maximal: int) -> int:
    """The rights that the open gets; ACCESS_DENIED if one that was named cannot be had."""
    named = wanted.access & ~Access.MAXIMUM_ALLOWED
    # READONLY is an attribute, which who may write attributes can take away again.
    if named & ~maximal:
        raise NtError(NtStatus.ACCESS_DENIED)
    return maximal if wanted.access & Access.MAXIMUM_ALLOWED else named


def wanted_access(desired: int) -> int:
    """DesiredAccess with the generic rights spelled out; ACCESS_DENIED for none at all."""
    access = map_generic(desired)
    if not access:
        raise NtError(NtStatus.ACCESS_DENIED)
    if access & Access.ACCESS_SYSTEM_SECURITY:
        raise NtError(NtStatus.PRIVILEGE_NOT_HELD)
    return access
