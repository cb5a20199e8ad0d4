"""FLUSH ([MS-SMB2] 3.3.5.11): all written data is on the disk when this is answered."""

from aio.base import Begun, Done, Engine
from smbd import vfs
from smbd.commands.syncing import sync
from smbd.request import Reply, Request
from smbd.state import Open, modified
from smbd.wire.access import Access
from smbd.wire.empty import EMPTY_RESPONSE
from smbd.wire.flush import parse_flush_request


def try_now(request: Request) -> Reply | None:
    """An fsync always waits, but for that of a file's data no task is needed."""
    open_ = _prepare(request)
    if not open_.file.is_directory and open_.file.stream is None:
        request.transfer = Flushing(open_)
    return None


async def run(request: Request) -> Reply:
    """Fsync a directory or a stream, or a file in a compound."""
    request.transfer = None
    open_ = _prepare(request)
    if open_.file.is_directory:
        await request.blocking_long(vfs.sync, open_.file)
        return Reply(EMPTY_RESPONSE)
    await sync(request, open_)
    return _finish(request, open_)


class Flushing:
    """A FLUSH of a file, as the engine's part of its request."""

    __slots__ = ("_open",)

    def __init__(self, open_: Open) -> None:
        self._open = open_

    @property
    def engine(self) -> Engine:
        """As `smbd.request.Transfer` has it."""
        return self._open.share.engine

    def begin(self, done: Done) -> Begun:
        """As `smbd.request.Transfer` has it."""
        return self.engine.begin_fsync(self._open.file.fd, done)

    def finish(self, request: Request, _count: int, error: BaseException | None) -> Reply:
        """As `smbd.request.Transfer` has it."""
        if error is not None:
            raise error
        return _finish(request, self._open)


def _prepare(request: Request) -> Open:
    open_ = request.find_open(parse_flush_request(request.frame))
    # [MS-FSA] 2.1.5.7 asks for no right; Windows and Samba want one that could have written.
    open_.require_any(Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA)
    return open_


def _finish(request: Request, open_: Open) -> Reply:
    # A program that writes a log may never close it.
    changed, open_.unreported = open_.unreported, 0
    request.changed(open_, modified(changed))
    return Reply(EMPTY_RESPONSE)
