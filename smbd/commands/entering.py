"""The end of a CREATE: what it has opened becomes an Open, once nothing is about to happen to it.

What a worker opens is known to nobody until then: meanwhile it may have been deleted, replaced or
moved, and others may have opened it.
"""

import contextlib
from sys import getsizeof

import trio

from smbd.fsa.opening import TRUNCATES, Found
from smbd.memory import OPEN, Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import Change, Flight, Open
from smbd.vfs import File
from smbd.vfs.closes import close_may_wait
from smbd.waiting import until
from smbd.wire.access import Access
from smbd.wire.create import CreateAction, CreateOptions, CreateRequest


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
    files, file = request.service.files, found.file
    with trio.CancelScope(shield=True):
        if found.action == CreateAction.CREATED and files.of(file) is None:
            change = files.changes.begin([file.identity], places=(file.absolute_path,))
            if isinstance(change, Change):
                with change, contextlib.suppress(NtError, OSError):
                    await request.blocking(file.root.remove, file)
        await _close(request, file)


def enter(request: Request, message: CreateRequest, found: Found) -> Open:
    """Agree with the other opens of the file and become one of them; NtError."""
    service, session = request.service, request.live_session()
    check_limits(request)
    if found.file.folder is not None:
        service.files.check_folder(found.file)
    service.files.check(found.file, _shared_access(message, found), message.share_access)
    number = service.opens.next_id()
    open_ = Open(
        number,
        number,
        session.session_id,
        request.tree_id,
        request.live_share(),
        found.file,
        found.granted,
        message.share_access,
        message.create_options,
        delete_on_close=bool(message.create_options & CreateOptions.DELETE_ON_CLOSE),
        holders=_holders(request),
        memory=Holding(request.connection.memory, OPEN + getsizeof(found.file.path)),
    )
    service.files.add(open_)
    open_.share.engine.attach(found.file.fd)
    service.opens.add(open_)
    session.enter(open_)
    return open_


def _shared_access(message: CreateRequest, found: Found) -> int:
    """What others must share: to truncate is to write, whatever rights the open then has."""
    truncates = message.create_disposition in TRUNCATES
    return found.granted | (Access.FILE_WRITE_DATA if truncates else 0)


def check_limits(request: Request) -> None:
    """Each open costs a descriptor; and what ended while we opened gets none."""
    service, session = request.service, request.live_session()
    if session.session_id not in service.sessions:
        raise NtError(NtStatus.USER_SESSION_DELETED)
    if request.tree_id not in session.trees:
        raise NtError(NtStatus.NETWORK_NAME_DELETED)
    connection = request.connection
    if connection.handles >= service.config.server.limits.opens:
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
    if not connection.memory.has_room(OPEN):
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
    service.opens.check(_holders(request))


def _holders(request: Request) -> tuple[str, ...]:
    """The user that a new open counts for, as OpenTable.check has it; guests are no one user."""
    connection, identity = request.connection, request.live_session().owner
    assert identity is not None, "the row of CREATE needs a session"
    guest = identity.is_guest or identity.is_anonymous
    user = f"guest {connection.network}" if guest else f"user {identity.user}"
    return f"connection {connection.client}", user, connection.network
