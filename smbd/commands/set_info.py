"""SET_INFO ([MS-SMB2] 3.3.5.21): change information on a file, its name, its size."""

from collections.abc import Awaitable, Callable
from time import perf_counter

from smbd import vfs
from smbd.commands import renaming
from smbd.commands.caching import ask_for_handles, await_handles, tell_change
from smbd.fsa import security, set_information, write_time
from smbd.ntstatus import NtError, NtStatus
from smbd.persistence import is_remembered, remember_names
from smbd.request import Reply, Request
from smbd.state import Open, modified
from smbd.waiting import alone, begun
from smbd.wire import fscc
from smbd.wire.access import Access
from smbd.wire.change_notify import CompletionFilter
from smbd.wire.create import SETTABLE_MODES
from smbd.wire.dtyp import parse_security_descriptor
from smbd.wire.fscc import BasicInformation, DispositionFlags, FileClass
from smbd.wire.query_info import InfoType
from smbd.wire.set_info import SET_INFO_RESPONSE, SetInfoRequest, parse_set_info_request


def try_now(request: Request) -> Reply | None:
    """Times, attributes and marks for deletion, where that waits for nothing.

    Clients that keep the file open for no program hear at once that its name is to go.
    """
    message = parse_set_info_request(request.frame)
    open_ = request.find_open(message, len(message.data))
    change = _AT_ONCE.get(message.info_class) if message.info_type == InfoType.FILE else None
    if change is not None:
        kind = fscc.FILE_SETS[message.info_class]
        value = kind.parse(message.data)
        open_.require(kind.access)
        if not is_remembered(request, open_) and change(request, open_, value):
            return Reply(SET_INFO_RESPONSE)
        return None
    renames = message.info_type == InfoType.FILE and message.info_class == FileClass.RENAME
    if renames and open_.cachings.keepers and open_.granted_access & Access.DELETE:
        wait = ask_for_handles(request, open_)
        if wait is not None:
            wait.give_up()
    return None


async def run(request: Request) -> Reply:
    """Check the rights that the class needs, then change."""
    message = parse_set_info_request(request.frame)
    open_ = request.find_open(message, len(message.data))
    if message.info_type == InfoType.SECURITY:
        await _security(request, open_, message)
        return Reply(SET_INFO_RESPONSE)
    if message.info_type != InfoType.FILE:
        raise NtError(NtStatus.NOT_SUPPORTED)  # quotas, volume labels
    number = message.info_class
    change = _CHANGES.get(number)
    if change is None:
        known = fscc.is_file_class(number)
        raise NtError(NtStatus.NOT_SUPPORTED if known else NtStatus.INVALID_INFO_CLASS)
    kind = fscc.FILE_SETS[number]
    value = kind.parse(message.data)
    open_.require(kind.access)
    await change(request, open_, value)
    await remember_names(request, open_)
    return Reply(SET_INFO_RESPONSE)


async def _security(request: Request, open_: Open, message: SetInfoRequest) -> None:
    """[MS-SMB2] 3.3.5.21.3."""
    parts = message.additional_information
    new = parse_security_descriptor(message.data)
    token = security.token_of(request.live_session().identity)
    async with alone(request.tables.files, open_):
        changed = await request.blocking(security.change, open_, parts, new, token)
    if changed:
        request.changed(open_, modified(CompletionFilter.SECURITY))


async def _basic(request: Request, open_: Open, value: BasicInformation) -> None:
    """Times and attributes; times of 0, -1 and -2 stay as they are, see `write_time`."""
    files = request.tables.files
    async with alone(files, open_):
        kept = write_time.kept(files, open_)  # it is put back before -2 ends it
        shown = await request.blocking(set_information.basic, open_.file, value, kept)
        write_time.steer(files, open_, value.last_write_time, shown)
    _tell_basic(request, open_, value)


def _basic_now(request: Request, open_: Open, value: BasicInformation) -> bool:
    """`_basic` in the loop; False if it may wait."""
    files, file = request.tables.files, open_.file
    at_once, began = file.at_once, perf_counter()
    if at_once is None or file.identity in files.queues or not at_once.admits(file.fd, began):
        return False
    kept = write_time.kept(files, open_)
    try:
        shown = set_information.basic(file, value, kept)
    finally:
        at_once.made(began)
    write_time.steer(files, open_, value.last_write_time, shown)
    _tell_basic(request, open_, value)
    return True


