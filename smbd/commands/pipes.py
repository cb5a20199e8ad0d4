"""The commands on IPC$, whose files are named pipes: [MS-SMB2] 3.3.5.9.1 and what follows there.

A tree connect to IPC$ has these rows in place of the table's.  A pipe answers from memory, so that
all of them end in `try_now`; only a READ that comes before its message waits.
"""

from collections.abc import Callable

from smbd.commands import ioctl
from smbd.memory import PIPE, Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import PipeOpen
from smbd.waiting import until
from smbd.wire import fscc
from smbd.wire.access import FILE_ALL_ACCESS, Access, map_generic
from smbd.wire.close import pack_close_response, parse_close_request
from smbd.wire.create import (
    CreateAction,
    CreateDisposition,
    OplockLevel,
    pack_create_response,
    parse_create_request,
)
from smbd.wire.fscc import FileAttribute, FileClass, FileInformation, FileView
from smbd.wire.fsctl import Fsctl, parse_pipe_wait
from smbd.wire.ioctl import IoctlRequest, pack_ioctl_response, parse_ioctl_request
from smbd.wire.output import pack_output_response
from smbd.wire.query_info import InfoType, parse_query_info_request
from smbd.wire.read import READ_RESPONSE_SIZE, pack_read_response_into, parse_read_request
from smbd.wire.write import pack_write_response, parse_write_request


def create(request: Request) -> Reply:
    """Open a pipe by its name."""
    from smbd.commands import services  # noqa: PLC0415 -- most tests' clients open none

    message = parse_create_request(request.frame)
    session, service = request.live_session(), request.service
    if message.create_disposition not in {CreateDisposition.OPEN, CreateDisposition.OPEN_IF}:
        raise NtError(NtStatus.OBJECT_NAME_COLLISION)
    pipe = services.open_pipe(message.name, service, session)
    if pipe is None:
        raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
    if request.connection.handles >= service.config.server.limits.opens:
        raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
    number = service.tables.opens.new_volatile_id()
    wanted = map_generic(message.desired_access)
    granted = FILE_ALL_ACCESS if wanted & Access.MAXIMUM_ALLOWED else wanted & FILE_ALL_ACCESS
    if not granted:
        raise NtError(NtStatus.ACCESS_DENIED)
    memory = Holding(session.memory, PIPE)
    tree = request.live_tree()
    request.pipe = PipeOpen(number, tree, message.name.lower(), granted, pipe, memory=memory)
    tree.enter(request.pipe)
    return Reply(
        pack_create_response(
            OplockLevel.NONE, CreateAction.OPENED, _information(request.pipe), number, number
        )
    )


def close(request: Request) -> Reply:
    """Close a pipe."""
    message = parse_close_request(request.frame)
    found = _find(request, message.volatile_id)
    if found.closed:
        raise NtError(NtStatus.FILE_CLOSED)
    found.holder.leave(found)
    found.close()
    return Reply(pack_close_response(None))


def read(request: Request) -> Reply | None:
    """Give what waits of the first message; None if no message has come.

    Or if other READs wait for one: it joins the queue behind them here, in the order of requests.
    """
    message = parse_read_request(request.frame)
    request.check_length(message.length)
    found = _find(request, message.volatile_id)
    found.require(Access.FILE_READ_DATA)
    # A READ of no bytes takes nothing from those before it.
    reply = _take(found, message.length) if not (found.readers and message.length) else None
    if reply is None:
        request.waits_for(found.wait())
    return reply


async def read_later(request: Request) -> Reply:
    """Wait for a message; CANCEL ends the wait, and so does a CLOSE."""
    message = parse_read_request(request.frame)
    found = request.pipe  # since `read`: a CLOSE may have taken it out of the session's table
    await until(request.live_wait())
    assert found is not None
    reply = _take(found, message.length)
    assert reply is not None, "its turn came with a message"
    return reply


def _take(found: PipeOpen, length: int) -> Reply | None:
    """Up to so many bytes of the first message; None if there is none yet."""
    if found.closed:
        raise NtError(NtStatus.PIPE_BROKEN)
    data = found.pipe.read(length)
    if not data and length:
        return None
    return Reply(_pack_read(data), _status(found))


