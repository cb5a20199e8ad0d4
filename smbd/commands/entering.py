"""The end of a CREATE: what it has opened becomes an Open, once nothing is about to happen to it.

What a worker opens is known to nobody until then: meanwhile it may have been deleted, replaced or
moved, and others may have opened it.
"""

import contextlib

import trio

from smbd.fsa.opening import TRUNCATES, Found
from smbd.memory import OPEN
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import Change, Flight, Open
from smbd.vfs import File
from smbd.vfs.closes import close_may_wait
from smbd.waiting import until
from smbd.wire.create import CreateAction, CreateOptions, CreateRequest
from smbd.wire.header import Dialect


async def entered(
    request: Request, message: CreateRequest, found: Found, flight: Flight
) -> Open | None:
    """Agree with the other opens of the file and become one of them; None: look for it again.

    Where that cannot be, nothing is left of what was opened, and of what was made.
    """
    try:
        while (wait := flight.meets(found.file)) is not None:
            made = found.action == CreateAction.CREATED
            if not made:
                await _close(request, found.file)
            await until(wait)
            if not made:
                return None
            flight.begin()
            if not await _still_there(request, found.file):
                await _close(request, found.file)
                return None
        if found.failure is not None:
            raise found.failure
        return enter(request, message, found)
    except BaseException:
        await _undo(request, found)
        raise


async def _still_there(request: Request, file: File) -> bool:
    """Whether a new file has a name yet, which it may have lost or changed since it was made."""
    with trio.CancelScope(shield=True):
        try:
            await request.blocking(file.root.refresh, file)
        except NtError:
            return False
    return True


async def _close(request: Request, file: File) -> None:
    """Close what is not entered; of what was deleted meanwhile it may be the last descriptor."""
    with trio.CancelScope(shield=True):
        if file.fd >= 0 and close_may_wait(file, written=False):
            await request.blocking_long(file.close)
        file.close()


async def _undo(request: Request, found: Found) -> None:
    """A CREATE fails: remove what it has made, unless that is somebody else's by now."""
    files, made = request.tables.files, found.made
    with trio.CancelScope(shield=True):
        if made is not None and files.of(made) is None:
            change = files.changes.begin([made.identity], places=(made.absolute_path,))
            if isinstance(change, Change):
                with change, contextlib.suppress(NtError, OSError):
                    await request.blocking(made.remove)
        await _close(request, found.file)


def enter(request: Request, message: CreateRequest, found: Found) -> Open:
    """Agree with the other opens of the file and become one of them; NtError."""
    _check_ended(request)
    opens = request.tables.opens
    open_ = Open(
        opens.new_persistent_id(),
        opens.new_volatile_id(),
        request.live_share(),
        found.file,
        found.granted,
        message.share_access,
        message.create_options,
        delete_on_close=bool(message.create_options & CreateOptions.DELETE_ON_CLOSE),
    )
    if request.connection.negotiated.dialect >= Dialect.SMB_3_0:
        open_.channel_sequence = request.sequence & 0xFFFF
    truncates = message.create_disposition in TRUNCATES
    request.tables.enter(open_, request.live_tree(), truncates=truncates)
    return open_


def check_limits(request: Request) -> None:
    """Each open costs a descriptor; and what ended while we opened gets none."""
    _check_ended(request)
    connection = request.connection
    if not connection.memory.has_room(OPEN):
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
    request.tables.opens.check(request.live_tree().claimants)


def _check_ended(request: Request) -> None:
    """The session, the tree connect, and the number of handles that one connection may have."""
    service, session = request.service, request.live_session()
    if session.session_id not in service.sessions:
        raise NtError(NtStatus.USER_SESSION_DELETED)
    if request.tree_id not in session.trees:
        raise NtError(NtStatus.NETWORK_NAME_DELETED)
    if request.connection.handles >= service.config.server.limits.opens:
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
