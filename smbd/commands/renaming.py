"""Rename and hard link ([MS-FSA] 2.1.5.15.11 and 2.1.5.15.6): new names for an open file."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from smbd.commands import rights, security
from smbd.commands.waiting import alone, until
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import Change, FileTable, Open, Wait
from smbd.vfs import File, MovedError, examine, name_to_path
from smbd.vfs.acl import Token
from smbd.wire.access import Access
from smbd.wire.create import ShareAccess
from smbd.wire.fscc import FileAttribute, Rename

# What is replaced or removed again each time between look and act has met an attacker, not a race.
_TRIES = 100


async def rename(request: Request, open_: Open, value: Rename) -> None:
    """Give the file another name, over an existing one if `replace` says so and nobody has it."""
    if not open_.file.path:
        raise NtError(NtStatus.ACCESS_DENIED)  # the root of the share
    await _carry_out(request, _Naming(open_, _target(value), value.replace, moves=True))


async def link(request: Request, open_: Open, value: Rename) -> None:
    """Give the file one more name."""
    await _carry_out(request, _Naming(open_, _target(value), value.replace, moves=False))


@dataclass(frozen=True, slots=True)
class _Naming:
    """A new name for an open file: in place of its own one, or beside it."""

    open: Open
    target: str
    replace: bool
    moves: bool


async def _carry_out(request: Request, naming: _Naming) -> None:
    """Look and act, once more after whatever was in the way or came between."""
    if request.live_tree().barred:
        # A new name is a right over the folder, which the handle does not have.
        raise NtError(NtStatus.ACCESS_DENIED)
    async with alone(request, naming.open):
        for _ in range(_TRIES):
            wait = await _try(request, naming)
            if wait is None:
                return
            await until(wait)
    raise NtError(NtStatus.SHARING_VIOLATION)


async def _try(request: Request, naming: _Naming) -> Wait | None:
    """What to wait for before another try, if it could not be done now.

    In a worker: look.  In one turn of the loop: check, and reserve what was checked.  In a worker:
    act, if what was looked at is still there.
    """
    files, open_ = request.service.files, naming.open
    token = security.token_of(request.live_session())
    with await request.blocking(_look, open_.file, naming.target, token) as place:
        _check_source(open_)
        _check_place(files, naming, place)
        change = _reserve(files, naming, place)
        if isinstance(change, Wait):
            return change
        with change:
            _check_moved(files, naming)
            old = open_.file.path
            if not await request.blocking(_act, naming, place, token):
                return Wait(over=True)
            _tell(request, naming, old)
    return None


def _reserve(files: FileTable, naming: _Naming, place: "_Place") -> Change | Wait:
    file = naming.open.file
    reserved = [file.identity]
    if place.there is not None:
        reserved.append(place.there.identity)
    return files.changes.begin(
        reserved,
        folders=[place.folder.identity],
        places=(
            file.absolute_path,
            f"{place.folder.absolute_path}/{naming.target.rpartition('/')[2]}",
        ),
        moving=file.absolute_path if naming.moves and file.is_directory else "",
    )


def _tell(request: Request, naming: _Naming, old: str) -> None:
    open_, notify = naming.open, request.service.notify
    if not naming.moves:
        notify.added(open_.file, naming.target)
        return
    assert open_.link is not None, "it was entered"
    open_.link.renamed(open_.file)
    notify.renamed(open_.file, old)


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


def _check_place(files: FileTable, naming: _Naming, place: "_Place") -> None:
    """The folder must take the name, and what stands there be nobody's open file, nor READONLY."""
    open_ = naming.open
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
    if not naming.replace:
        raise NtError(NtStatus.OBJECT_NAME_COLLISION)
    if not place.replaceable or link is not None:
        raise NtError(NtStatus.ACCESS_DENIED)


def _check_moved(files: FileTable, naming: _Naming) -> None:
    """[MS-FSA]: a directory in which something is open stays where it is."""
    if naming.moves and naming.open.file.is_directory and files.has_open_below(naming.open.file):
        raise NtError(NtStatus.ACCESS_DENIED)


@dataclass(slots=True)
class _Place:
    """Where a new name is to be, and what has it already; open as long as they are asked about."""

    folder: File
    standing: tuple[int, int] | None = None  # the identity of the name's entry, maybe a symlink ...
    there: File | None = None  # ... and what it leads to, if to anything
    replaceable: bool = False

    def is_as(self, other: "_Place") -> bool:
        """Whether two looks have seen the same."""
        mine = self.there and self.there.identity
        others = other.there and other.there.identity
        return (self.folder.identity, self.standing, mine) == (
            other.folder.identity,
            other.standing,
            others,
        )

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
    place.standing = place.folder.root.standing(target)
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


def _act(naming: _Naming, seen: _Place, token: Token) -> bool:
    """Carry out; False if what was looked at is not there any more.  Blocks."""
    file, replace = naming.open.file, naming.replace
    act = file.root.rename if naming.moves else file.root.link
    if seen.standing is None:
        try:
            act(file, naming.target, replace=False)
        except NtError as error:
            if replace and error.status == NtStatus.OBJECT_NAME_COLLISION:
                return False
            raise
        return True
    with _look(file, naming.target, token) as place:
        if not place.is_as(seen):
            return False
        foreign = place.there is not None and place.there.identity != file.identity
        if foreign and not place.replaceable:
            raise NtError(NtStatus.ACCESS_DENIED)  # READONLY by now
        try:
            act(file, naming.target, replace, over=place.standing)
        except MovedError:
            return False
    return True
