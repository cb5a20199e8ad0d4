"""A LastWriteTime that stays as a client has set it ([MS-FSA] 2.1.5.15.2).

Setting it, or -1, ends the updates by what that handle writes later, until -2: Explorer gives a
copy the times of the original and may write its last bytes after that.  The kernel knows no such
thing, so the time is put back: when it is asked for through that handle, and when that closes, in a
worker, since it may wait for the file system's journal.
Not if others could have written meanwhile: their change must not go unseen.
"""

import contextlib

from smbd import vfs
from smbd.state import FileTable, Open
from smbd.vfs import File
from smbd.wire.fscc import FileInformation

_RESUME, _STOP, _KEEP = -2, -1, 0


def steer(files: FileTable, open_: Open, asked: int, shown: int) -> None:
    """After a SET_INFO that `asked` for a LastWriteTime and made it `shown`: keep it, or not."""
    state = files.of(open_.file)
    if asked == _KEEP or state is None:
        return
    open_.kept_write_time = None
    if asked != _RESUME and not state.has_other_writer(open_):
        open_.kept_write_time = shown
        open_.writers_then = state.writers


def kept(files: FileTable, open_: Open) -> int | None:
    """The time that this handle keeps, unless others could have written."""
    if open_.kept_write_time is None:
        return None
    state = files.of(open_.file)
    if state is None or state.writers != open_.writers_then:
        return None
    return open_.kept_write_time


def is_to_put_back(file: File, write_time: int) -> bool:
    """Whether `put_back` may have something to do; a local file tells that without a wait."""
    return file.asks_others or vfs.information(file).last_write_time != write_time


def put_back(
    file: File, write_time: int, latest: int | None = None, *, written: bool = False
) -> FileInformation | None:
    """Make `write_time` (FILETIME) a file's, unless it was written after `latest`.  Blocks.

    What the file says of itself, if that is so already.  One that was `written` is not asked.
    """
    with contextlib.suppress(OSError):  # neither a query nor CLOSE could say that it failed
        if not written:
            known = vfs.information(file)
            now = known.last_write_time
            if now == write_time or (latest is not None and now > latest):
                return known
        vfs.set_times(file, None, None, write_time, None)
    return None
