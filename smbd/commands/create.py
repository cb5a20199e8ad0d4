"""CREATE ([MS-SMB2] 3.3.5.9): open or make a file, and agree with those who have it open."""

import trio

from smbd.commands import create_contexts, security
from smbd.commands.closing import closed_on_error
from smbd.commands.create_contexts import Asked
from smbd.commands.opening import (
    TRUNCATES,
    Found,
    Wanted,
    open_cached,
    open_or_create,
    truncate,
)
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.share import Share
from smbd.state import WRITTEN, Open
from smbd.vfs import name_to_path
from smbd.wire.access import Access, map_generic
from smbd.wire.change_notify import CompletionFilter
from smbd.wire.create import (
    CreateAction,
    CreateDisposition,
    CreateOptions,
    CreateRequest,
    ImpersonationLevel,
    OplockLevel,
    pack_create_response,
    parse_create_request,
)

# [MS-SMB2] 2.2.13: options that fail a CREATE; others that say nothing to a server are ignored.
_REFUSED_OPTIONS = (
    CreateOptions.CREATE_TREE_CONNECTION
    | CreateOptions.OPEN_BY_FILE_ID
    | CreateOptions.RESERVE_OPFILTER
)
_NO_OPTIONS = 0xFF000000
_BOTH_KINDS = CreateOptions.DIRECTORY_FILE | CreateOptions.NON_DIRECTORY_FILE
_NO_ATTRIBUTES = 0xFFA10048  # what [MS-FSCC] 2.6 has no name for, and VOLUME and DEVICE of old
_NO_ACCESS = 0x0CE0FE00  # [MS-FSA] 2.1.5.1: rights that there are not
# What opens an existing file as it is, and nothing else.
_OPENS = (CreateDisposition.OPEN, CreateDisposition.OPEN_IF)


def try_now(request: Request) -> Reply | None:
    """Open what the kernel has in its caches: 40 us, where a worker takes 200 (measured)."""
    message = parse_create_request(request.frame)
    if message.create_disposition not in _OPENS:
        return None
    _check_fields(message)
    asked = create_contexts.parse(message)
    share = request.live_share()
    found = open_cached(share.root, _wanted(request, message, asked))
    if found is None:
        return None
    return _finish(request, _enter(request, share, message, found), found, asked)


async def run(request: Request) -> Reply:
    """Open; whatever ends this early leaves no descriptor and no open behind."""
    # A worker that opens cannot be called back, and what it has opened must not be lost: CANCEL
    # and the end of the connection come too late.
    message = parse_create_request(request.frame)
    _check_fields(message)
    asked = create_contexts.parse(message)
    wanted = _wanted(request, message, asked)
    with trio.CancelScope(shield=True):
        open_, found = await _create(request, message, wanted)
    return _finish(request, open_, found, asked)


def _finish(request: Request, open_: Open, found: Found, asked: Asked) -> Reply:
    request.open = open_
    return Reply(
        pack_create_response(
            OplockLevel.NONE,
            found.action,
            found.information,
            open_.persistent_id,
            open_.volatile_id,
            create_contexts.answers(asked, found),
        )
    )


async def _create(request: Request, message: CreateRequest, wanted: Wanted) -> tuple[Open, Found]:
    """Open in a worker, then agree on share modes without an await between check and entry."""
    service, share = request.service, request.live_share()
    _check_limits(request)  # also before: who is refused must not leave a new file behind
    found = await request.blocking(open_or_create, share.root, wanted)
    open_ = _enter(request, share, message, found)
    if found.action == CreateAction.CREATED:
        service.notify.added(found.file)
    elif wanted.truncates:
        async with closed_on_error(service, request.live_session(), open_):
            found.information = await request.blocking_long(truncate, found.file, wanted)
            service.notify.modified(found.file, WRITTEN | CompletionFilter.ATTRIBUTES)
            superseded = wanted.disposition == CreateDisposition.SUPERSEDE
            found.action = CreateAction.SUPERSEDED if superseded else CreateAction.OVERWRITTEN
    return open_, found


def _check_fields(message: CreateRequest) -> None:
    """[MS-SMB2] 3.3.5.9: values that no file could satisfy."""
    options = message.create_options
    if message.impersonation_level > ImpersonationLevel.DELEGATE:
        raise NtError(NtStatus.BAD_IMPERSONATION_LEVEL)
    if message.create_disposition > CreateDisposition.OVERWRITE_IF:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if message.desired_access & _NO_ACCESS or not message.desired_access:
        raise NtError(NtStatus.ACCESS_DENIED)
    if options & _NO_OPTIONS or message.file_attributes & _NO_ATTRIBUTES:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if options & _BOTH_KINDS == _BOTH_KINDS or message.share_access & ~7:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if options & _REFUSED_OPTIONS:
        raise NtError(NtStatus.NOT_SUPPORTED)
    if options & CreateOptions.DIRECTORY_FILE and message.create_disposition in TRUNCATES:
        raise NtError(NtStatus.INVALID_PARAMETER)


def _wanted(request: Request, message: CreateRequest, asked: Asked) -> Wanted:
    return Wanted(
        path=name_to_path(message.name),
        access=_access(message.desired_access),
        disposition=message.create_disposition,
        options=message.create_options,
        attributes=message.file_attributes,
        share_maximum=request.live_tree().maximal_access,
        token=security.token_of(request.live_session()),
        tells_maximum=asked.maximum,
        security=asked.security,
        eas=asked.eas or (),
        allocation=asked.allocation,
    )


def _access(desired: int) -> int:
    """DesiredAccess with the generic rights spelled out; PRIVILEGE_NOT_HELD for auditing."""
    access = map_generic(desired)
    if access & Access.ACCESS_SYSTEM_SECURITY:
        raise NtError(NtStatus.PRIVILEGE_NOT_HELD)
    return access


def _enter(request: Request, share: Share, message: CreateRequest, found: Found) -> Open:
    """Agree with the other opens of the file and become one of them; else undo."""
    service, session = request.service, request.live_session()
    try:
        _check_limits(request)
        service.files.check(found.file, _shared_access(message, found), message.share_access)
        number = service.opens.next_id()
    except NtError:
        found.file.close()
        raise
    open_ = Open(
        number,
        number,
        session.session_id,
        request.tree_id,
        share,
        found.file,
        found.granted,
        message.share_access,
        message.create_options,
        delete_on_close=bool(message.create_options & CreateOptions.DELETE_ON_CLOSE),
    )
    share.engine.attach(found.file.fd)
    service.opens.add(open_)
    service.files.add(open_)
    session.opens[number] = open_
    return open_


def _shared_access(message: CreateRequest, found: Found) -> int:
    """What others must share: to truncate is to write, whatever rights the open then has."""
    truncates = message.create_disposition in TRUNCATES
    return found.granted | (Access.FILE_WRITE_DATA if truncates else 0)


def _check_limits(request: Request) -> None:
    """Each open costs a descriptor; and what ended while we opened gets none."""
    service, session = request.service, request.live_session()
    if session.session_id not in service.sessions:
        raise NtError(NtStatus.USER_SESSION_DELETED)
    if request.tree_id not in session.trees:
        raise NtError(NtStatus.NETWORK_NAME_DELETED)
    if request.connection.handles >= service.config.server.limits.opens:
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
