"""LOCK ([MS-SMB2] 3.3.5.14): byte ranges, taken or given up, at once or when they come free."""

import trio

from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import ByteRange, Open
from smbd.wire.empty import EMPTY_RESPONSE
from smbd.wire.lock import LockElement, LockFlags, LockRequest, parse_lock_request

_KINDS = {
    LockFlags.SHARED,
    LockFlags.EXCLUSIVE,
    LockFlags.SHARED | LockFlags.FAIL_IMMEDIATELY,
    LockFlags.EXCLUSIVE | LockFlags.FAIL_IMMEDIATELY,
}
_LAST_BYTE = 0xFFFFFFFFFFFFFFFF
# cifs.ko sends as many as fit into 4 KiB, 166; Windows sends one.  Each is compared with all that
# are held, in the loop.
_MOST_AT_ONCE = 256


def try_now(request: Request) -> Reply | None:
    """Lock or unlock at once; None if it has to wait for another's lock."""
    message = parse_lock_request(request.frame)
    open_ = _prepare(request, message)
    if message.locks[0].flags & LockFlags.UNLOCK:
        for element in message.locks:
            _check_range(element, LockFlags.UNLOCK)
            open_.locks.unlock(open_, element.offset, element.length)
        return Reply(EMPTY_RESPONSE)
    if not _lock_all(open_, message.locks):
        if message.locks[0].flags & LockFlags.FAIL_IMMEDIATELY:
            raise NtError(NtStatus.LOCK_NOT_GRANTED)
        return None
    return Reply(EMPTY_RESPONSE)


async def run(request: Request) -> Reply:
    """Wait until the range comes free; CANCEL ends the wait, and so does a CLOSE."""
    message = parse_lock_request(request.frame)
    open_ = _prepare(request, message)
    request.keep_frame()
    wanted = _range(open_, message.locks[0])
    while not open_.closed:
        if open_.locks.try_lock(wanted):
            return Reply(EMPTY_RESPONSE)
        changed = trio.Event()
        with open_.locks.waiting(changed.set):
            await changed.wait()
    raise NtError(NtStatus.RANGE_NOT_LOCKED)


def _prepare(request: Request, message: LockRequest) -> Open:
    open_ = request.find_open(message)
    if not 0 < len(message.locks) <= _MOST_AT_ONCE or open_.file.is_directory:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return open_


def _lock_all(open_: Open, elements: list[LockElement]) -> bool:
    """Take all of them or none.  Several at once cannot wait ([MS-SMB2] 3.3.5.14.2)."""
    if len(elements) > 1 and any(
        not element.flags & LockFlags.FAIL_IMMEDIATELY for element in elements
    ):
        raise NtError(NtStatus.INVALID_PARAMETER)
    for element in elements:
        _check_range(element, element.flags if element.flags in _KINDS else 0)
    taken: list[ByteRange] = []
    for element in elements:
        wanted = _range(open_, element)
        if not open_.locks.try_lock(wanted):
            for lock in taken:
                open_.locks.release(lock)
            return False
        taken.append(wanted)
    return True


def _check_range(element: LockElement, legal_flags: int) -> None:
    if not legal_flags or element.flags != legal_flags:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if element.length and element.offset + element.length - 1 > _LAST_BYTE:
        raise NtError(NtStatus.INVALID_LOCK_RANGE)


def _range(open_: Open, element: LockElement) -> ByteRange:
    exclusive = bool(element.flags & LockFlags.EXCLUSIVE)
    return ByteRange(open_, element.offset, element.length, exclusive)
