"""Rename of a named stream ([MS-FSA] 2.1.5.15.11.1)."""

from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import Open, modified
from smbd.vfs import StreamFile, fold, parse_stream
from smbd.waiting import alone, begun
from smbd.wire.change_notify import CompletionFilter
from smbd.wire.fscc import Rename

_WITH_TYPE = 2  # parts of "stream:$DATA"


async def rename_stream(request: Request, open_: Open, value: Rename) -> None:
    """Give an open stream another name beside its file's others.

    Raises NtError: SHARING_VIOLATION for a name that is no stream's, since the file is in use by
    this very stream; INVALID_PARAMETER for one that no stream can have, or that is open or has
    content; OBJECT_NAME_COLLISION; NOT_SUPPORTED to make it the file's data.
    """
    file = open_.file
    assert isinstance(file, StreamFile), "it is a stream"
    if not value.name.startswith(":"):
        raise NtError(NtStatus.SHARING_VIOLATION)
    stream = _target(value.name)
    files, changes = request.tables.files, request.tables.files.changes
    async with alone(files, open_):
        # Reserved, so that nobody opens what is to be replaced.
        with await begun(lambda: changes.begin([file.identity])):
            if open_.closed or open_.link is None:
                raise NtError(NtStatus.FILE_CLOSED)
            if open_.link.delete_pending or (open_.base and open_.base.delete_pending):
                raise NtError(NtStatus.ACCESS_DENIED)
            if fold(stream) != fold(file.stream) and files.is_open(file, stream):
                refusal = NtStatus.INVALID_PARAMETER if value.replace else None
                raise NtError(refusal or NtStatus.OBJECT_NAME_COLLISION)
            await request.blocking(_rename, file, stream, value.replace)
            files.renamed_stream(open_)
    request.changed(open_, modified(CompletionFilter.STREAM_NAME))


def _rename(file: StreamFile, stream: str, replace: bool) -> None:
    file.rename(stream, replace=replace)


def _target(name: str) -> str:
    parts = name.split(":")[1:]
    if len(parts) >= _WITH_TYPE and parts[-1] and parts[-1].upper() != "$DATA":
        raise NtError(NtStatus.OBJECT_TYPE_MISMATCH)
    stream = parse_stream(parts)
    if stream is None:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if not stream:
        raise NtError(NtStatus.NOT_SUPPORTED)
    return stream
