"""CLOSE ([MS-SMB2] 3.3.5.10)."""

import contextlib

from smbd.closing import (
    close_at_once,
    close_descriptor,
    closes_quickly,
    delete_at_once,
    end_open,
    place_to_delete,
)
from smbd.commands.caching import await_handles
from smbd.commands.write_time import restore
from smbd.fsa import write_time
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import WRITTEN, Open
from smbd.vfs import information
from smbd.wire.close import CloseFlags, pack_close_response, parse_close_request
from smbd.wire.fscc import FileInformation


def try_now(request: Request) -> Reply | None:
    """Close at once, if that waits for nothing: no name to delete, no disk to ask."""
    message = parse_close_request(request.frame)
    open_ = request.find_open(message)
    asked = message.flags & CloseFlags.POSTQUERY_ATTRIB
    if request.tables.files.goes_with(open_):
        return _delete_now(request, open_, asked=bool(asked))
    if open_.delete_on_close and open_.cachings.keepers:
        return None
    if not closes_quickly(open_) or (asked and open_.file.asks_others):
        return None
    known = None
    if asked:
        known = request.known
        kept = write_time.kept(request.tables.files, open_)
        if kept is not None and not open_.users:
            # `closes_quickly` says that it may.  Nobody writes before the file is closed.
            written = bool(open_.unreported & WRITTEN)
            known = write_time.put_back(open_.file, kept, written=written)
            open_.kept_write_time = None
        known = known or information(open_.file)
    close_at_once(request.service, open_)
    return Reply(pack_close_response(known))


def _delete_now(request: Request, open_: Open, *, asked: bool) -> Reply | None:
    """Delete a small file with its last open, if that waits for nothing."""
    place = place_to_delete(request.service, open_)
    if place is None:
        return None
    with place:
        if asked and open_.kept_write_time is not None:
            return None
        known = information(open_.file) if asked else None
        delete_at_once(request.service, open_, place)
    return Reply(pack_close_response(known))


async def run(request: Request) -> Reply:
    """Close in a worker, and delete what waited for this close."""
    message = parse_close_request(request.frame)
    open_ = request.find_open(message)
    if open_.delete_on_close:
        # What others keep open for no program would keep the name from going.  A wait that ends in
        # another way, by CANCEL or with the server, hinders no CLOSE.
        with contextlib.suppress(NtError):
            await await_handles(request, open_)
    if open_.closed:
        raise NtError(NtStatus.FILE_CLOSED)  # by another CLOSE of the same burst
    known = None
    if message.flags & CloseFlags.POSTQUERY_ATTRIB:
        known = await _information(request, open_)
    await end_open(request.service, open_)
    unused = request.let_go()
    if unused is not None:
        await close_descriptor(unused)
    return Reply(pack_close_response(known))


async def _information(request: Request, open_: Open) -> FileInformation:
    """What the client wants to know at the end; of a local file that waits for nothing."""
    await restore(request, open_)
    if open_.file.asks_others:
        return await request.blocking(information, open_.file)
    return information(open_.file)
