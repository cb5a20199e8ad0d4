"""CREATE ([MS-SMB2] 3.3.5.9): open or make a file, in agreement with its other opens."""

from functools import lru_cache

from smbd import vfs
from smbd.closing import closed_on_error
from smbd.commands import aapl, create_contexts, reopening
from smbd.commands.create_contexts import Asked
from smbd.commands.create_response import granted_level, respond
from smbd.commands.durable import (
    AskedDurability,
    asked_durability,
    end_other_instances,
    grant,
    in_creation,
    make_eligible_for_replay,
    waits,
)
from smbd.commands.durable import answers as durability_answers
from smbd.commands.entering import check_limits, enter, entered, leased_by
from smbd.commands.leases import opened
from smbd.commands.making import make_now
from smbd.fsa import security
from smbd.fsa.opening import (
    CREATES,
    TRUNCATES,
    Found,
    Wanted,
    open_cached,
    open_or_create,
    truncate,
)
from smbd.fsa.streams import open_or_create_stream
from smbd.ntstatus import NtError, NtStatus
from smbd.persistence import remember
from smbd.request import Reply, Request
from smbd.state import ADDED, WRITTEN, Change, Open, Operation, Wait, modified
from smbd.vfs import fold, parse_name
from smbd.waiting import queued, until
from smbd.wire.access import Access, map_generic
from smbd.wire.change_notify import CompletionFilter
from smbd.wire.create import (
    CreateAction,
    CreateDisposition,
    CreateOptions,
    CreateRequest,
    ImpersonationLevel,
    bare_create_request,
    parse_create_request,
    split_create_request,
)
from smbd.wire.create_contexts import ContextName

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
# A file that is deleted or moved each time before it can be entered has met an attacker, no race.
_TRIES = 100
# What opens an existing file as it is, and nothing else.
_OPENS = (CreateDisposition.OPEN, CreateDisposition.OPEN_IF)
_AT_ONCE = CREATES | {*_OPENS}


def try_now(request: Request) -> Reply | None:
    """Open what the kernel has in its caches: 40 us, where a worker takes 200 (measured)."""
    bare = split_create_request(request.frame)
    if bare is not None:
        body, name = bare
        message = _checked(body)
        path, stream = parse_name(name)
        if stream is None:
            wanted = _wanted(request, message, create_contexts.NOTHING, path, "")
            return _open_now(request, message, create_contexts.NOTHING, None, wanted)
    message = parse_create_request(request.frame)
    durability = asked_durability(request, message) if message.contexts else None
    if durability is not None:
        again = reopening.at_once(request, message, durability)
        if again is not None or durability.reconnect is not None:
            return again
        if waits(request, durability):
            return None
    if message.create_disposition not in _AT_ONCE:
        return None
    _check_fields(message)
    asked = create_contexts.parse(message)
    wanted = wanted_by(request, message, asked)
    return _open_now(request, message, asked, durability, wanted)


def _open_now(
    request: Request,
    message: CreateRequest,
    asked: Asked,
    durability: AskedDurability | None,
    wanted: Wanted,
) -> Reply | None:
    disposition = message.create_disposition
    if disposition not in _AT_ONCE or wanted.stream or is_queued(request, wanted):
        return None  # a stream's content has to be brought first
    entered_ = None
    if disposition in _OPENS:
        entered_ = _enter_cached(request, message, asked, wanted)
    if entered_ is None and disposition in CREATES:
        entered_ = make_now(request, message, asked, wanted)
    if entered_ is None:
        return None
    open_, found = entered_
    if durability is not None:
        grant(request, message, asked, durability, open_, found.action)
    request.known = found.information
    return _finish(request, message, asked, durability, open_, found)


def _enter_cached(
    request: Request, message: CreateRequest, asked: Asked, wanted: Wanted
) -> tuple[Open, Found] | None:
    """The Open of what the kernel has in its caches; None if that, or others, may have to wait."""
    files = request.tables.files
    found = open_cached(request.live_root(), wanted)
    if found is None:
        return None
    try:
        if files.changes.meet(found.file) is not None:
            found.file.close()
            return None
        open_ = enter(request, message, asked, found)
    except BaseException:
        found.file.close()
        raise
    if isinstance(open_, Wait):
        open_.give_up()
        found.file.close()
        return None
    return open_, found


