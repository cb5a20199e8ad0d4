"""ChangeTime as a client has set it ([MS-FSA] 2.1.5.15.2): no Unix call sets an inode's ctime.

So it is kept in an extended attribute, together with the moment of keeping it: until the kernel
says that the inode has changed since, which is when the kernel's own time counts again.

Beside it, the other two times of a file whose owner is another user: Linux lets only the owner set
them, SMB each client that may write attributes.  Each is kept with the kernel's own of that moment,
and counts until that changes: a later write shows, by anybody.
"""

import time
from struct import Struct, error
from typing import NamedTuple

from smbd.wire.filetime import LAST_FILETIME, unix_from_filetime

NAME = "user.smbd.ChangeTime"

_RECORD = Struct(
    "<"
    "Q"  # the ChangeTime, a FILETIME
    "q"  # the moment of setting it, ns of Unix time
)
_KEPT = Struct(
    "<"
    "Qq"  # LastWriteTime, a FILETIME, and the kernel's mtime, ns of Unix time
    "Qq"  # LastAccessTime and atime
)
# The kernel stamps with the time of its last tick, 10 ms ago at most, and the call takes a while.
# A change within this of the setting goes unseen until the next one.
_SAME_MOMENT_NS = 50_000_000
# What the clocks of a client and of the server are apart, and the request's way.
_PRESENT_NS = 1_000_000_000
_SECOND = 10_000_000  # of FILETIME


class Kept(NamedTuple):
    """Times (FILETIMEs) that only the owner could set, and the kernel's (ns of Unix time) then."""

    write: int
    mtime_ns: int
    access: int
    atime_ns: int


def pack(change_time: int, kept: Kept | None = None) -> bytes:
    """The extended attribute's value, to be set now, and last of several changes.

    A `change_time` of 0 is none.
    """
    record = _RECORD.pack(change_time, time.time_ns())
    return record if kept is None else record + _KEPT.pack(*kept)


def is_present(change_time: int) -> bool:
    """Whether it is what the kernel notes by itself with a change made now, within a second.

    No clock says a whole second: that is a time that somebody wants to see again
    (smb2.timestamps.freeze-thaw).
    """
    return bool(change_time % _SECOND) and (
        abs(unix_from_filetime(change_time) - time.time_ns()) < _PRESENT_NS
    )


def kept(record: bytes) -> Kept | None:
    """The other times in a record, if it has any that are FILETIMEs."""
    if len(record) != _RECORD.size + _KEPT.size:
        return None
    times = Kept(*_KEPT.unpack_from(record, _RECORD.size))
    return times if max(times.write, times.access) <= LAST_FILETIME else None


def still_valid(record: bytes, ctime_ns: int) -> int | None:
    """The ChangeTime in a record, unless the inode has changed since."""
    try:
        change_time, moment = _RECORD.unpack_from(record)
    except error:
        return None
    if not change_time or change_time > LAST_FILETIME or abs(ctime_ns - moment) >= _SAME_MOMENT_NS:
        return None
    return int(change_time)
