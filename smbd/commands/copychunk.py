"""Server-side copy ([MS-SMB2] 3.3.5.15.5, 3.3.5.15.6): the data never crosses the wire."""

from struct import Struct

from smbd import vfs
from smbd.closing import in_use
from smbd.commands.caching import tell_change
from smbd.commands.reply import ioctl_reply
from smbd.ntstatus import NtError, NtStatus, status_of_oserror
from smbd.request import Reply, Request
from smbd.state import WRITTEN, Open
from smbd.wire.access import Access
from smbd.wire.fsctl import (
    MOST_CHUNKS,
    CopyChunk,
    Fsctl,
    pack_copychunk,
    pack_resume_key,
    parse_copychunk,
)
from smbd.wire.ioctl import IoctlRequest

# [MS-SMB2] 3.3.3: what Windows allows, and clients begin with.
_LARGEST_CHUNK = 1 << 20
_MOST_BYTES = 16 << 20
_LIMITS = pack_copychunk(MOST_CHUNKS, _LARGEST_CHUNK, _MOST_BYTES)

_KEY = Struct(
    "<"
    "QQ"  # FileId: persistent, volatile
    "8x"
)  # fmt: skip
_RESUME_KEY_SIZE = 32


def resume_key(request: Request, message: IoctlRequest) -> bytes:
    """FSCTL_SRV_REQUEST_RESUME_KEY: a name for an open file, for the same session to copy from."""
    open_ = request.find_open(message)
    if message.max_output_response < _RESUME_KEY_SIZE:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return pack_resume_key(_key(open_))


async def copy(request: Request, target: Open, message: IoctlRequest) -> Reply:
    """FSCTL_SRV_COPYCHUNK and _WRITE: copy ranges of another open file into this one.

    What breaks a limit is told the limits, which clients rely on to learn them; what fails in the
    middle is told how far it came (3.3.5.15.6.1).
    """
    asked = parse_copychunk(message.input)
    source = _find_source(request, asked.source_key)
    if message.max_output_response < len(_LIMITS):
        raise NtError(NtStatus.INVALID_PARAMETER)
    if asked.chunks is None or _beyond_limits(asked.chunks):
        return ioctl_reply(request, message, _LIMITS, NtStatus.INVALID_PARAMETER)
    _check_rights(source, target, message.ctl_code)
    async with in_use(source):
        progress, status = await _copy_chunks(request, source, target, asked.chunks)
    return ioctl_reply(request, message, progress, status)


def _find_source(request: Request, key: bytes) -> Open:
    """The Open of a resume key: of this session alone, though of any of its tree connects."""
    if len(key) == _KEY.size:
        source = request.live_session().opens.get(_KEY.unpack(key)[1])
        if source is not None and _key(source) == key:
            return source
    raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)


def _key(open_: Open) -> bytes:
    return _KEY.pack(open_.persistent_id, open_.volatile_id)


def _beyond_limits(chunks: list[CopyChunk]) -> bool:
    return (
        any(not 0 < chunk.length <= _LARGEST_CHUNK for chunk in chunks)
        or sum(chunk.length for chunk in chunks) > _MOST_BYTES
    )


def _check_rights(source: Open, target: Open, code: int) -> None:
    """FSCTL_SRV_COPYCHUNK wants the target readable too, FSCTL_SRV_COPYCHUNK_WRITE does not."""
    if source.file.is_directory or target.file.is_directory:
        raise NtError(NtStatus.INVALID_DEVICE_REQUEST)
    source.require_any(Access.FILE_READ_DATA | Access.FILE_EXECUTE)
    # 3.3.5.15.6 takes FILE_APPEND_DATA as well, which is for what lies behind the end: a chunk that
    # goes there is refused with the others, and the client copies it by WRITEs.
    target.require(Access.FILE_WRITE_DATA)
    if code == Fsctl.SRV_COPYCHUNK:
        target.require(Access.FILE_READ_DATA)


async def _copy_chunks(
    request: Request, source: Open, target: Open, chunks: list[CopyChunk]
) -> tuple[bytes, int]:
    """SRV_COPYCHUNK_RESPONSE and status; a call to a worker for each chunk.

    The locks are looked at before each: others may have taken some during the one before.
    """
    total = 0
    for written, chunk in enumerate(chunks):
        start, target_start, length = chunk.source_offset, chunk.target_offset, chunk.length
        if source.locks.forbid(source, start, length, writing=False) or target.locks.forbid(
            target, target_start, length, writing=True
        ):
            return pack_copychunk(written, 0, total), NtStatus.FILE_LOCK_CONFLICT
        tell_change(request, target)
        try:
            count = await request.blocking_long(
                vfs.copy_range, source.file, target.file, start, target_start, length
            )
        except OSError as error:
            if not total:
                raise
            return pack_copychunk(written, 0, total), status_of_oserror(error)
        tell_change(request, target)
        total += count
        if count:
            target.unreported |= WRITTEN
        if count < length:
            return pack_copychunk(written, count, total), NtStatus.INVALID_VIEW_SIZE
    return pack_copychunk(len(chunks), 0, total), NtStatus.SUCCESS
