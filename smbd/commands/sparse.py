"""Holes: FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA and FSCTL_QUERY_ALLOCATED_RANGES ([MS-FSCC] 2.3).

cifs.ko makes fallocate, punching holes and SEEK_HOLE of them.
"""

from smbd import vfs
from smbd.commands.caching import tell_change
from smbd.commands.reply import ioctl_reply
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import WRITTEN, Open, modified
from smbd.waiting import alone
from smbd.wire.access import Access
from smbd.wire.change_notify import CompletionFilter
from smbd.wire.fsctl import (
    pack_allocated_ranges,
    parse_query_allocated_ranges,
    parse_set_sparse,
    parse_zero_data,
)
from smbd.wire.ioctl import IoctlRequest

_RANGE_SIZE = 16
# In one answer; each costs a worker two calls and the loop its share of the GIL.  BUFFER_OVERFLOW
# has the client go on from there.
_MOST_RANGES = 1024


async def set_sparse(request: Request, open_: Open, message: IoctlRequest) -> Reply:
    """[MS-FSA] 2.1.5.10.37: whether zeros may be holes."""
    if open_.file.is_directory:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if open_.file.stream is not None:
        raise NtError(NtStatus.NOT_SUPPORTED)  # the attribute is its file's
    open_.require_any(
        Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA | Access.FILE_WRITE_ATTRIBUTES
    )
    sparse = parse_set_sparse(message.input)
    async with alone(request.tables.files, open_):
        await request.blocking(vfs.set_sparse, open_.file, sparse)
    request.changed(open_, modified(CompletionFilter.ATTRIBUTES))
    return ioctl_reply(request, message)


async def set_zero_data(request: Request, open_: Open, message: IoctlRequest) -> Reply:
    """[MS-FSA] 2.1.5.10.38: zeros in a range, as a hole where the file may have any."""
    _require_file(open_)
    open_.require(Access.FILE_WRITE_DATA)
    asked = parse_zero_data(message.input)
    length = asked.beyond_final_zero - asked.offset
    open_.locks.check(open_, asked.offset, length, writing=True)
    tell_change(request, open_)
    await request.blocking_long(vfs.zero_range, open_.file, asked.offset, asked.beyond_final_zero)
    tell_change(request, open_)
    open_.unreported |= WRITTEN
    return ioctl_reply(request, message)


async def query_allocated_ranges(request: Request, open_: Open, message: IoctlRequest) -> Reply:
    """[MS-FSA] 2.1.5.10.22: where a file has data, as much of the list as fits."""
    _require_file(open_)
    open_.require(Access.FILE_READ_DATA)
    start, length = parse_query_allocated_ranges(message.input)
    limit = min(message.max_output_response, _MOST_RANGES * _RANGE_SIZE)
    ranges = await request.blocking(
        vfs.allocated_ranges, open_.file, start, length, limit // _RANGE_SIZE + 1
    )
    output, complete = pack_allocated_ranges(ranges, limit)
    if complete:
        return ioctl_reply(request, message, output)
    if not output:
        raise NtError(NtStatus.BUFFER_TOO_SMALL)
    return ioctl_reply(request, message, output, NtStatus.BUFFER_OVERFLOW)


def _require_file(open_: Open) -> None:
    if open_.file.is_directory:
        raise NtError(NtStatus.INVALID_PARAMETER)
