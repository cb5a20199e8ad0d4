"""What CREATE does with names and storage, in a worker: open or make, and look.

[MS-FSA] 2.1.5.1 is the order of the checks.  Nothing here knows other opens of the file.
"""

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from smbd import vfs
from smbd.fsa import rights
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import File, Maker, Place, Root, acl
from smbd.vfs.acl import Token
from smbd.wire.access import FILE_ALL_ACCESS, Access
from smbd.wire.create import CreateAction, CreateDisposition, CreateOptions
from smbd.wire.dtyp import SecurityDescriptor
from smbd.wire.fscc import ExtendedAttribute, FileAttribute, FileInformation

Opened = TypeVar("Opened", File, File | None)

READS = Access.FILE_READ_DATA | Access.FILE_EXECUTE
WRITES = Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA
# [MS-FSA] 2.1.5.1.2.1: what MAXIMUM_ALLOWED does not bring.  MxAc tells it all the same: READONLY
# is an attribute: an open with FILE_WRITE_ATTRIBUTES can take it away again.
_NOT_IF_READONLY = WRITES | Access.FILE_DELETE_CHILD
TRUNCATES = frozenset(
    (CreateDisposition.SUPERSEDE, CreateDisposition.OVERWRITE, CreateDisposition.OVERWRITE_IF)
)
# What Linux refuses to open a file for: the mode, chattr +i, a read-only mount, a running program.
_REFUSED = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ETXTBSY))
CREATES = frozenset(
    (
        CreateDisposition.SUPERSEDE,
        CreateDisposition.CREATE,
        CreateDisposition.OPEN_IF,
        CreateDisposition.OVERWRITE_IF,
    )
)
# Extended attributes that the loop gives a new file: few, and short ones.
_FEW_EAS, _SMALL = 4, 4096
# Between "not there" and "there already" another process may make or remove the name: a loop that
# goes round more often than this has met an attacker, not a race.
_TRIES = 100


@dataclass(slots=True, kw_only=True)
class Wanted:
    """What a CREATE asks for, as far as storage is concerned."""

    path: str
    stream: str = ""  # the named stream of it that is meant
    access: int  # generic rights resolved; may have MAXIMUM_ALLOWED
    disposition: int
    options: int
    attributes: int
    share_maximum: int  # what the tree connect allows at most
    token: Token
    tells_maximum: bool = False  # MxAc
    security: SecurityDescriptor | None = None  # SecD
    eas: Sequence[ExtendedAttribute] = ()  # ExtA
    allocation: int = 0  # AlSi
    made_refusal: int = 0  # the status of a CREATE that would have to make the file
    truncates: bool = False  # whether an existing file loses its data, as the disposition has it
    removes: bool = False  # its name goes in this very act, where Linux lets it: that is not asked

    @property
    def is_directory(self) -> bool:
        """Whether a directory is wanted."""
        return bool(self.options & CreateOptions.DIRECTORY_FILE)


@dataclass(slots=True)
class Found:
    """An open file whose share mode is not checked against other opens yet."""

    file: File
    action: int
    information: FileInformation
    granted: int
    maximal: int  # all that the caller could have had, if `tells_maximum` asked
    limited: bool = False  # by a descriptor that is stored with the file
    failure: Exception | None = None  # why a file that was made cannot be what was asked for
    made: File | None = None  # what goes again if the CREATE fails: `file`, or the stream's file


def open_or_create(root: Root, wanted: Wanted, maker: Maker) -> Found:
    """Open what is there or make what is not, as the disposition says.  Blocks."""
    root.check_in_sight()
    for _ in range(_TRIES):
        if wanted.disposition != CreateDisposition.CREATE:
            try:
                return open_existing(root, wanted)
            except NtError as error:
                missing = error.status == NtStatus.OBJECT_NAME_NOT_FOUND
                if not missing or wanted.disposition not in CREATES:
                    raise
        if wanted.made_refusal:
            raise NtError(wanted.made_refusal)
        try:
            return create(root, wanted, maker)
        except NtError as error:
            collided = error.status == NtStatus.OBJECT_NAME_COLLISION
            if not collided or wanted.disposition == CreateDisposition.CREATE:
                raise
    raise NtError(NtStatus.OBJECT_NAME_COLLISION)


def open_existing(root: Root, wanted: Wanted) -> Found:
    """Open what is there; NtError(OBJECT_NAME_NOT_FOUND) if nothing is.  Blocks."""
    found = look(open_data(root.open, wanted), wanted)
    if found.information.number_of_links:
        return found
    # Its last name was removed between the look-up and the open: data written into it would be
    # lost.  But a file system that counts no links says so again.
    with found.file as gone:
        found = look(open_data(root.open, wanted), wanted)
        if not found.information.number_of_links and found.file.identity != gone.identity:
            found.file.close()
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
    return found


