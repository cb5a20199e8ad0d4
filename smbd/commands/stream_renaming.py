"""Rename of a named stream ([MS-FSA] 2.1.5.15.11.1)."""

from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.state import Open, modified
from smbd.vfs import StreamFile, fold, parse_stream
from smbd.vfs.lookup import closed_after
from smbd.waiting import alone, begun
from smbd.wire.change_notify import CompletionFilter
from smbd.wire.fscc import Rename

_WITH_TYPE = 2  # parts of "stream:$DATA"


async def rename_stream(request: Request, open_: Open, value: Rename) -> None:
    """Give an open stream another name beside its file's others.

    Raises NtError: SHARING_VIOLATION for a name that is no stream's, since the file is in use by
    this very stream; INVALID_PARAMETER for one that no stream can have, or that is open or has
    content; OBJECT_NAME_COLLISION.
    """
    file = open_.file
    assert isinstance(file, StreamFile), "it is a stream"
    if not value.name.startswith(":"):
        raise NtError(NtStatus.SHARING_VIOLATION)
    stream = _target(value.name)
    files, changes = request.tables.files, request.tables.files.changes
    async with alone(files, open_):
        # Reserved, so that no CREATE opens the stream that is to be replaced.
        with await begun(lambda: changes.begin([file.identity])):
            _check(open_)
            if not stream:
                await _make_data(request, open_, file, value.replace)
            elif fold(stream) != fold(file.stream or "") and files.is_open(file, stream):
                taken = NtStatus.INVALID_PARAMETER if value.replace else None
                raise NtError(taken or NtStatus.OBJECT_NAME_COLLISION)
            else:
                await request.blocking(_rename, file, stream, value.replace)
                files.renamed_stream(open_)
    request.changed(open_, modified(CompletionFilter.STREAM_NAME))


def _check(open_: Open) -> None:
    if open_.closed or open_.link is None:
        raise NtError(NtStatus.FILE_CLOSED)
    if open_.link.delete_pending or (open_.base is not None and open_.base.delete_pending):
        raise NtError(NtStatus.ACCESS_DENIED)


async def _make_data(request: Request, open_: Open, file: StreamFile, replace: bool) -> None:
    """Rename to "::$DATA": the content takes the place of the file's, which must be empty.

    Other requests of this handle would go to the one or the other: there must be none, and no
    other open of either.
    """
    files, engine = request.tables.files, open_.share.engine
    if not replace:
        raise NtError(NtStatus.OBJECT_NAME_COLLISION)
    if file.described.is_directory:
        raise NtError(NtStatus.INVALID_PARAMETER)
    if not files.is_alone(open_) or open_.users > 1 or open_.caching is not None:
        raise NtError(NtStatus.SHARING_VIOLATION)
    while True:
        copied = await request.blocking(file.copy_to_data)
        with closed_after(copied.fd):
            _check(open_)
            if file.become_data(copied):
                break
    engine.detach(file.fd)  # it knows the descriptor as that of the content
    engine.attach(file.fd)
    files.has_become_data(open_)
    await request.blocking(file.remove_content)


def _rename(file: StreamFile, stream: str, replace: bool) -> None:
    file.rename(stream, replace=replace)


def _target(name: str) -> str:
    parts = name.split(":")[1:]
    if len(parts) >= _WITH_TYPE and parts[-1] and parts[-1].upper() != "$DATA":
        raise NtError(NtStatus.OBJECT_TYPE_MISMATCH)
    stream = parse_stream(parts)
    if stream is None:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return stream
