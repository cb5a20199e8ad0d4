"""A LastWriteTime that stays as a client has set it ([MS-FSA] 2.1.5.15.2).

Setting it, or -1, ends the updates by what that handle writes later, until -2: Explorer gives a
copy the times of the original and may write its last bytes after that.  The kernel knows no such
thing, so the time is put back: when it is asked for through that handle, and when that closes.
Not if others could have written meanwhile: their change must not go unseen.
"""

import contextlib

from smbd import vfs
from smbd.service import Service
from smbd.state import Open

_RESUME, _STOP, _KEEP = -2, -1, 0


def steer(service: Service, open_: Open, last_write_time: int) -> None:
    """After a SET_INFO of `last_write_time` was carried out: keep it, or keep it no longer."""
    state = service.files.of(open_.file)
    if last_write_time == _KEEP or state is None:
        return
    open_.kept_write_time = None
    if last_write_time != _RESUME and not state.has_other_writer(open_):
        open_.kept_write_time = vfs.information(open_.file).last_write_time
        open_.writers_then = state.writers


def restore(service: Service, open_: Open) -> None:
    """Put back the time that this handle keeps, if something has changed it."""
    kept = open_.kept_write_time
    if kept is None:
        return
    state = service.files.of(open_.file)
    if state is None or state.writers != open_.writers_then:
        return
    with contextlib.suppress(OSError):  # neither a query nor CLOSE could say that it failed
        if vfs.information(open_.file).last_write_time != kept:
            vfs.set_times(open_.file, None, None, kept, None)