def open_cached(root: Root, wanted: Wanted) -> Found | None:
    """The same without waiting: None if it is not certain that there would be no wait."""
    file = open_data(root.open_cached, wanted)
    return None if file is None else look(file, wanted)


def look(file: File, wanted: Wanted) -> Found:
    """Check an open file against what is wanted of it; it is closed again if that cannot be."""
    try:
        information, descriptor = vfs.examine(file)
        _check_kind(file, wanted)
        _check_attributes(file, information, wanted)
        maximal = _maximal(file, descriptor, wanted)
        proven = maximal
        if wanted.access & Access.MAXIMUM_ALLOWED:
            proven &= ~_unproven(file)
        readonly = information.attributes & FileAttribute.READONLY and not file.is_directory
        granted = grant(wanted, proven, readonly=bool(readonly))
    except BaseException:
        file.close()
        raise
    limited = descriptor is not None
    return Found(file, CreateAction.OPENED, information, granted, maximal, limited)


def open_data(open_: Callable[[str, bool, bool], Opened], wanted: Wanted) -> Opened:
    """Open with what the data rights need; MAXIMUM_ALLOWED takes what there is.

    Never for writing where the tree connect allows none: `look` refuses that, once it is known that
    the file is there, and on overlayfs such an open would have copied it.
    """
    read, may_write = bool(wanted.access & READS), bool(wanted.share_maximum & WRITES)
    write = may_write and (bool(wanted.access & WRITES) or wanted.truncates)
    if not wanted.access & Access.MAXIMUM_ALLOWED:
        return open_(wanted.path, read, write)
    for more_read, more_write in ((True, may_write), (True, write), (read, may_write)):
        try:
            return open_(wanted.path, more_read, more_write)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
        except NtError as error:
            if error.status != NtStatus.ACCESS_DENIED:
                raise
    return open_(wanted.path, read, write)


def _unproven(file: File) -> int:
    """What MAXIMUM_ALLOWED does not bring as the descriptor at hand could not do it."""
    if file.is_directory:
        return 0
    return (0 if file.readable else READS) | (0 if file.writable else WRITES)


def _check_kind(file: File, wanted: Wanted) -> None:
    """A directory where a file was asked for, or the other way round; the root stays."""
    if not (file.path or wanted.stream) and wanted.options & CreateOptions.DELETE_ON_CLOSE:
        raise NtError(NtStatus.CANNOT_DELETE)
    if file.is_directory:
        if wanted.options & CreateOptions.NON_DIRECTORY_FILE or wanted.truncates:
            raise NtError(NtStatus.FILE_IS_A_DIRECTORY)
    elif wanted.options & CreateOptions.DIRECTORY_FILE:
        raise NtError(NtStatus.NOT_A_DIRECTORY)


def _check_attributes(file: File, information: FileInformation, wanted: Wanted) -> None:
    """READONLY hinders writing and deleting; HIDDEN and SYSTEM must be repeated to overwrite.

    But where the name alone says HIDDEN no client has set it, and none could repeat it.
    """
    attributes = information.attributes
    if attributes & FileAttribute.READONLY and not information.is_directory:
        if wanted.access & WRITES or wanted.truncates:
            raise NtError(NtStatus.ACCESS_DENIED)
        if wanted.options & CreateOptions.DELETE_ON_CLOSE:
            raise NtError(NtStatus.CANNOT_DELETE)
    if wanted.truncates:
        guarded = attributes & (FileAttribute.HIDDEN | FileAttribute.SYSTEM) & ~wanted.attributes
        if guarded and not (guarded == FileAttribute.HIDDEN and vfs.hidden_by_name(file)):
            raise NtError(NtStatus.ACCESS_DENIED)


def _maximal(file: File, descriptor: SecurityDescriptor | None, wanted: Wanted) -> int:
    """The rights that the caller has: all, or of those that this CREATE is about."""
    about = wanted.access
    if wanted.truncates:
        about |= Access.FILE_WRITE_DATA
    if wanted.tells_maximum or wanted.access & Access.MAXIMUM_ALLOWED:
        about = FILE_ALL_ACCESS
    about &= wanted.share_maximum
    proven = Access.DELETE if wanted.removes else 0
    maximal = rights.of(file, descriptor, wanted.token, about, proven)
    if wanted.truncates and not maximal & Access.FILE_WRITE_DATA:
        raise NtError(NtStatus.ACCESS_DENIED)
    return maximal


def grant(wanted: Wanted, maximal: int, *, readonly: bool = False) -> int:
    """The rights that the open gets; ACCESS_DENIED if one that was named cannot be had."""
    named = wanted.access & ~Access.MAXIMUM_ALLOWED
    granted = maximal if wanted.access & Access.MAXIMUM_ALLOWED else named
    if readonly:
        granted &= ~_NOT_IF_READONLY
    needed = Access.DELETE if wanted.options & CreateOptions.DELETE_ON_CLOSE else 0
    if named & ~maximal or needed & ~granted or not granted:
        raise NtError(NtStatus.ACCESS_DENIED)
    return granted


