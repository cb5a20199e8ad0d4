"""LOCK ([MS-SMB2] 3.3.5.14): byte ranges, taken or given up, at once or when they come free."""

from collections.abc import Iterator
from functools import partial

from smbd.commands.caching import tell_change
from smbd.memory import LOCK
from smbd.ntstatus import NtError, NtStatus
from smbd.persistence import remember
from smbd.request import Reply, Request
from smbd.state import ByteRange, LockWait, Open
from smbd.waiting import until
from smbd.wire.access import Access
from smbd.wire.empty import EMPTY_RESPONSE
from smbd.wire.header import Dialect, Flags
from smbd.wire.lock import LockElement, LockFlags, LockRequest, parse_lock_request

_KINDS = frozenset((LockFlags.SHARED, LockFlags.EXCLUSIVE))
_LAST_BYTE = 0xFFFFFFFFFFFFFFFF


def try_now(request: Request) -> Reply | None:
    """Lock or unlock at once; None if it has to wait for another's lock.

    It joins the queue here, as requests come: `run` begins when the whole burst is read.
    """
    message = parse_lock_request(request.frame)
    open_ = _prepare(request, message)
    if open_.durable is not None and open_.durable.persistent:
        return None
    return _at_once(request, open_, message)


def _at_once(request: Request, open_: Open, message: LockRequest) -> Reply | None:
    if _is_replayed(request, open_, message):
        return Reply(EMPTY_RESPONSE)
    if message.locks[0].flags & LockFlags.UNLOCK:
        open_.locks.unlock(open_, _unlocked(open_, message.locks))
    elif not _lock_all(open_, message.locks):
        if message.locks[0].flags & LockFlags.FAIL_IMMEDIATELY:
            raise NtError(NtStatus.LOCK_NOT_GRANTED)
        request.waits_for(_wait(request, open_, message))
        return None
    else:
        tell_change(request, open_)
    open_.locked(*message.sequence)
    return Reply(EMPTY_RESPONSE)


async def run(request: Request) -> Reply:
    """Wait until the range comes free; CANCEL ends the wait, and so does a CLOSE.

    Of a persistent handle the disk knows before the client does.
    """
    message = parse_lock_request(request.frame)
    open_ = _prepare(request, message)
    try:
        reply = _at_once(request, open_, message) if request.waiting is None else None
        return reply or await _granted(request, message)
    finally:
        await remember(request, open_)  # also what was unlocked before a wrong range


async def _granted(request: Request, message: LockRequest) -> Reply:
    wait = request.live_wait()
    assert isinstance(wait, LockWait)
    await until(wait)
    open_ = wait.wanted.owner
    assert isinstance(open_, Open)
    tell_change(request, open_)
    return Reply(EMPTY_RESPONSE)


def _wait(request: Request, open_: Open, message: LockRequest) -> LockWait:
    """Join the queue; a replay takes over the entry of the LOCK that it repeats, which was lost.

    That may not be known here yet: the one would get the lock, and the other wait for it for ever.
    """
    open_.memory.grow(LOCK)
    settled = partial(_settle, open_, message.sequence)
    try:
        wait = open_.locks.wait(_range(open_, message.locks[0]), message.sequence, settled)
    except NtError:
        open_.memory.grow(-LOCK)
        raise
    if request.flags & Flags.REPLAY_OPERATION and open_.has_sequence(message.sequence[0]):
        open_.locks.take_over(wait)
    return wait


def _settle(open_: Open, sequence: tuple[int, int], status: int) -> None:
    """It holds the lock from this moment on, or never will."""
    if status:
        open_.memory.grow(-LOCK)
    else:
        open_.locked(*sequence)


def _is_replayed(request: Request, open_: Open, message: LockRequest) -> bool:
    """Whether it was carried out before the client lost the answer ([MS-SMB2] 3.3.5.14).

    Of 2.1 a durable Open verifies it; of 3.x every one, with or without MULTI_CHANNEL, as Samba's.
    """
    dialect, is_durable = request.connection.negotiated.dialect, open_.durable is not None
    verifies = dialect >= Dialect.SMB_3_0 or (is_durable and dialect == Dialect.SMB_2_1)
    return verifies and open_.has_locked(*message.sequence)


def _prepare(request: Request, message: LockRequest) -> Open:
    open_ = request.find_open(message)
    # As NtLockFile: an open without rights to the data must not hinder one that has them.
    open_.require_any(Access.FILE_READ_DATA | Access.FILE_WRITE_DATA)
    return open_


def _unlocked(open_: Open, elements: list[LockElement]) -> Iterator[tuple[int, int]]:
    """One by one: those before a wrong one stay unlocked ([MS-SMB2] 3.3.5.14.1).

    ByteRangeLocks asks for the next one when it has unlocked the one before.
    """
    for element in elements:
        if element.flags != LockFlags.UNLOCK:
            raise NtError(NtStatus.INVALID_PARAMETER)
        _check_range(element)
        yield element.offset, element.length
        open_.memory.grow(-LOCK)


def _lock_all(open_: Open, elements: list[LockElement]) -> bool:
    """Take all of them or none.  Several at once cannot wait ([MS-SMB2] 3.3.5.14.2)."""
    for element in elements:
        immediate = element.flags & LockFlags.FAIL_IMMEDIATELY
        if element.flags & ~LockFlags.FAIL_IMMEDIATELY not in _KINDS:
            raise NtError(NtStatus.INVALID_PARAMETER)
        if len(elements) > 1 and not immediate:
            raise NtError(NtStatus.INVALID_PARAMETER)
        _check_range(element)
    size = LOCK * len(elements)
    open_.memory.grow(size)
    taken = False
    try:
        taken = open_.locks.try_all([_range(open_, element) for element in elements])
    finally:
        if not taken:
            open_.memory.grow(-size)
    return taken


def _check_range(element: LockElement) -> None:
    if element.length and element.offset + element.length - 1 > _LAST_BYTE:
        raise NtError(NtStatus.INVALID_LOCK_RANGE)


def _range(open_: Open, element: LockElement) -> ByteRange:
    exclusive = bool(element.flags & LockFlags.EXCLUSIVE)
    return ByteRange(open_, element.offset, element.length, exclusive)
