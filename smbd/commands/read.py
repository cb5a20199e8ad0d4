"""READ ([MS-SMB2] 3.3.5.12): the reason for everything else.

The reply's buffer is made first and the data read straight behind its header.
"""

from aio.base import Begun, Done, Engine
from smbd import vfs
from smbd.buffers import LARGE
from smbd.ntstatus import NtError, NtStatus
from smbd.request import HEADROOM, Reply, Request
from smbd.state import Open
from smbd.wire.access import Access
from smbd.wire.header import Flags
from smbd.wire.read import ReadRequest, pack_read_response_into, parse_read_request

_DATA_AT = HEADROOM + 16
_MAX_OFFSET = 0x7FFFFFFFFFFFFFFF


def try_now(request: Request) -> Reply | None:
    """Answer from the page cache, if the share's engine finds all of it there."""
    message = parse_read_request(request.frame)
    open_ = _prepare(request, message)
    length = message.length
    if length > LARGE:
        if open_.file.asks_others:
            return None
        length = _present(open_, message)
    frame = _frame(request, length)
    with memoryview(frame) as view:
        count = open_.share.engine.try_read(open_.file.fd, view[_DATA_AT:], message.offset)
    if count is None:
        # To sign or seal much of it takes long: that is for a task, which gives way to others.
        if length <= LARGE or not (request.sealed or request.flags & Flags.SIGNED):
            request.transfer = _Reading(open_, message, frame)
        else:
            _give_back(request, frame)
        return None
    return _finish(open_, message, frame, count)


async def run(request: Request) -> Reply:
    """Have the engine read data that is not in the page cache: in a compound, or to be signed."""
    request.transfer = None
    message = parse_read_request(request.frame)
    open_ = _prepare(request, message)
    length = message.length
    if length > LARGE:
        if open_.file.asks_others:
            length = await request.blocking(_present, open_, message)
        else:
            length = _present(open_, message)
    frame = _frame(request, length)
    with memoryview(frame) as view, view[_DATA_AT:] as into:
        count = await open_.share.engine.read(open_.file.fd, into, message.offset)
    return _finish(open_, message, frame, count)


class _Reading:
    """A READ as the engine's part of its request."""

    __slots__ = ("_frame", "_into", "_message", "_open")

    def __init__(self, open_: Open, message: ReadRequest, frame: bytearray) -> None:
        self._open, self._message, self._frame = open_, message, frame
        self._into = memoryview(frame)[_DATA_AT:]

    @property
    def engine(self) -> Engine:
        """As `smbd.request.Transfer` has it."""
        return self._open.share.engine

    def begin(self, done: Done) -> Begun:
        """As `smbd.request.Transfer` has it."""
        fd, offset = self._open.file.fd, self._message.offset
        return self.engine.begin_read(fd, self._into, offset, done)

    def finish(self, request: Request, count: int, error: BaseException | None) -> Reply:
        """As `smbd.request.Transfer` has it."""
        self._into.release()
        try:
            if error is not None:
                raise error
            return _finish(self._open, self._message, self._frame, count)
        except BaseException:
            _give_back(request, self._frame)
            raise


class Fetched:
    """The same of one that C has begun, whose data lies elsewhere."""

    def __init__(self, open_: Open) -> None:
        self._open = open_
        self.data = b""  # set before it is finished

    @property
    def engine(self) -> Engine:
        """As `smbd.request.Transfer` has it."""
        return self._open.share.engine

    def begin(self, done: Done) -> Begun:
        """Never: it has begun."""
        raise AssertionError(done)

    def finish(self, request: Request, count: int, error: BaseException | None) -> Reply:
        """As `smbd.request.Transfer` has it."""
        if error is not None:
            raise error
        frame = bytearray(_DATA_AT) + self.data
        return _finish(self._open, parse_read_request(request.frame), frame, count)


def _present(open_: Open, message: ReadRequest) -> int:
    """How many bytes of what is asked the file has: a buffer for more would be for nothing.

    A READ of 8 MiB of a file of 100 bytes took 2.2 ms and held 8 MiB until it was sent (measured).
    """
    return max(min(message.length, vfs.end_of_file(open_.file) - message.offset), 0)


def _frame(request: Request, length: int) -> bytearray:
    """A buffer for the whole reply."""
    if length < LARGE:
        return bytearray(_DATA_AT + length)
    return request.service.buffers.take(_DATA_AT + length)


def _give_back(request: Request, frame: bytearray) -> None:
    if len(frame) >= LARGE:
        request.service.buffers.give(frame)


def _prepare(request: Request, message: ReadRequest) -> Open:
    length = message.length
    open_ = request.find_open(message, length)
    open_.require_any(Access.FILE_READ_DATA | Access.FILE_EXECUTE)
    if message.offset + length > _MAX_OFFSET:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if open_.locks.held:
        open_.locks.check(open_, message.offset, length, writing=False)
    return open_


def _finish(open_: Open, message: ReadRequest, frame: bytearray, count: int) -> Reply:
    if count < message.minimum_count or (not count and message.length):
        raise NtError(NtStatus.END_OF_FILE)
    open_.position = message.offset + count
    if len(frame) > _DATA_AT + count:
        del frame[_DATA_AT + count :]
    pack_read_response_into(frame, HEADROOM, count)
    return Reply.of_frame(frame)
