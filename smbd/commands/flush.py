"""FLUSH ([MS-SMB2] 3.3.5.11): all written data is on the disk when this is answered."""

from smbd import vfs
from smbd.commands.reply import later
from smbd.commands.syncing import sync
from smbd.request import Reply, Request
from smbd.state import modified
from smbd.wire.access import Access
from smbd.wire.empty import EMPTY_RESPONSE
from smbd.wire.flush import parse_flush_request

try_now = later  # an fsync always waits


async def run(request: Request) -> Reply:
    """Fsync the file or directory."""
    open_ = request.find_open(parse_flush_request(request.frame))
    # [MS-FSA] 2.1.5.7 asks for no right; Windows and Samba want one that could have written.
    open_.require_any(Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA)
    if open_.file.is_directory:
        await request.blocking_long(vfs.sync, open_.file)
    else:
        await sync(request, open_)
        # A program that writes a log may never close it.
        changed, open_.unreported = open_.unreported, 0
        request.changed(open_, modified(changed))
    return Reply(EMPTY_RESPONSE)
