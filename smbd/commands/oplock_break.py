"""OPLOCK_BREAK acknowledgments ([MS-SMB2] 3.3.5.22): a client has given up what it had cached."""

from typing import TypeAlias

from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import OPLOCKS, Caching, level_of
from smbd.waiting import until
from smbd.wire.create import OplockLevel
from smbd.wire.oplock_break import (
    LeaseBreakAcknowledgment,
    OplockBreakAcknowledgment,
    pack_lease_break_response,
    pack_oplock_break,
    parse_oplock_break_acknowledgment,
)

Message: TypeAlias = OplockBreakAcknowledgment | LeaseBreakAcknowledgment


def try_now(request: Request) -> Reply | None:
    """The requests that wait for the file look again.

    What the client had cached counts as given up when it is written.  cifs.ko (6.1) sends its
    WRITEs and the acknowledgment behind them, and waits for no answer in between: if a worker
    still had one of them, the CREATE that waits would be told the size of before.
    """
    message = parse_oplock_break_acknowledgment(request.frame)
    caching, queues = _broken(request, message), request.tables.files.queues
    if caching is not None and caching in queues:
        request.waits_for(queues.join(caching))
        return None
    return _acknowledge(request, message)


async def run(request: Request) -> Reply:
    """Acknowledge behind the WRITEs that came before."""
    await until(request.live_wait())
    return _acknowledge(request, parse_oplock_break_acknowledgment(request.frame))


def _broken(request: Request, message: Message) -> Caching | None:
    if isinstance(message, OplockBreakAcknowledgment):
        return request.find_open(message).caching
    client = request.connection.lease_client
    return None if client is None else client.leases.get(message.lease_key)


def _acknowledge(request: Request, message: Message) -> Reply:
    if isinstance(message, OplockBreakAcknowledgment):
        return _oplock(request, message)
    return _lease(request, message)


def _oplock(request: Request, message: OplockBreakAcknowledgment) -> Reply:
    """[MS-SMB2] 3.3.5.22.1.

    Where none is due the specification has INVALID_DEVICE_STATE.  Windows and Samba say
    INVALID_OPLOCK_PROTOCOL, and smbtorture expects that.
    """
    open_ = request.find_open(message)
    oplock, level = open_.caching, message.oplock_level
    if oplock is None or not oplock.is_oplock or not oplock.is_breaking:
        raise NtError(NtStatus.INVALID_OPLOCK_PROTOCOL)
    if level not in _LEFT:
        oplock.settle(0)
        is_lease = level == OplockLevel.LEASE
        raise NtError(NtStatus.INVALID_PARAMETER if is_lease else NtStatus.INVALID_OPLOCK_PROTOCOL)
    # Level II where none was offered is none.
    state = OPLOCKS.get(level, 0) & oplock.offered
    left = oplock.acknowledge(state)
    request.behind = oplock.go_on  # as Windows does
    return Reply(pack_oplock_break(level_of(left), open_.persistent_id, open_.volatile_id))


def _lease(request: Request, message: LeaseBreakAcknowledgment) -> Reply:
    """[MS-SMB2] 3.3.5.22.2: of the client's own leases alone."""
    client = request.connection.lease_client
    if client is None:
        raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
    lease = client.lease(message.lease_key)
    left = lease.acknowledge(message.lease_state)
    request.behind = lease.go_on  # as Windows does
    return Reply(pack_lease_break_response(message.lease_key, left))


# What a client may say that it keeps.
_LEFT = frozenset((OplockLevel.NONE, OplockLevel.LEVEL_II))
