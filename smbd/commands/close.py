"""CLOSE ([MS-SMB2] 3.3.5.10)."""

from smbd.commands import write_time
from smbd.commands.closing import close_open, drop_open
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import Open
from smbd.vfs import information
from smbd.wire.close import CloseFlags, pack_close_response, parse_close_request
from smbd.wire.fscc import FileInformation


def try_now(request: Request) -> Reply | None:
    """Close at once; only a deletion needs a worker."""
    message = parse_close_request(request.frame)
    open_ = request.find_open(message)
    if request.service.files.goes_with(open_):
        return None
    known = _information(request, open_, message.flags)
    with open_:
        drop_open(request.service, request.live_session(), open_)
    return Reply(pack_close_response(known))


async def run(request: Request) -> Reply:
    """Close, and delete what waited for this close."""
    message = parse_close_request(request.frame)
    open_ = request.find_open(message)
    if open_.closed:
        raise NtError(NtStatus.FILE_CLOSED)  # by another CLOSE of the same burst
    known = _information(request, open_, message.flags)
    await close_open(request.service, request.live_session(), open_)
    return Reply(pack_close_response(known))


def _information(request: Request, open_: Open, flags: int) -> FileInformation | None:
    """What the client wants to know at the end; an fstat of an open file waits for nothing."""
    if not flags & CloseFlags.POSTQUERY_ATTRIB:
        return None
    write_time.restore(request.service, open_)
    return information(open_.file)
