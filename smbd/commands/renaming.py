"""Rename and hard link ([MS-FSA] 2.1.5.15.11 and 2.1.5.15.6): new names for an open file."""

from smbd.commands.caching import ask_for_handles
from smbd.commands.stream_renaming import rename_stream
from smbd.fsa import naming, security
from smbd.fsa.naming import Destination, NewName
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import Change, FileTable, Open, Operation, Wait, linked, renamed
from smbd.vfs import name_to_path
from smbd.waiting import alone, until
from smbd.wire.access import Access
from smbd.wire.create import ShareAccess
from smbd.wire.fscc import Rename

# A name that is replaced each time between look and act has met an attacker, not a race.
_TRIES = 100


async def rename(request: Request, open_: Open, value: Rename) -> None:
    """Give the file another name; over an existing one if `replace` says so and it is not open."""
    if open_.file.stream is not None:
        await rename_stream(request, open_, value)
        return
    if not open_.file.path:
        raise NtError(NtStatus.ACCESS_DENIED)  # the root of the share
    await _carry_out(request, open_, NewName(_target(value), value.replace, moves=True))


async def link(request: Request, open_: Open, value: Rename) -> None:
    """Give the file one more name."""
    if open_.file.stream is not None:
        raise NtError(NtStatus.INVALID_PARAMETER)  # a stream has no links
    await _carry_out(request, open_, NewName(_target(value), value.replace, moves=False))


async def _carry_out(request: Request, open_: Open, name: NewName) -> None:
    """Look and act, once more after whatever was in the way or came between."""
    tree = request.live_tree()
    if tree.barred or not tree.may_write:
        # A new name is a right over the folder, which the handle does not have; and a link needs
        # no right over the file.
        raise NtError(NtStatus.ACCESS_DENIED)
    for _ in range(_TRIES):
        async with alone(request.tables.files, open_):
            wait = await _try(request, open_, name)
        if wait is None:
            return
        # Not while it is in the file's queue: a client that gives up its lease may have to join.
        await until(request.waits_for(wait))
    raise NtError(NtStatus.SHARING_VIOLATION)


async def _try(request: Request, open_: Open, name: NewName) -> Wait | None:
    """What to wait for before another try, if it could not be done now.

    In a worker: look.  In one turn of the loop: check, and reserve what was checked.  In a worker:
    act, if what was looked at is still there.
    """
    files, file = request.tables.files, open_.file
    token = security.token_of(request.live_session().identity)
    with await request.blocking(naming.look, file, name.target, token) as destination:
        _check_source(open_)
        wait = _handles_kept(request, open_, name, destination)
        if wait is not None:
            return wait
        _check_destination(files, open_, name, destination)
        change = _reserve(files, open_, name, destination)
        if isinstance(change, Wait):
            return change
        with change:
            if name.moves:
                _check_moved(files, open_)
            old, new = file.place_of_name, _place(name, destination)
            if not await request.blocking(naming.act, file, name, destination, token):
                return Wait(over=True)
            _tell_kept(request, destination)
            if name.moves:
                assert open_.link is not None, "it was entered"
                open_.link.renamed(file)
                request.changed(open_, renamed(old))
            else:
                request.changed(open_, linked(new))
    return None


def _tell_kept(request: Request, destination: Destination) -> None:
    """Others hear of the file that was replaced, where it lies now."""
    kept, now = destination.kept, request.service.clock()
    if kept is not None:
        request.tables.appeared(kept.made, now, directories=True)
        request.tables.appeared([kept.place], now, directories=False)


def _handles_kept(
    request: Request, open_: Open, name: NewName, destination: Destination
) -> Wait | None:
    """What to wait for: clients that keep the file open, or the one in its place, for no program.

    And their streams, and where a directory moves, all that lies in it.
    """
    files, file, now = request.tables.files, open_.file, request.service.clock()
    wait = None
    if name.moves:
        wait = ask_for_handles(request, open_)
    if wait is None and destination.there is not None and name.replace:
        there = files.of(destination.there)
        if there is not None and destination.there.identity != file.identity:
            wait = there.cachings.contend(Operation.REMOVE, open_.caching, now)
            wait = wait or files.contend_streams(destination.there, now)
    if wait is None and name.moves:
        wait = files.contend_streams(file, now)
    if wait is None and name.moves and file.is_directory:
        wait = files.contend_below(file, now)
    return wait


def _reserve(
    files: FileTable, open_: Open, name: NewName, destination: Destination
) -> Change | Wait:
    file = open_.file
    reserved = [file.identity]
    if destination.there is not None:
        reserved.append(destination.there.identity)
    paths = file.absolute_path, _place(name, destination)
    return files.changes.begin(
        reserved,
        folders=[destination.folder.identity],
        paths=paths,
        moving=paths if name.moves and file.is_directory else (),
    )


def _place(name: NewName, destination: Destination) -> str:
    """The new name as an absolute path, behind all symbolic links."""
    return f"{destination.folder.place}/{name.target.rpartition('/')[2]}"


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


def _check_destination(
    files: FileTable, open_: Open, name: NewName, destination: Destination
) -> None:
    """The folder must take the name; a file there must be neither open nor READONLY."""
    # [MS-FSA] opens the folder to add to it, sharing neither its deletion nor its renaming.
    files.check(destination.folder, Access.FILE_ADD_FILE, ShareAccess.READ | ShareAccess.WRITE)
    if destination.there is None:
        return
    state = files.of(destination.there)
    link = None if state is None else state.link_of(destination.there)
    if link is not None and link is not open_.link and link.delete_pending:
        raise NtError(NtStatus.ACCESS_DENIED)
    if destination.there.identity == open_.file.identity:
        return  # another spelling of its own name, or another link: storage decides
    if not name.replace:
        raise NtError(NtStatus.OBJECT_NAME_COLLISION)
    if not destination.replaceable or link is not None:
        raise NtError(NtStatus.ACCESS_DENIED)


def _check_moved(files: FileTable, open_: Open) -> None:
    """[MS-FSA]: a directory in which something is open stays where it is.

    So does a file of which a stream is open.
    """
    if open_.file.is_directory and files.has_open_below(open_.file):
        raise NtError(NtStatus.ACCESS_DENIED)
    if files.has_open_streams(open_.file):
        raise NtError(NtStatus.ACCESS_DENIED)
