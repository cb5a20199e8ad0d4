"""What a login may do with a file: what Unix lets this process, less what a descriptor forbids.

[MS-FSA] 2.1.5.1.2.1.  Only the rights that are asked about are looked into: most CREATEs name
few, and an open file has proved some of them already.
"""

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import File, Root, acl
from smbd.vfs.acl import Token
from smbd.wire.access import FILE_ALL_ACCESS, Access
from smbd.wire.dtyp import SecurityDescriptor

# Linux gives extended attributes to a process that may read the data.
_READING = Access.FILE_READ_DATA | Access.FILE_EXECUTE | Access.FILE_READ_EA
_WRITING = (
    Access.FILE_WRITE_DATA
    | Access.FILE_APPEND_DATA
    | Access.FILE_WRITE_EA
    | Access.FILE_DELETE_CHILD
)
_SECURING = Access.WRITE_DAC | Access.WRITE_OWNER
_DESCRIBING = Access.FILE_WRITE_ATTRIBUTES | Access.FILE_WRITE_EA | _SECURING
_BY_UNIX = _READING | _WRITING | _DESCRIBING | Access.DELETE
# Rights over a file that those over its folder imply.
_FROM_FOLDER = (
    (Access.DELETE, Access.FILE_DELETE_CHILD),
    (Access.FILE_READ_ATTRIBUTES, Access.FILE_LIST_DIRECTORY),
)
_LOST = frozenset((NtStatus.OBJECT_NAME_NOT_FOUND, NtStatus.OBJECT_PATH_NOT_FOUND))


def of(
    file: File, descriptor: SecurityDescriptor | None, token: Token, asked: int, proven: int = 0
) -> int:
    """Those of the rights `asked` about that the caller has.  Blocks.

    `descriptor` is the one stored with the file.  Of those `proven` Linux is not asked.
    """
    asked &= FILE_ALL_ACCESS
    if descriptor is not None:
        asked &= _by_descriptor(file, descriptor, token, asked)
    by_unix = asked & _BY_UNIX & ~proven
    return asked & ~_forbidden_by_unix(file, by_unix) if by_unix else asked


def _by_descriptor(file: File, descriptor: SecurityDescriptor, token: Token, asked: int) -> int:
    has = acl.allowed(descriptor, token)
    if asked & ~has & (Access.DELETE | Access.FILE_READ_ATTRIBUTES) and file.path:
        above = in_folder(file.root, file.path, token)
        for right, implied_by in _FROM_FOLDER:
            if above & implied_by:
                has |= right
    return has


def in_folder(root: Root, path: str, token: Token) -> int:
    """The rights over the folder that holds `path`, as far as a descriptor limits them.  Blocks."""
    descriptor = of_folder(root, path)
    return FILE_ALL_ACCESS if descriptor is None else acl.allowed(descriptor, token)


def of_folder(root: Root, path: str) -> SecurityDescriptor | None:
    """The descriptor stored with the folder that holds `path`, if there are both.  Blocks."""
    try:
        with root.open(path.rpartition("/")[0], read=False, write=False) as folder:
            return acl.load(folder)
    except NtError as error:
        if error.status not in _LOST:
            raise
        return None


def _forbidden_by_unix(file: File, asked: int) -> int:
    forbidden = 0
    # A descriptor that we could not read again would shut everybody out.
    if asked & (_READING | _SECURING) and not vfs.may_read(file):
        forbidden |= _READING | _SECURING
    if asked & _WRITING and not vfs.may_write(file):
        forbidden |= _WRITING
    if asked & _DESCRIBING and not vfs.may_describe(file):
        forbidden |= _DESCRIBING
    # The root is never deleted, but a client that may change all in it opens it with all rights.
    # A stream's removal changes its file.
    is_name = file.path and file.stream is None
    may_remove = vfs.may_remove if is_name else vfs.may_write
    if asked & Access.DELETE and not may_remove(file):
        forbidden |= Access.DELETE
    return forbidden
