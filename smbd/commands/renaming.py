"""Rename and hard link ([MS-FSA] 2.1.5.15.11 and 2.1.5.15.6): new names for an open file."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from smbd.commands import rights, security
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import FileTable, Open
from smbd.vfs import File, examine, name_to_path
from smbd.vfs.acl import Token
from smbd.wire.access import Access
from smbd.wire.create import ShareAccess
from smbd.wire.fscc import FileAttribute, Rename


async def rename(request: Request, open_: Open, value: Rename) -> None:
    """Give the file another name, over an existing one if `replace` says so and nobody has it."""
    service, file = request.service, open_.file
    _check_source(open_)
    if not file.path:
        raise NtError(NtStatus.ACCESS_DENIED)  # the root of the share
    target = _target(value)
    await _check_target(request, open_, target, replace=value.replace)
    if file.is_directory and any(one.file.path for one in service.files.below(open_)):
        raise NtError(NtStatus.ACCESS_DENIED)  # [MS-FSA]: a directory in which something is open
    old = file.path
    await request.blocking(file.root.rename, file, target, value.replace)
    assert open_.link is not None, "it was entered"
    open_.link.renamed(file.path)
    service.notify.renamed(file, old)


async def link(request: Request, open_: Open, value: Rename) -> None:
    """Give the file one more name."""
    _check_source(open_)
    target = _target(value)
    await _check_target(request, open_, target, replace=value.replace)
    await request.blocking(open_.file.root.link, open_.file, target, value.replace)
    request.service.notify.added(open_.file, target)


def _check_source(open_: Open) -> None:
    """[MS-FSA]: a name that waits for its deletion is neither moved nor made two of."""
    if open_.link is None or open_.link.delete_pending:
        raise NtError(NtStatus.ACCESS_DENIED)


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
    token = security.token_of(request.live_session())
    with await request.blocking(_look, open_.file, target, token) as place:
        _check_place(request.service.files, open_, place, replace=replace)


def _check_place(files: FileTable, open_: Open, place: "_Place", *, replace: bool) -> None:
    # [MS-FSA] opens the folder to add to it, sharing neither its deletion nor its renaming.
    files.check(place.folder, Access.FILE_ADD_FILE, ShareAccess.READ | ShareAccess.WRITE)
    if place.there is None:
        return
    state = files.of(place.there)
    link = None if state is None else state.link_of(place.there)
    if link is not None and link is not open_.link and link.delete_pending:
        raise NtError(NtStatus.ACCESS_DENIED)
    if place.there.identity == open_.file.identity:
        return  # another spelling of its own name, or another link: storage decides
    if not replace:
        raise NtError(NtStatus.OBJECT_NAME_COLLISION)
    if not place.replaceable or link is not None:
        raise NtError(NtStatus.ACCESS_DENIED)


@dataclass(slots=True)
class _Place:
    """Where a new name is to be, and what has it already; open as long as they are asked about."""

    folder: File
    there: File | None = None
    replaceable: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.close()
        if self.there is not None:
            self.there.close()


def _look(file: File, target: str, token: Token) -> _Place:
    """Blocks.  Raises NtError: OBJECT_PATH_NOT_FOUND, ACCESS_DENIED if nothing may be added."""
    root = file.root
    try:
        place = _Place(root.open(target.rpartition("/")[0], read=False, write=False))
    except NtError as error:
        if error.status != NtStatus.OBJECT_NAME_NOT_FOUND:
            raise
        raise NtError(NtStatus.OBJECT_PATH_NOT_FOUND) from error
    with ExitStack() as at_error:
        at_error.enter_context(place)
        adding = Access.FILE_ADD_SUBDIRECTORY if file.is_directory else Access.FILE_ADD_FILE
        if not rights.in_folder(root, target, token) & adding:
            raise NtError(NtStatus.ACCESS_DENIED)
        _look_there(place, target, token)
        at_error.pop_all()
    return place


def _look_there(place: _Place, target: str, token: Token) -> None:
    try:
        there = place.there = place.folder.root.open(target, read=False, write=False)
    except NtError as error:
        if error.status != NtStatus.OBJECT_NAME_NOT_FOUND:
            raise
        return
    known, descriptor = examine(there)
    readonly = known.attributes & FileAttribute.READONLY
    deletable = rights.of(there, descriptor, token, Access.DELETE)
    place.replaceable = bool(deletable) and not readonly
