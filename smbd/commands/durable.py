"""CREATE's contexts of durable handles ([MS-SMB2] 3.3.5.9.6, 3.3.5.9.7, 3.3.5.9.10, 3.3.5.9.12).

A reconnect gives its client an Open that has lost its connection, and looks at nothing else that
its CREATE says.  A replay gives it the Open of a CREATE whose response it has not got.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import trio

from smbd.closing import end_open
from smbd.commands import create_contexts
from smbd.commands.create_contexts import Asked
from smbd.commands.entering import check_ended, leased_by
from smbd.commands.tree_connect import is_continuous
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import Claim, Creation, Durability, Open, timeout_of
from smbd.state.durable import is_named
from smbd.state.replay import Key
from smbd.turns import Turn
from smbd.vfs import parse_name
from smbd.wire.create import CreateRequest, OplockLevel
from smbd.wire.create_contexts import (
    ContextName,
    DurableFlags,
    DurableV2,
    DurableV2Reconnect,
    LeaseState,
    pack_durable_response,
    pack_durable_v2_response,
    parse_app_instance_id,
    parse_durable_reconnect,
    parse_durable_request,
    parse_durable_v2_reconnect,
    parse_durable_v2_request,
)
from smbd.wire.header import Dialect, Flags

_OLD = (ContextName.DURABLE_REQUEST, ContextName.DURABLE_RECONNECT)
_INSTANCE = ContextName.APP_INSTANCE_ID
_NEW = (ContextName.DURABLE_REQUEST_V2, ContextName.DURABLE_RECONNECT_V2)


@dataclass(slots=True)
class AskedDurability:
    """The durable contexts of a CREATE: one of the first three fields is set."""

    reconnect: DurableV2Reconnect | None = None  # of either version
    version_2: DurableV2 | None = None
    version_1: bool = False
    is_v2: bool = False  # whether `reconnect` says a CreateGuid
    app_instance_id: bytes = b""  # beside `version_2`


def asked_durability(request: Request, message: CreateRequest) -> AskedDurability | None:
    """What a CREATE asks for, if anything.

    INVALID_PARAMETER where one of version 2 has another one beside it; of version 1 a reconnect
    goes before a request.  Version 2 is for 3.x.
    """
    names = _OLD if request.connection.negotiated.dialect < Dialect.SMB_3_0 else _OLD + _NEW
    found = {name: data for name, data in message.contexts if name in names}
    if not found:
        return None
    if len(found) > 1 and any(name in found for name in _NEW):
        raise NtError(NtStatus.INVALID_PARAMETER)
    if (data := found.get(ContextName.DURABLE_REQUEST_V2)) is not None:
        version_2, instance = parse_durable_v2_request(data), dict(message.contexts).get(_INSTANCE)
        app_instance_id = b"" if instance is None else parse_app_instance_id(instance)
        return AskedDurability(version_2=version_2, app_instance_id=app_instance_id)
    if (data := found.get(ContextName.DURABLE_RECONNECT_V2)) is not None:
        return AskedDurability(parse_durable_v2_reconnect(data), is_v2=True)
    if (data := found.get(ContextName.DURABLE_RECONNECT)) is not None:
        ids = parse_durable_reconnect(data)
        return AskedDurability(DurableV2Reconnect(*ids, bytes(16), 0))
    parse_durable_request(found[ContextName.DURABLE_REQUEST])
    return AskedDurability(version_1=True)


def creation_key(request: Request, durability: AskedDurability | None) -> Key | None:
    """How this CREATE is known if its client sends it again."""
    if durability is None or durability.version_2 is None:
        return None
    return request.connection.negotiated.client_guid, durability.version_2.create_guid


def asks_for_persistence(request: Request, durability: AskedDurability | None) -> bool:
    """Whether a CREATE wants a handle that outlives the server, in a share that has such."""
    share = request.live_share()
    return (
        durability is not None
        and durability.version_2 is not None
        and bool(durability.version_2.flags & DurableFlags.PERSISTENT)
        and is_continuous(request.service, share, request.connection.negotiated.dialect)
    )


def waits(request: Request, durability: AskedDurability) -> bool:
    """Whether a CREATE asks for what has to wait for a disk, or for the end of another open."""
    return bool(durability.app_instance_id) or asks_for_persistence(request, durability)


@contextmanager
def in_creation(request: Request, durability: AskedDurability | None) -> Iterator[None]:
    """A block in which a CREATE is carried out, so that its replay is told so.

    So is the replay of one that lost its channel, of several, and was cancelled as it waited for
    others (3.3.7.1), until that is over: it would wait for the same.  No more of it is left.
    """
    key, creations = creation_key(request, durability), request.tables.creations
    if key is None:
        yield
        return
    over = partial(creations.fail, key)  # unless it has succeeded
    creations.begin(key)
    try:
        yield
    except BaseException as error:
        lost = isinstance(error, trio.Cancelled) and len(request.live_session().channels) > 1
        if lost and request.waits_for_others:
            request.leave_waiting(over)
        else:
            over()
        raise


def open_again(
    request: Request, message: CreateRequest, durability: AskedDurability
) -> Open | None:
    """The Open that a reconnect or a replay means; None if this CREATE is neither."""
    if durability.version_1:
        return None  # it has no CreateGuid by which it would be known again
    asked = create_contexts.parse(message)
    if durability.reconnect is not None:
        return _reclaimed(request, message, asked, durability.reconnect, v2=durability.is_v2)
    return _created_before(request, message, asked, durability)


def _reclaimed(
    request: Request, message: CreateRequest, asked: Asked, again: DurableV2Reconnect, *, v2: bool
) -> Open:
    """The parked Open that a reconnect says; NtError as Tables.reclaim has it.

    The level of the oplock that it asks for says nothing.
    """
    check_ended(request)
    tree, lease = request.live_tree(), asked.lease
    claim = Claim(
        persistent_id=again.persistent_id,
        user=request.live_session().identity,
        share=tree.share,
        root=tree.root,
        name=parse_name(message.name) if lease is not None else ("", None),
        create_guid=again.create_guid if v2 else None,
        persistent=bool(again.flags & DurableFlags.PERSISTENT),
        client=request.connection.lease_client,
        lease_key=None if lease is None else lease.key,
        maximal_access=tree.maximal_access,
    )
    open_ = request.tables.reclaim(claim, tree)
    if request.connection.negotiated.dialect >= Dialect.SMB_3_0:
        open_.restart_sequence(request.sequence & 0xFFFF)
    if open_.caching is not None and open_.caching.is_breaking:
        request.behind = open_.caching.tell_again  # the answer tells the client what it has
    return open_


def _created_before(
    request: Request, message: CreateRequest, asked: Asked, durability: AskedDurability
) -> Open | None:
    """The Open of the CREATE that this one repeats, if it does ([MS-SMB2] 3.3.5.9.10).

    ACCESS_DENIED where the lease is another one; its other fields may differ, as on Windows.  One
    that has lost its session meanwhile is given to this one.  NtError as Creations.find says.
    """
    key, version_2 = creation_key(request, durability), durability.version_2
    if key is None or version_2 is None:
        return None
    replay = bool(request.flags & Flags.REPLAY_OPERATION)
    session = request.live_session()
    open_ = request.tables.creations.find(key, session.session_id, replay=replay)
    if open_ is None:
        return None
    if open_.holder is None:
        again = DurableV2Reconnect(open_.persistent_id, 0, version_2.create_guid, version_2.flags)
        return _reclaimed(request, message, asked, again, v2=True)
    lease = leased_by(request, message, asked)
    held = open_.caching if open_.caching is not None and not open_.caching.is_oplock else None
    if (lease.key if lease else b"") != (held.key if held else b""):
        raise NtError(NtStatus.ACCESS_DENIED)
    return open_


def grant(
    request: Request,
    message: CreateRequest,
    asked: Asked,
    durability: AskedDurability,
    open_: Open,
    action: int,
) -> None:
    """Let a new Open outlive its connection, and the server, as far as it may."""
    version_2, identity = durability.version_2, request.live_session().identity
    if identity is None or not identity.is_account:
        return  # a guest that comes back cannot be told from others
    keeps_handle = _keeps_handle(message, asked, open_)
    persistent = asks_for_persistence(request, durability) and open_.file.stream is None
    persistent = persistent and not open_.file.is_directory
    if not keeps_handle and not persistent:
        return
    timeout = timeout_of(0 if version_2 is None else version_2.timeout)
    open_.durable = Durability(identity, timeout, action=action)
    key, records = creation_key(request, durability), request.service.records
    if key is not None:
        open_.durable.client_guid, open_.durable.create_guid = key
    if persistent and records is not None and request.tables.durable.make_persistent(open_):
        open_.durable.forget = partial(records.forget, open_.persistent_id)
    elif not keeps_handle:
        open_.durable = None


def make_eligible_for_replay(
    request: Request, durability: AskedDurability | None, open_: Open, action: int
) -> None:
    """A CREATE has succeeded, and may come again until something else uses its Open."""
    key = creation_key(request, durability)
    if key is not None:
        open_.creation = Creation(key, action, open_.channel_sequence)
        request.tables.creations.succeed(open_)
    identity = request.live_session().identity
    if key is not None and durability is not None and durability.app_instance_id:
        assert identity is not None, "the row of CREATE needs a session"
        request.tables.instances.add(open_, durability.app_instance_id, key[0], identity)


async def end_other_instances(
    request: Request, message: CreateRequest, durability: AskedDurability | None
) -> None:
    """Close the file for the client on which the same application ran before (3.3.5.9.13).

    It moved to this one, as in a cluster, and waits for no timeout.  The specification lets every
    user do so that may read the file; here it is the account that opened it.
    """
    identity = request.live_session().identity
    if durability is None or not durability.app_instance_id or identity is None:
        return
    share, name = request.live_share(), parse_name(message.name)
    client_guid = request.connection.negotiated.client_guid
    instances, turn = request.tables.instances, Turn(request.service.turns)
    turn.begin()
    for open_ in instances.of_others(durability.app_instance_id, client_guid, identity):
        await turn.pause()
        if open_.share is share and is_named(open_, name):
            await end_open(request.service, open_)


def answers(
    message: CreateRequest, durability: AskedDurability | None, open_: Open
) -> list[tuple[bytes, bytes]]:
    """The context that says that an Open is durable: the response to a reconnect has none."""
    durable = open_.durable
    if durability is None or durable is None:
        return []
    if durability.version_1:
        return [(ContextName.DURABLE_REQUEST, pack_durable_response())]
    if durability.version_2 is None:
        return []
    if message.requested_oplock_level not in _KEEPS_HANDLE and not durable.persistent:
        return []  # the replay of a CREATE, which now asks for no more than that
    flags = DurableFlags.PERSISTENT if durable.persistent else 0
    packed = pack_durable_v2_response(round(durable.timeout * 1000), flags)
    return [(ContextName.DURABLE_REQUEST_V2, packed)]


_H = LeaseState.HANDLE_CACHING
_KEEPS_HANDLE = frozenset((OplockLevel.BATCH, OplockLevel.LEASE))


def _keeps_handle(message: CreateRequest, asked: Asked, open_: Open) -> bool:
    """Whether a file got a batch oplock or a lease that a handle may be kept for (3.3.5.9.6)."""
    caching, level, lease = open_.caching, message.requested_oplock_level, asked.lease
    if caching is None or open_.file.is_directory or level not in _KEEPS_HANDLE:
        return False
    if level == OplockLevel.LEASE and (lease is None or not lease.state & _H):
        return False
    return bool(caching.kept & _H)
