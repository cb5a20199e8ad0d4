"""The end of a CREATE: what it has opened becomes an Open, once nothing is about to happen to it.

Until then no table knows the file that a worker has opened: meanwhile it may have been deleted,
replaced or moved, and others may have opened it.
"""

import contextlib

import trio

from smbd import vfs
from smbd.commands.create_contexts import NOTHING, Asked
from smbd.fsa.opening import TRUNCATES, Found
from smbd.memory import OPEN
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import OPLOCKS, Change, Flight, Open, Wait, WantedCaching
from smbd.vfs import File
from smbd.vfs.closes import close_may_wait
from smbd.waiting import until
from smbd.wire.create import CreateAction, CreateOptions, CreateRequest, OplockLevel
from smbd.wire.create_contexts import Lease
from smbd.wire.header import Capabilities, Dialect


async def entered(
    request: Request, message: CreateRequest, asked: Asked, found: Found, flight: Flight
) -> Open | Wait:
    """Agree with the other opens of the file and become one of them.

    Or what to wait for before it is looked for again: a client that gives up what it has cached
    writes it first, so nothing of what was found is true any more.  Where neither can be, nothing
    is left of what was opened, and of what was made.
    """
    try:
        while True:
            wait = flight.meets(found.file)
            if wait is None:
                if found.failure is not None:
                    raise found.failure
                entered = enter(request, message, asked, found)
                if isinstance(entered, Open):
                    return entered
                wait = entered
            if found.action != CreateAction.CREATED:
                await _close(request, found.file)
                return wait
            await until(request.waits_for(wait))
            flight.begin()
            if not await _still_there(request, found.file):
                await _close(request, found.file)
                return Wait(over=True)
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
    """Close a file that is not entered; of one deleted meanwhile it may be the last descriptor."""
    with trio.CancelScope(shield=True):
        if file.fd >= 0 and close_may_wait(file, written=False):
            await request.blocking_long(file.close)
        file.close()


async def _undo(request: Request, found: Found) -> None:
    """A CREATE fails: remove the file that it has made, which nobody else has yet."""
    changes, made = request.tables.files.changes, found.made
    with trio.CancelScope(shield=True):
        if made is not None:
            change = changes.begin([made.identity], paths=(made.absolute_path,))
            if isinstance(change, Change):
                with change, contextlib.suppress(NtError, OSError):
                    await request.blocking(made.remove)
        await _close(request, found.file)


def enter(
    request: Request,
    message: CreateRequest,
    asked: Asked,
    found: Found,
    ids: tuple[int, int] | None = None,
) -> Open | Wait:
    """Agree with the other opens of the file and become one of them; NtError.

    Or what to wait for before all of it is tried again.  `ids` are those that the client knows.
    """
    check_ended(request)
    tables, options, tree = request.tables, message.create_options, request.live_tree()
    opens = tables.opens
    persistent_id, volatile_id = ids or (opens.new_persistent_id(), opens.new_volatile_id())
    open_ = Open(
        persistent_id,
        volatile_id,
        request.live_share(),
        found.file,
        found.granted,
        message.share_access,
        options,
    )
    if options & CreateOptions.DELETE_ON_CLOSE:
        open_.delete_on_close = True
    if request.connection.negotiated.dialect >= Dialect.SMB_3_0:
        open_.channel_sequence = request.sequence & 0xFFFF
    apart = request.connection.apart
    if (
        apart is not None
        and asked is NOTHING
        and _may_be_apart(message, found)
        and apart.takes(open_, tree)
    ):
        return open_
    truncates = message.create_disposition in TRUNCATES
    now = request.service.clock()
    caching = _NO_CACHING
    if message.requested_oplock_level != OplockLevel.NONE:
        caching = _caching(request, message, asked, found)
    try:
        wait = tables.enter(open_, tree, caching, now, truncates=truncates)
    finally:
        tables.local.guards.drop_unused(found.file)
    if wait is not None:
        return wait
    if open_.caching is not None:
        open_.promise()
        request.behind = open_.said
    return open_


def _may_be_apart(message: CreateRequest, found: Found) -> bool:
    return (
        found.action == CreateAction.OPENED
        and message.requested_oplock_level == OplockLevel.NONE
        and message.create_disposition not in TRUNCATES
    )


_NO_CACHING = WantedCaching()  # of a CREATE that asks for none, as most do


def _caching(request: Request, message: CreateRequest, asked: Asked, found: Found) -> WantedCaching:
    """What the client would cache, as far as the share and the dialect let it.

    [MS-SMB2] 3.3.5.9: a lease is asked for by the level and by a context; 3.3.5.9.11: version 2
    is for 3.x.
    """
    level, directory = message.requested_oplock_level, found.file.is_directory
    wanted = WantedCaching(
        allocation=found.information.allocation_size,
        directory=directory,
        made=found.action == CreateAction.CREATED,
    )
    if not request.live_share().config.leases:
        return wanted
    wanted.oplock = OPLOCKS.get(level, 0)
    lease = leased_by(request, message, asked)
    if lease is not None and (not directory or leases_directories(request, lease)):
        wanted.client, wanted.lease = request.connection.lease_client, lease
    if wanted.asks and request.live_share().config.watch:
        if not _is_guarded(request, found):
            return WantedCaching()
        wanted.allocation = found.information.allocation_size
    return wanted


def _is_guarded(request: Request, found: Found) -> bool:
    """Whether other processes cannot change the file unheard from now on.

    What was known of it is looked at again: it may have been changed since.
    """
    guards = request.tables.local.guards
    if found.file in guards:
        return True
    if not guards.guard(found.file):
        return False
    found.information = vfs.information(found.file)
    return True


def leases_directories(request: Request, lease: Lease) -> bool:
    """Whether the client knows leases of directories, which came with version 2."""
    capabilities = request.connection.negotiated.capabilities
    return lease.version > 1 and bool(capabilities & Capabilities.DIRECTORY_LEASING)


def leased_by(request: Request, message: CreateRequest, asked: Asked) -> Lease | None:
    """The lease that a CREATE asks for, if it may."""
    lease, negotiated = asked.lease, request.connection.negotiated
    if (
        lease is None
        or message.requested_oplock_level != OplockLevel.LEASE
        or not request.live_share().config.leases
        or not any(lease.key)
        or (lease.version > 1 and negotiated.dialect < Dialect.SMB_3_0)
    ):
        return None
    return lease


def check_limits(request: Request) -> None:
    """Each open costs a descriptor; and what ended while we opened gets none."""
    check_ended(request)
    if not request.live_session().memory.has_room(OPEN):
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
    request.tables.opens.check(request.live_tree().claimants)


def check_ended(request: Request) -> None:
    """The session, the tree connect, and the number of handles that one connection may have."""
    connection, session = request.connection, request.live_session()
    service = connection.service
    if session.session_id not in service.sessions:
        raise NtError(NtStatus.USER_SESSION_DELETED)
    if request.tree_id not in session.trees:
        raise NtError(NtStatus.NETWORK_NAME_DELETED)
    if connection.handles >= service.config.server.limits.opens:
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
