"""Rename and hard link ([MS-FSA] 2.1.5.15.11 and 2.1.5.15.6): new names for an open file."""

from dataclasses import dataclass

from smbd.commands import rights, security
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import Open
from smbd.vfs import File, examine, name_to_path
from smbd.vfs.acl import Token
from smbd.wire.access import Access
from smbd.wire.create import ShareAccess
from smbd.wire.fscc import FileAttribute, Rename


async def rename(request: Request, open_: Open, value: Rename) -> None:
    """Give the file another name, over an existing one if `replace` says so and nobody has it."""
    service, file = request.service, open_.file
    if not file.path:
        raise NtError(NtStatus.ACCESS_DENIED)  # the root of the share
    target = _target(value)
    await _check_target(request, open_, target, replace=value.replace)
    if file.is_directory and any(one.file.path for one in service.files.below(open_)):
        raise NtError(NtStatus.ACCESS_DENIED)  # [MS-FSA]: a directory in which something is open
    old = file.path
    await request.blocking(file.root.rename, file, target, value.replace)
    state = service.files.of(file)
    if state is not None:  # else a CLOSE came meanwhile
        state.renamed(old, file.path)
    service.notify.renamed(file, old)


async def link(request: Request, open_: Open, value: Rename) -> None:
    """Give the file one more name."""
    target = _target(value)
    await _check_target(request, open_, target, replace=value.replace)
    await request.blocking(open_.file.root.link, open_.file, target, value.replace)
    request.service.notify.added(open_.file, target)


def _target(value: Rename) -> str:
    """The new path; from the share's root, whether or not the client says so."""
    path = name_to_path(value.name.removeprefix("\\"))
    if not path:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    return path


async def _check_target(request: Request, open_: Open, target: str, *, replace: bool) -> None:
    """The folder must take the name, and what stands there be nobody's open file, nor READONLY."""
    if request.live_tree().barred:
        # A new name is a right over the folder, which the handle does not have.
        raise NtError(NtStatus.ACCESS_DENIED)
    files, file = request.service.files, open_.file
    token = security.token_of(request.live_session())
    place = await request.blocking(_look, file, target, token)
    # [MS-FSA] opens the folder to add to it, sharing neither its deletion nor its renaming.
    files.check(place.folder, Access.FILE_ADD_FILE, ShareAccess.READ | ShareAccess.WRITE)
    if place.there is None or place.there.identity == file.identity:
        return  # another spelling of its own name, or another link: storage decides
    if not replace:
        raise NtError(NtStatus.OBJECT_NAME_COLLISION)
    state = files.of(place.there)
    if not place.replaceable or (state is not None and state.opens):
        raise NtError(NtStatus.ACCESS_DENIED)


@dataclass(slots=True)
class _Place:
    """Where a new name is to be, and what has it already; the files are closed."""

    folder: File
    there: File | None = None
    replaceable: bool = False


def _look(file: File, target: str, token: Token) -> _Place:
    """Blocks.  Raises NtError: OBJECT_PATH_NOT_FOUND, ACCESS_DENIED if nothing may be added."""
    root = file.root
    try:
        with root.open(target.rpartition("/")[0], read=False, write=False) as folder:
            place = _Place(folder)
    except NtError as error:
        if error.status != NtStatus.OBJECT_NAME_NOT_FOUND:
            raise
        raise NtError(NtStatus.OBJECT_PATH_NOT_FOUND) from error
    adding = Access.FILE_ADD_SUBDIRECTORY if file.is_directory else Access.FILE_ADD_FILE
    if not rights.in_folder(root, target, token) & adding:
        raise NtError(NtStatus.ACCESS_DENIED)
    try:
        with root.open(target, read=False, write=False) as there:
            place.there = there
            known, descriptor = examine(there)
            readonly = known.attributes & FileAttribute.READONLY
            deletable = rights.of(there, descriptor, token, Access.DELETE)
            place.replaceable = bool(deletable) and not readonly
    except NtError as error:
        if error.status != NtStatus.OBJECT_NAME_NOT_FOUND:
            raise
    return place
