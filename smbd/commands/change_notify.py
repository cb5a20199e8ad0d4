"""CHANGE_NOTIFY ([MS-SMB2] 3.3.5.19): tell a client what happens in a directory."""

from smbd.memory import WATCH
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import ChangeNotifyEntry, Open
from smbd.waiting import until
from smbd.wire.access import Access
from smbd.wire.change_notify import (
    ChangeNotifyFlags,
    ChangeNotifyRequest,
    parse_change_notify_request,
)
from smbd.wire.output import pack_output_response


def try_now(request: Request) -> Reply | None:
    """Answer with what has happened since the last request; None if that is nothing.

    It joins the queue here, where requests come in their order.
    """
    message = parse_change_notify_request(request.frame)
    open_ = _prepare(request, message)
    if open_.link is not None and open_.link.delete_pending:
        raise NtError(NtStatus.DELETE_PENDING)
    entry = _entry(request, open_, message)
    if entry.ready and not entry.waits:
        return _finish(entry, message)
    request.waits_for(entry.wait())
    return None


async def run(request: Request) -> Reply:
    """Wait until something happens; CANCEL ends the wait, and so does a CLOSE."""
    message = parse_change_notify_request(request.frame)
    entry = request.find_open(message).notify
    assert entry is not None, "try_now has made it"
    await until(request.live_wait())
    return _finish(entry, message)


def _prepare(request: Request, message: ChangeNotifyRequest) -> Open:
    open_ = request.find_open(message, message.output_buffer_length)
    open_.require(Access.FILE_LIST_DIRECTORY)
    return open_


def _entry(request: Request, open_: Open, message: ChangeNotifyRequest) -> ChangeNotifyEntry:
    """The handle's entry, made by the first request on it."""
    if open_.notify is None:
        entry = ChangeNotifyEntry(
            open_.file,
            message.completion_filter,
            bool(message.flags & ChangeNotifyFlags.WATCH_TREE),
            message.output_buffer_length,
            open_.file.root.lookup.veto,
        )
        open_.memory.grow(WATCH)
        try:
            request.tables.watch(open_, entry)
        except NtError:
            open_.memory.grow(-WATCH)
            raise
        return entry
    return open_.notify


def _finish(entry: ChangeNotifyEntry, message: ChangeNotifyRequest) -> Reply:
    changes = entry.take(message.output_buffer_length)
    if changes is None:
        return Reply(pack_output_response(b""), NtStatus.NOTIFY_ENUM_DIR)
    return Reply(pack_output_response(changes))
