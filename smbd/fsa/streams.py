"""What CREATE does with named streams, in a worker: [MS-FSA] 2.1.5.1.

A stream has the attributes, the rights and the name of its file, which is opened or made first.
"""

from dataclasses import replace

from smbd import vfs
from smbd.fsa import rights
from smbd.fsa.opening import CREATES, READS, WRITES, Found, Wanted, create, grant, look, open_data
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import File, Maker, Root
from smbd.wire.access import FILE_ALL_ACCESS, Access
from smbd.wire.create import CreateAction, CreateDisposition, CreateOptions
from smbd.wire.fscc import FileAttribute

# As for files: a loop that goes round more often has met an attacker, not a race.
_TRIES = 100
_OF_STREAM = CreateOptions.DELETE_ON_CLOSE | CreateOptions.NON_DIRECTORY_FILE


def open_or_create_stream(root: Root, wanted: Wanted, maker: Maker) -> Found:
    """Open a stream or make it, and its file if that is not there either.  Blocks.

    Raises NtError: OBJECT_NAME_NOT_FOUND, OBJECT_NAME_COLLISION, OBJECT_NAME_INVALID where there
    can be no streams, ACCESS_DENIED and what opening its file raises; OSError.
    """
    root.check_in_sight()
    for _ in range(_TRIES):
        try:
            file = open_data(root.open, wanted)
        except NtError as error:
            missing = error.status == NtStatus.OBJECT_NAME_NOT_FOUND
            if not missing or wanted.disposition not in CREATES:
                raise
        else:
            try:
                return _open_or_create_in(file, wanted, maker)
            except BaseException:
                file.close()
                raise
        try:
            return _create_with_file(root, wanted, maker)
        except NtError as error:
            if error.status != NtStatus.OBJECT_NAME_COLLISION:
                raise
    raise NtError(NtStatus.OBJECT_NAME_COLLISION)


def _open_or_create_in(file: File, wanted: Wanted, maker: Maker) -> Found:
    if wanted.disposition == CreateDisposition.CREATE:
        return _create_in(file, wanted, maker)
    for _ in range(_TRIES):
        try:
            stream = _opened(file, wanted)
        except NtError as error:
            missing = error.status == NtStatus.OBJECT_NAME_NOT_FOUND
            if not missing or wanted.disposition not in CREATES:
                raise
        else:
            return look(stream, wanted)
        try:
            return _create_in(file, wanted, maker)
        except NtError as error:  # by another name of the file, meanwhile
            if error.status != NtStatus.OBJECT_NAME_COLLISION:
                raise
    raise NtError(NtStatus.OBJECT_NAME_COLLISION)


def _create_in(file: File, wanted: Wanted, maker: Maker) -> Found:
    """Make a stream of a file that is there: it is written to, whatever the new open may do."""
    if wanted.made_refusal:
        raise NtError(wanted.made_refusal)
    known, descriptor = vfs.examine(file)
    if known.attributes & FileAttribute.READONLY and not known.is_directory:
        raise NtError(NtStatus.ACCESS_DENIED)
    about = FILE_ALL_ACCESS if wanted.access & Access.MAXIMUM_ALLOWED else wanted.access
    if wanted.tells_maximum:
        about = FILE_ALL_ACCESS
    about = (about | Access.FILE_WRITE_DATA) & wanted.share_maximum
    maximal = rights.of(file, descriptor, wanted.token, about)
    if not maximal & Access.FILE_WRITE_DATA:
        raise NtError(NtStatus.ACCESS_DENIED)
    granted = grant(wanted, maximal)
    vfs.create_stream(file, wanted.stream, maker)
    try:
        stream = _new(file, wanted)
    except BaseException:
        vfs.remove_stream(file, wanted.stream)
        raise
    known = vfs.information(stream)
    return Found(stream, CreateAction.CREATED, known, granted, maximal, made=stream)


def _create_with_file(root: Root, wanted: Wanted, maker: Maker) -> Found:
    of_file = replace(wanted, stream="", allocation=0, options=wanted.options & ~_OF_STREAM)
    if not root.has_streams:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    if wanted.made_refusal:
        raise NtError(wanted.made_refusal)
    found = create(root, of_file, maker)
    if found.failure is None:
        try:
            vfs.create_stream(found.file, wanted.stream, maker)
            found.file = _new(found.file, wanted)
            found.information = vfs.information(found.file)
        except Exception as error:  # noqa: BLE001 -- told where the file can be removed again
            found.failure = error
    return found


def _new(file: File, wanted: Wanted) -> File:
    stream = _opened(file, wanted)
    if wanted.allocation and stream.writable:
        vfs.allocate(stream, wanted.allocation)
    return stream


def _opened(file: File, wanted: Wanted) -> File:
    """Open with what the data rights need; a directory's own descriptor has proved nothing."""
    read, write = file.readable, file.writable
    if file.is_directory:
        everything = wanted.access & Access.MAXIMUM_ALLOWED
        named = wanted.access & WRITES or wanted.truncates
        read = bool(wanted.access & READS or everything)
        write = bool((named or everything) and vfs.may_write(file))
        if named and not write:
            raise NtError(NtStatus.ACCESS_DENIED)
    return vfs.open_stream(file, wanted.stream, read=read, write=write)