def _tell_basic(request: Request, open_: Open, value: BasicInformation) -> None:
    changed = 0
    for field, bit in (
        (value.attributes, CompletionFilter.ATTRIBUTES),
        (value.creation_time, CompletionFilter.CREATION),
        (value.last_access_time, CompletionFilter.LAST_ACCESS),
        (value.last_write_time, CompletionFilter.LAST_WRITE),
    ):
        changed |= bit if field > 0 else 0
    request.changed(open_, modified(changed))


async def _disposition(request: Request, open_: Open, value: bool) -> None:
    """Mark for deletion, or take the mark off ([MS-FSA] 2.1.5.15.3)."""
    changes = request.tables.files.changes
    if value:
        await await_handles(request, open_)
    async with alone(request.tables.files, open_):
        # Reserved, so that nothing is made in a directory between the look and the mark.
        with await begun(lambda: changes.begin([open_.file.identity])):
            if value:
                await request.blocking(set_information.check_deletable, open_.file)
            if open_.closed or open_.link is None:
                raise NtError(NtStatus.FILE_CLOSED)  # a CLOSE came before we were done
            open_.link.set_delete_pending(pending=value)


def _disposition_now(request: Request, open_: Open, value: bool) -> bool:
    """`_disposition` of a file in the loop; False if anything is in the way, or may wait."""
    files, file = request.tables.files, open_.file
    if file.asks_others or file.is_directory or file.identity in files.queues:
        return False
    if open_.link is None or files.changes.meet(file) is not None:
        return False
    if value:
        if open_.cachings.has_keepers_but(open_.caching):
            return False
        set_information.check_deletable(file)
    open_.link.set_delete_pending(pending=value)
    return True


async def _disposition_ex(request: Request, open_: Open, value: int) -> None:
    """As `_disposition`, with flags ([MS-FSCC] 2.4.12): DELETE alone, NOT_SUPPORTED for others."""
    if value & ~DispositionFlags.DELETE:
        raise NtError(NtStatus.NOT_SUPPORTED)
    await _disposition(request, open_, bool(value & DispositionFlags.DELETE))


async def _end_of_file(request: Request, open_: Open, value: int) -> None:
    await _resize(request, open_, vfs.set_end_of_file, value)


def _end_of_file_now(request: Request, open_: Open, value: int) -> bool:
    """For the size that it has already nothing is to be done ([MS-FSA] 2.1.5.15.4).

    cifs.ko says so of each file that it has written.
    """
    file = open_.file
    if file.is_directory or file.asks_others or vfs.end_of_file(file) != value:
        return False
    tell_change(request, open_)
    return True


async def _allocation(request: Request, open_: Open, value: int) -> None:
    await _resize(request, open_, vfs.allocate, value)


async def _resize(
    request: Request, open_: Open, resize: Callable[[vfs.File, int], None], size: int
) -> None:
    """Have a worker give a file another size; what others cache of it goes before and after."""
    _require_file(open_)
    tell_change(request, open_)
    await request.blocking_long(resize, open_.file, size)
    tell_change(request, open_)
    request.changed(open_, modified(CompletionFilter.SIZE))


def _require_file(open_: Open) -> None:
    if open_.file.is_directory:
        raise NtError(NtStatus.INVALID_PARAMETER)


async def _position(request: Request, open_: Open, value: int) -> None:
    open_.position = value


async def _mode(request: Request, open_: Open, value: int) -> None:
    """[MS-FSA] 2.1.5.15.9: WRITE honours what this says of writing through."""
    if value & ~SETTABLE_MODES:
        raise NtError(NtStatus.INVALID_PARAMETER)
    open_.create_options = open_.create_options & ~SETTABLE_MODES | value


async def _full_ea(request: Request, open_: Open, value: list[fscc.ExtendedAttribute]) -> None:
    async with alone(request.tables.files, open_):
        await request.blocking(set_information.eas, open_.file, value)
    request.changed(open_, modified(CompletionFilter.EA))


_AT_ONCE: dict[int, Callable[..., bool]] = {
    FileClass.BASIC: _basic_now,
    FileClass.DISPOSITION: _disposition_now,
    FileClass.END_OF_FILE: _end_of_file_now,
}
_CHANGES: dict[int, Callable[..., Awaitable[None]]] = {
    FileClass.BASIC: _basic,
    FileClass.RENAME: renaming.rename,
    FileClass.LINK: renaming.link,
    FileClass.DISPOSITION: _disposition,
    FileClass.DISPOSITION_EX: _disposition_ex,
    FileClass.ALLOCATION: _allocation,
    FileClass.END_OF_FILE: _end_of_file,
    FileClass.POSITION: _position,
    FileClass.MODE: _mode,
    FileClass.FULL_EA: _full_ea,
}
