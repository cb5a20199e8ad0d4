"""WRITE ([MS-SMB2] 3.3.5.13): the payload goes from the receive buffer to the engine, uncopied."""

from smbd import vfs
from smbd.commands.caching import tell_change
from smbd.commands.syncing import sync
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import WRITTEN, Open
from smbd.waiting import until
from smbd.wire.access import Access
from smbd.wire.create import CreateOptions
from smbd.wire.write import WriteFlags, WriteRequest, pack_write_response, parse_write_request

_WRITES = Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA
_MAX_OFFSET = 0x7FFFFFFFFFFFFFFF


def try_now(request: Request) -> Reply | None:
    """Write at once, if the engine sees that it will not wait."""
    message = parse_write_request(request.frame)
    open_ = _prepare(request, message)
    if not open_.granted_access & Access.FILE_WRITE_DATA:
        # The next one begins where this one ends: they are carried out as they came.
        request.waits_for(request.tables.files.queues.join(open_.caching or open_))
        return None
    count = None
    if not _through(open_, message):
        count = open_.share.engine.try_write(open_.file.fd, message.data, message.offset)
    if count is None:
        if open_.caching is not None:
            # An acknowledgment behind it comes into force when this is written; it waits for none.
            request.waits_for(request.tables.files.queues.join(open_.caching))
        return None
    return _finish(open_, message, count)


async def run(request: Request) -> Reply:
    """Have the engine write, and for a write-through have it wait for the disk."""
    message = parse_write_request(request.frame)
    open_ = _prepare(request, message)
    engine = open_.share.engine
    if open_.granted_access & Access.FILE_WRITE_DATA:
        count = await engine.write(open_.file.fd, message.data, message.offset)
    else:
        count = await _append(request, open_, message)
    tell_change(request, open_)
    if _through(open_, message):
        await sync(request, open_)
    return _finish(open_, message, count)


async def _append(request: Request, open_: Open, message: WriteRequest) -> int:
    """Write at the end of the file, the only place for an open with FILE_APPEND_DATA alone.

    3.3.5.13 has ACCESS_DENIED for what lies within the file; what would leave a gap behind its
    end gets the same.  The entry in the queue is given up with the answer (`let_go`).
    """
    await until(request.live_wait())
    return await request.blocking(vfs.append, open_.file, message.data, message.offset)


def _through(open_: Open, message: WriteRequest) -> bool:
    """Whether the client wants it on the disk before it is answered."""
    return bool(
        message.flags & WriteFlags.WRITE_THROUGH
        or open_.create_options & CreateOptions.WRITE_THROUGH
    )


def _prepare(request: Request, message: WriteRequest) -> Open:
    length = len(message.data)
    open_ = request.find_open(message, length)
    if not open_.granted_access & _WRITES:  # as require_any, without its call
        raise NtError(NtStatus.ACCESS_DENIED)
    if message.offset + length > _MAX_OFFSET:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if open_.locks.held or open_.cachings.keepers:
        _meet_others(request, open_, message)
    return open_


def _meet_others(request: Request, open_: Open, message: WriteRequest) -> None:
    """Their locks forbid it, or what they have cached is no longer true."""
    if open_.locks.held:
        open_.locks.check(open_, message.offset, len(message.data), writing=True)
    tell_change(request, open_)


def _finish(open_: Open, message: WriteRequest, count: int) -> Reply:
    open_.position = message.offset + count
    open_.unreported |= WRITTEN
    return Reply(pack_write_response(count))