def is_queued(request: Request, wanted: Wanted) -> bool:
    """Whether another CREATE may be making or overwriting this very name."""
    queues = request.tables.files.queues
    return bool(queues) and (request.live_root(), fold(wanted.path)) in queues


async def run(request: Request) -> Reply:
    """Open; whatever ends this early leaves no descriptor and no open behind."""
    message = parse_create_request(request.frame)
    durability = asked_durability(request, message)
    if durability is not None:
        again = await reopening.later(request, message, durability)
        if again is not None:
            return again
    _check_fields(message)
    asked = create_contexts.parse(message)
    wanted = wanted_by(request, message, asked)
    with in_creation(request, durability):
        await end_other_instances(request, message, durability)
        open_, found = await _create(request, message, asked, wanted)
        if found.action == CreateAction.CREATED:
            named = found.file if found.made is None else found.made
            stream = modified(CompletionFilter.STREAM_NAME)
            request.changed(open_, ADDED if named.stream is None else stream)
        _check_open(open_)
        if durability is not None:
            grant(request, message, asked, durability, open_, found.action)
            async with closed_on_error(request.service, open_):
                await remember(request, open_)
            _check_open(open_)
        return _finish(request, message, asked, durability, open_, found)


def _check_open(open_: Open) -> None:
    """FILE_CLOSED for an Open that ended meanwhile with its session: it enters no table again."""
    if open_.closed:
        raise NtError(NtStatus.FILE_CLOSED)


def _finish(
    request: Request,
    message: CreateRequest,
    asked: Asked,
    durability: AskedDurability | None,
    open_: Open,
    found: Found,
) -> Reply:
    if durability is not None:
        make_eligible_for_replay(request, durability, open_, found.action)
    contexts = []
    if asked is not create_contexts.NOTHING or open_.caching is not None:
        contexts = create_contexts.answers(asked, found, open_.caching)
    if durability is not None:
        contexts += durability_answers(message, durability, open_)
    if asked.aapl is not None:
        contexts.append((ContextName.AAPL, aapl.answer(request, asked.aapl)))
    return respond(request, open_, found, granted_level(open_), contexts)


async def _create(
    request: Request, message: CreateRequest, asked: Asked, wanted: Wanted
) -> tuple[Open, Found]:
    """Open, and again if what was opened was gone, moved or cached by others.

    It waits outside the queue: the client that caches the file may have to open it by the
    same name before it can give up what it has cached.
    """
    for _ in range(_TRIES):
        check_limits(request)  # also before: a CREATE that is refused should make no file
        created = await _in_turn(request, message, asked, wanted)
        if not isinstance(created, Wait):
            return created
        await until(request.waits_for(created))
    raise NtError(NtStatus.SHARING_VIOLATION)


async def _in_turn(
    request: Request, message: CreateRequest, asked: Asked, wanted: Wanted
) -> tuple[Open, Found] | Wait:
    """Open, after each other CREATE that may be making or overwriting this very name.

    A file without its attributes, EAs and descriptor is not there yet.
    """
    queues, name = request.tables.files.queues, (request.live_root(), fold(wanted.path))
    if wanted.disposition == CreateDisposition.OPEN and name not in queues:
        return await _try(request, message, asked, wanted)
    async with queued(queues.join(name)):
        return await _try(request, message, asked, wanted)


async def _try(
    request: Request, message: CreateRequest, asked: Asked, wanted: Wanted
) -> tuple[Open, Found] | Wait:
    """Open in a worker; or what to wait for before another try."""
    with request.tables.files.changes.flight() as flight:
        open_or_make = open_or_create_stream if wanted.stream else open_or_create
        root, making = request.live_root(), flight.making
        found = await opened(request, open_or_make, root, wanted, making)
        open_ = await entered(request, message, asked, found, flight)
    if isinstance(open_, Wait):
        return open_
    if found.action != CreateAction.CREATED:
        if wanted.truncates:
            await _truncate(request, open_, found, wanted)
        elif open_.caching is not None:
            await _look_again(request, open_, found)
    return open_, found