def create(root: Root, wanted: Wanted, maker: Maker) -> Found:
    """Make what is not there; NtError(OBJECT_NAME_COLLISION) if it is.  Blocks."""
    _check_making(wanted)
    with root.place(wanted.path) as place:
        granted, descriptor = _rights_of_new(place, wanted)
        file = place.create(maker, directory=wanted.is_directory)
    return _made(file, wanted, granted, descriptor)


def place_at_once(root: Root, wanted: Wanted) -> Place | None:
    """Where the event loop may make what is not there now; None if a worker is to."""
    if (
        wanted.allocation
        or len(wanted.eas) > _FEW_EAS
        or sum(len(ea.value) for ea in wanted.eas) > _SMALL
    ):
        return None
    return root.place_at_once(wanted.path)


def create_at_once(place: Place, wanted: Wanted) -> Found | None:
    """As `create`, without waiting; None if it is there already, or its directory is to be read."""
    _check_making(wanted)
    granted, descriptor = _rights_of_new(place, wanted)
    file = place.create_at_once(directory=wanted.is_directory)
    return None if file is None else _made(file, wanted, granted, descriptor)


def _check_making(wanted: Wanted) -> None:
    readonly = wanted.attributes & FileAttribute.READONLY
    if readonly and wanted.options & CreateOptions.DELETE_ON_CLOSE:
        raise NtError(NtStatus.CANNOT_DELETE)


def _rights_of_new(place: Place, wanted: Wanted) -> tuple[int, SecurityDescriptor | None]:
    """What the CREATE is granted, and the descriptor of the new file."""
    above = acl.load(place.directory)
    needed = Access.FILE_ADD_SUBDIRECTORY if wanted.is_directory else Access.FILE_ADD_FILE
    in_folder = FILE_ALL_ACCESS if above is None else acl.allowed(above, wanted.token)
    if not in_folder & wanted.share_maximum & needed:
        raise NtError(NtStatus.ACCESS_DENIED)
    descriptor = acl.of_new(above, wanted.security, wanted.token, directory=wanted.is_directory)
    # The client that makes a file gets all access that it asks for, whatever others will get.
    return grant(wanted, FILE_ALL_ACCESS & wanted.share_maximum), descriptor


def _made(file: File, wanted: Wanted, granted: int, descriptor: SecurityDescriptor | None) -> Found:
    """Give a new file what its CREATE came with; what fails is told where it can be removed."""
    information = vfs.information_of_new(file)
    found = Found(file, CreateAction.CREATED, information, granted, FILE_ALL_ACCESS)
    found.made = file
    try:
        if _equip(file, wanted, descriptor):
            found.information = vfs.information(file)
        if wanted.tells_maximum:
            everything = FILE_ALL_ACCESS & wanted.share_maximum
            found.maximal = rights.of(file, descriptor, wanted.token, everything)
    except Exception as error:  # noqa: BLE001 -- told where it can be removed, if it is nobody's yet
        found.failure = error
    return found


def _equip(file: File, wanted: Wanted, descriptor: SecurityDescriptor | None) -> bool:
    """Give a new file what its CREATE came with; whether that was anything."""
    # A new file is to be archived, and shows so without a record of its own.
    kept = wanted.attributes & vfs.SETTABLE_ATTRIBUTES & ~FileAttribute.ARCHIVE
    if kept:
        kept |= 0 if file.is_directory else FileAttribute.ARCHIVE
        vfs.give_attributes(file, kept)
    if wanted.eas:
        vfs.set_eas(file, wanted.eas)
    allocates = wanted.allocation and not file.is_directory
    if allocates:
        vfs.allocate(file, wanted.allocation)
    if descriptor is not None:
        # Where there is no place for it the volume says so, and it is let be, as on Windows' FAT.
        acl.store(file, descriptor)
    return bool(kept or wanted.eas or allocates or descriptor is not None)


def truncate(file: File, wanted: Wanted) -> FileInformation:
    """What OVERWRITE and SUPERSEDE do to a file that was there.  Blocks.

    The content goes last, when nothing is left that could fail.  Its EAs stay, as with Samba:
    cifs.ko says O_TRUNC so, which takes no attributes away.  Its named streams go.  Of a stream
    only the content goes, since all else is its file's.
    """
    if wanted.stream:
        vfs.overwrite(file, wanted.allocation)
        return vfs.information(file)
    with vfs.all_or_nothing(file, wanted.eas):
        if wanted.eas:
            vfs.set_eas(file, wanted.eas)
        vfs.give_attributes(file, wanted.attributes | FileAttribute.ARCHIVE)
        vfs.overwrite(file, wanted.allocation)
    vfs.remove_streams(file)
    return vfs.information(file)
