"""QUERY_INFO ([MS-SMB2] 3.3.5.20): information on a file, or on the file system under it."""

from collections.abc import Callable
from dataclasses import replace

from smbd import vfs
from smbd.commands.write_time import restore
from smbd.fsa import security
from smbd.fsa.write_time import is_to_put_back
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import Open
from smbd.wire import fscc
from smbd.wire.create import FILE_MODES
from smbd.wire.fscc import FileClass, FileInformation, FileQuery, FileView
from smbd.wire.header import Dialect
from smbd.wire.output import pack_output_response
from smbd.wire.query_info import (
    InfoType,
    QueryInfoFlags,
    QueryInfoRequest,
    parse_query_info_request,
)

# FILE_BYTE_ALIGNMENT: clients may read at any offset ([MS-FSCC] 2.4.3).
_ALIGNMENT = 0


def try_now(request: Request) -> Reply | None:
    """What an open file knows of itself waits for nothing: statx and an xattr, 4 us."""
    message = parse_query_info_request(request.frame)
    open_ = _prepare(request, message)
    if message.info_type != InfoType.FILE or message.info_class in _SLOW_CLASSES:
        return None
    # To put back a kept time may wait for the journal, whatever asks others for all that it says.
    kept = open_.kept_write_time
    if open_.file.asks_others or (kept is not None and is_to_put_back(open_.file, kept)):
        return None
    if message.info_class == FileClass.STREAM and vfs.has_streams(open_.file):
        return None  # their sizes may be on the disk
    return _file(request, open_, message)


async def run(request: Request) -> Reply:
    """File systems, security and lists of attributes may come from the disk."""
    message = parse_query_info_request(request.frame)
    open_ = _prepare(request, message)
    request.known = None  # a worker takes its time
    answer = _ANSWERS.get(message.info_type)
    if answer is None:
        raise NtError(NtStatus.NOT_SUPPORTED)  # quotas
    if message.info_type == InfoType.FILE:
        await restore(request, open_)
    return await request.blocking(answer, request, open_, message)


def _prepare(request: Request, message: QueryInfoRequest) -> Open:
    return request.find_open(message, max(message.output_buffer_length, len(message.input)))


def quick_query(request: Request) -> tuple[FileQuery, QueryInfoRequest] | None:
    """The row of a request, if CREATE finds out all that it asks for; NtError as `_query`."""
    # Copied: the message may be kept, and the receive buffer is used again.
    message = parse_query_info_request(memoryview(bytes(request.frame)))
    if message.info_type != InfoType.FILE or message.info_class in _SLOW_CLASSES | _FILLS.keys():
        return None
    return _query(request, message), message


def answer_of(
    open_: Open, information: FileInformation, query: FileQuery, message: QueryInfoRequest
) -> tuple[int, bytes]:
    """(status, body) of a `quick_query` of a file's open, of which nothing else is known yet.

    It has the rights for it, and no link of it is to be deleted.
    """
    name = vfs.path_to_name(open_.file.path) if query.named else ""
    mode, position = open_.create_options & FILE_MODES, open_.position
    view = FileView(information, name, open_.granted_access, mode, position, _ALIGNMENT)
    return cut(query.pack(view), query.minimum, message)


def cut(output: bytes, minimum: int, message: QueryInfoRequest) -> tuple[int, bytes]:
    """(status, body): what is longer than asked for is cut and says BUFFER_OVERFLOW."""
    status, output = fscc.truncate(output, minimum, message.output_buffer_length)
    return status, pack_output_response(output)


def _query(request: Request, message: QueryInfoRequest) -> FileQuery:
    """[MS-SMB2] 3.3.5.20.1."""
    number = message.info_class
    query = fscc.FILE_QUERIES.get(number)
    if query is None or (
        number == FileClass.NORMALIZED_NAME
        and request.connection.negotiated.dialect < Dialect.SMB_3_1_1
    ):
        known = fscc.is_file_class(number)
        raise NtError(NtStatus.NOT_SUPPORTED if known else NtStatus.INVALID_INFO_CLASS)
    return query


def _file(request: Request, open_: Open, message: QueryInfoRequest) -> Reply:
    """[MS-SMB2] 3.3.5.20.1."""
    query = _query(request, message)
    open_.require(query.access)
    view = _view(request, open_, named=query.named)
    fill = _FILLS.get(message.info_class)
    if fill is not None:
        fill(view, open_, message)
    return _cut(query.pack(view), query.minimum, message)


