"""CREATE ([MS-SMB2] 3.3.5.9): open or make a file, and agree with those who have it open."""

import trio

from smbd.commands.closing import closed_on_error
from smbd.commands.opening import Found, Wanted, open_or_create, truncate, wanted_access
from smbd.commands.reply import later
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.service import Service
from smbd.session import Session, Tree
from smbd.share import Share
from smbd.state import Open
from smbd.vfs import allocate, name_to_path
from smbd.wire.access import Access
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
from smbd.wire.create_contexts import (
    ContextName,
    pack_maximal_access,
    pack_query_on_disk_id,
    parse_allocation_size,
    parse_maximal_access,
)

# Options that ask for what no file server on Linux can do ([MS-SMB2] 2.2.13, footnotes).
_REFUSED_OPTIONS = (
    CreateOptions.OPEN_BY_FILE_ID
    | CreateOptions.RESERVE_OPFILTER
    | CreateOptions.OPEN_REMOTE_INSTANCE
)
_BOTH_KINDS = CreateOptions.DIRECTORY_FILE | CreateOptions.NON_DIRECTORY_FILE


try_now = later  # names may have to come from the disk


async def run(request: Request) -> Reply:
    """Open; whatever ends this early leaves no descriptor and no open behind."""
    # A worker that opens cannot be called back, and what it has opened must not be lost: CANCEL
    # and the end of the connection come too late.
    with trio.CancelScope(shield=True):
        reply = await _create(request, parse_create_request(request.frame))
    return reply


async def _create(request: Request, message: CreateRequest) -> Reply:
    """Open in a worker, then agree on share modes without an await between check and entry."""
    tree, service = request.live_tree(), request.service
    share = tree.share
    _check_fields(message)
    if share is None:
        raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)  # IPC$ has no pipe of that name
    wanted = _wanted(message, tree)
    found = await service.blocking(open_or_create, share.root, wanted)
    open_ = _enter(request, share, message, found)
    async with closed_on_error(service, request.live_session(), open_):
        if found.action == CreateAction.OPENED and wanted.truncates:
            found.information = await service.blocking(truncate, found.file, wanted)
            superseded = wanted.disposition == CreateDisposition.SUPERSEDE
            found.action = CreateAction.SUPERSEDED if superseded else CreateAction.OVERWRITTEN
        contexts = await _contexts(service, message, open_, found)
    request.open = open_
    return Reply(
        pack_create_response(
            OplockLevel.NONE,
            found.action,
            found.information,
            open_.persistent_id,
            open_.volatile_id,
            contexts,
        )
    )


def _check_fields(message: CreateRequest) -> None:
    """[MS-SMB2] 3.3.5.9: values that no file could satisfy."""
    options = message.create_options
    if message.impersonation_level > ImpersonationLevel.DELEGATE:
        raise NtError(NtStatus.BAD_IMPERSONATION_LEVEL)
    if message.create_disposition > CreateDisposition.OVERWRITE_IF:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if options & _BOTH_KINDS == _BOTH_KINDS or message.share_access & ~7:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if options & _REFUSED_OPTIONS:
        raise NtError(NtStatus.NOT_SUPPORTED)
    truncates = message.create_disposition in {
        CreateDisposition.SUPERSEDE,
        CreateDisposition.OVERWRITE,
        CreateDisposition.OVERWRITE_IF,
    }
    if options & CreateOptions.DIRECTORY_FILE and truncates:
        raise NtError(NtStatus.INVALID_PARAMETER)


def _wanted(message: CreateRequest, tree: Tree) -> Wanted:
    access = wanted_access(message.desired_access)
    if message.create_options & CreateOptions.DELETE_ON_CLOSE and not access & (
        Access.DELETE | Access.MAXIMUM_ALLOWED
    ):
        raise NtError(NtStatus.ACCESS_DENIED)
    return Wanted(
        name_to_path(message.name),
        access,
        message.create_disposition,
        message.create_options,
        message.file_attributes,
        tree.maximal_access,
    )


def _enter(request: Request, share: Share, message: CreateRequest, found: Found) -> Open:
    """Agree with the other opens of the file and become one of them; else undo."""
    service, session = request.service, request.live_session()
    try:
        _check_limits(service, session, request.tree_id)
        service.files.check(found.file, found.granted, message.share_access)
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


def _check_limits(service: Service, session: Session, tree_id: int) -> None:
    """Each open costs a descriptor; and what ended while we opened gets none."""
    if session.session_id not in service.sessions:
        raise NtError(NtStatus.USER_SESSION_DELETED)
    if tree_id not in session.trees:
        raise NtError(NtStatus.NETWORK_NAME_DELETED)
    if len(session.opens) >= service.config.server.limits.opens:
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)


async def _contexts(
    service: Service, message: CreateRequest, open_: Open, found: Found
) -> list[tuple[bytes, bytes]]:
    """Answer the create contexts that are known; others are ignored ([MS-SMB2] 3.3.5.9)."""
    answers = []
    for name, data in message.contexts:
        if name == ContextName.MAXIMAL_ACCESS:
            stamp = parse_maximal_access(data)
            if stamp is None or stamp != found.information.last_write_time:
                answers.append((name, pack_maximal_access(NtStatus.SUCCESS, found.maximal)))
        elif name == ContextName.QUERY_ON_DISK_ID:
            information = found.information
            answers.append(
                (name, pack_query_on_disk_id(information.index_number, information.device))
            )
        elif name == ContextName.ALLOCATION_SIZE and found.action != CreateAction.OPENED:
            size = parse_allocation_size(data)
            if size and not open_.file.is_directory:
                await service.blocking(allocate, open_.file, size)
    return answers