def write(request: Request) -> Reply:
    """Take the client's bytes."""
    message = parse_write_request(request.frame)
    request.check_length(len(message.data))
    found = _find(request, message.volatile_id)
    if not found.granted_access & (Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA):
        raise NtError(NtStatus.ACCESS_DENIED)
    found.write(message.data)
    return Reply(pack_write_response(len(message.data)))


def control(request: Request) -> Reply | None:
    """The pipe FSCTLs; the others are those of every tree connect."""
    message = parse_ioctl_request(request.frame)
    handler = _CONTROLS.get(message.ctl_code)
    if handler is None:
        return ioctl.try_now(request)
    request.check_length(max(message.max_output_response, len(message.input)))
    return handler(request, message)


def query_info(request: Request) -> Reply:
    """Answer with what little there is to know of a pipe."""
    message = parse_query_info_request(request.frame)
    found = _find(request, message.volatile_id)
    query = fscc.FILE_QUERIES.get(message.info_class)
    if message.info_type != InfoType.FILE or message.info_class not in _CLASSES or query is None:
        raise NtError(NtStatus.NOT_SUPPORTED)
    found.require(query.access)
    view = FileView(_information(found), name=found.name, granted_access=found.granted_access)
    status, output = fscc.truncate(query.pack(view), query.minimum, message.output_buffer_length)
    return Reply(pack_output_response(output), status)


def refuse(_: Request) -> Reply:
    """Refuse what no pipe can do."""
    raise NtError(NtStatus.INVALID_DEVICE_REQUEST)


def _transceive(request: Request, message: IoctlRequest) -> Reply:
    """[MS-SMB2] 3.3.5.15.10: a message there, and one back."""
    found = _find(request, message.volatile_id)
    found.require(Access.FILE_READ_DATA | Access.FILE_WRITE_DATA)
    output = found.transceive(message.input, message.max_output_response)
    packed = pack_ioctl_response(message.ctl_code, found.volatile_id, found.volatile_id, output)
    return Reply(packed, _status(found))


def _wait(request: Request, message: IoctlRequest) -> Reply:
    """[MS-FSCC] 2.3.49: an instance of a pipe that exists is always free."""
    from smbd.commands import services  # noqa: PLC0415 -- as above

    if not services.is_pipe(parse_pipe_wait(message.input).name):
        raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
    return Reply(pack_ioctl_response(message.ctl_code, message.persistent_id, message.volatile_id))


def _find(request: Request, volatile_id: int) -> PipeOpen:
    """The pipe that a FileId names; for a related request that of the one before, as find_open."""
    if request.previous is not None:
        if request.pipe is None:
            raise NtError(request.previous.status_for_followers())
        return request.pipe
    if request.pipe is not None and request.pipe.closed:
        return request.pipe
    found = request.live_session().pipes.get(volatile_id)
    if found is None or found.holder is not request.tree:
        raise NtError(NtStatus.FILE_CLOSED)
    request.pipe = found
    return found


def _status(found: PipeOpen) -> int:
    """BUFFER_OVERFLOW says that the message goes on."""
    return NtStatus.BUFFER_OVERFLOW if found.pipe.more else NtStatus.SUCCESS


def _information(found: PipeOpen) -> FileInformation:
    """A pipe has no times; its end is what waits to be read."""
    return FileInformation(
        0, 0, 0, 0, 4096, found.pipe.available, FileAttribute.NORMAL, index_number=found.volatile_id
    )


def _pack_read(data: bytes) -> bytes:
    body = bytearray(READ_RESPONSE_SIZE)
    pack_read_response_into(body, 0, len(data))
    return bytes(body) + data


_CLASSES = frozenset(
    (
        FileClass.BASIC,
        FileClass.STANDARD,
        FileClass.INTERNAL,
        FileClass.NETWORK_OPEN,
        FileClass.ATTRIBUTE_TAG,
        FileClass.EA,
        FileClass.ACCESS,
        FileClass.ALL,
    )
)
_CONTROLS: dict[int, Callable[[Request, IoctlRequest], Reply]] = {
    Fsctl.PIPE_TRANSCEIVE: _transceive,
    Fsctl.PIPE_WAIT: _wait,
}