def _view(request: Request, open_: Open, *, named: bool) -> FileView:
    """What the packers of the information classes take their fields from; `named`: its name too."""
    file = open_.file
    information = request.known or vfs.information(file)
    name = vfs.path_to_name(file.path) if named else ""
    of_file = open_.link
    if file.stream is not None:
        name = f"{name}:{file.stream}"
        of_file = open_.base
        pending = open_.link is not None and open_.link.delete_pending
        information = replace(information, delete_pending=pending)
    if of_file is not None and of_file.state.pending_deletions:
        # [MS-FSA] 2.1.5.12.27: the mark is the link's; those that go are not counted.
        links_left = information.number_of_links - of_file.state.links_that_go()
        information = replace(  # the next request may have the same, `request.known`, to tell
            information,
            number_of_links=max(0, links_left),
            delete_pending=information.delete_pending or of_file.delete_pending,
        )
    return FileView(
        information,
        name,
        open_.granted_access,
        open_.create_options & FILE_MODES,
        open_.position,
        _ALIGNMENT,
    )


def _fill_streams(view: FileView, open_: Open, message: QueryInfoRequest) -> None:
    """The data is a file's first stream, and a directory has none without a name."""
    file = open_.file.described
    streams = []
    if not file.is_directory:
        known = view.information if file is open_.file else vfs.information(file)
        data = fscc.StreamInformation("::$DATA", known.end_of_file, known.allocation_size)
        streams.append(data)
    for named in vfs.list_streams(file):
        name = f":{named.name}:$DATA"
        streams.append(fscc.StreamInformation(name, named.size, named.allocation))
    view.streams = streams


def _fill_eas(view: FileView, open_: Open, message: QueryInfoRequest) -> None:
    """All, or those that the input names ([MS-FSA] 2.1.5.12.13): one that is not there is empty."""
    names = fscc.parse_get_ea(message.input)
    if names:
        view.eas = vfs.find_eas(open_.file, names)
        return
    view.eas = vfs.list_eas(open_.file, message.output_buffer_length)
    if not view.eas:
        raise NtError(NtStatus.NO_EAS_ON_FILE)
    if message.flags & QueryInfoFlags.RETURN_SINGLE_ENTRY:
        view.eas = view.eas[:1]


def _fill_short_name(view: FileView, open_: Open, message: QueryInfoRequest) -> None:
    if not open_.file.path:
        raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)  # the root has no name at all
    view.short_name = vfs.short_name(open_.file.name)


def _file_system(request: Request, open_: Open, message: QueryInfoRequest) -> Reply:
    """[MS-SMB2] 3.3.5.20.2."""
    number = message.info_class
    query = fscc.FILE_SYSTEM_QUERIES.get(number)
    if query is None:
        known = fscc.is_file_system_class(number)
        raise NtError(NtStatus.NOT_SUPPORTED if known else NtStatus.INVALID_INFO_CLASS)
    volume = open_.file.root.volume(open_.file, read_only=not request.live_tree().may_write)
    return _cut(query.pack(volume), query.minimum, message)


def _security(request: Request, open_: Open, message: QueryInfoRequest) -> Reply:
    """[MS-SMB2] 3.3.5.20.3: too small a buffer is told the size that would do."""
    descriptor = security.describe(open_, message.additional_information)
    if len(descriptor) > message.output_buffer_length:
        raise NtError(NtStatus.BUFFER_TOO_SMALL, len(descriptor).to_bytes(4, "little"))
    return Reply(pack_output_response(descriptor))


def _cut(output: bytes, minimum: int, message: QueryInfoRequest) -> Reply:
    status, body = cut(output, minimum, message)
    return Reply(body, status)


_FILLS: dict[int, Callable[[FileView, Open, QueryInfoRequest], None]] = {
    FileClass.STREAM: _fill_streams,
    FileClass.FULL_EA: _fill_eas,
    FileClass.ALTERNATE_NAME: _fill_short_name,
}
_SLOW_CLASSES = frozenset((FileClass.FULL_EA,))
_ANSWERS: dict[int, Callable[[Request, Open, QueryInfoRequest], Reply]] = {
    InfoType.FILE: _file,
    InfoType.FILE_SYSTEM: _file_system,
    InfoType.SECURITY: _security,
}