async def _look_again(request: Request, open_: Open, found: Found) -> None:
    """The client caches the file as it is from now on, and believes the size in the answer.

    Others may have written since a worker looked: they had nothing to break.
    """
    async with closed_on_error(request.service, open_):
        if found.file.asks_others:
            found.information = await request.blocking(vfs.information, found.file)
        else:
            found.information = vfs.information(found.file)


async def _truncate(request: Request, open_: Open, found: Found, wanted: Wanted) -> None:
    """Overwrite the file; until that is done no other CREATE gets it."""
    tables = request.tables
    async with closed_on_error(request.service, open_):
        # In the same turn of the loop as the entry, so nothing can be in the way.
        change = tables.files.changes.begin([found.file.identity])
        assert isinstance(change, Change)
        with change:
            found.information = await request.blocking_long(truncate, found.file, wanted)
        # Once more: others may have read the old data meanwhile, and cached it anew.
        open_.cachings.contend(Operation.OVERWRITE, open_.caching, request.service.clock())
        request.changed(open_, modified(WRITTEN | CompletionFilter.ATTRIBUTES))
    superseded = wanted.disposition == CreateDisposition.SUPERSEDE
    found.action = CreateAction.SUPERSEDED if superseded else CreateAction.OVERWRITTEN


@lru_cache(64)
def _checked(body: bytes) -> CreateRequest:
    """A CREATE without its name; NtError as `_check_fields`.

    A client says the same of nearly all its files: this is found out once.
    """
    message = bare_create_request(body)
    _check_fields(message)
    return message


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


def wanted_by(request: Request, message: CreateRequest, asked: Asked) -> Wanted:
    """What a CREATE asks for, as far as storage is concerned; NtError for what is no name."""
    path, stream = parse_name(message.name)
    if stream is not None:
        if not request.live_root().has_streams:
            raise NtError(NtStatus.OBJECT_NAME_INVALID)
        if message.create_options & CreateOptions.DIRECTORY_FILE:
            raise NtError(NtStatus.NOT_A_DIRECTORY)
    wanted = _wanted(request, message, asked, path, stream or "")
    if stream is not None:  # "directory::$DATA" is none either
        wanted.options |= CreateOptions.NON_DIRECTORY_FILE
    return wanted


def _wanted(
    request: Request, message: CreateRequest, asked: Asked, path: str, stream: str
) -> Wanted:
    tree = request.live_tree()
    return Wanted(
        path=path,
        stream=stream,
        access=_access(message.desired_access),
        disposition=message.create_disposition,
        options=message.create_options,
        attributes=message.file_attributes,
        share_maximum=tree.maximal_access,
        token=security.token_of(tree.session.identity),
        tells_maximum=asked.maximum,
        security=asked.security,
        eas=asked.eas or (),
        allocation=asked.allocation,
        truncates=message.create_disposition in TRUNCATES,
        made_refusal=0 if asked.lease is None else _made_refusal(request, message, asked),
    )


def _made_refusal(request: Request, message: CreateRequest, asked: Asked) -> int:
    """[MS-SMB2] 3.3.5.9.8: a lease key is of one file, and a file that is made is another one."""
    lease, client = leased_by(request, message, asked), request.connection.lease_client
    in_use = lease is not None and client is not None and lease.key in client.leases
    return NtStatus.INVALID_PARAMETER if in_use else 0


def _access(desired: int) -> int:
    """DesiredAccess with the generic rights spelled out; PRIVILEGE_NOT_HELD for auditing."""
    access = desired if desired < Access.GENERIC_ALL else map_generic(desired)
    if access & Access.ACCESS_SYSTEM_SECURITY:
        raise NtError(NtStatus.PRIVILEGE_NOT_HELD)
    return access
