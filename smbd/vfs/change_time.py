"""ChangeTime as a client has set it ([MS-FSA] 2.1.5.15.2): no Unix call sets an inode's ctime.

So it is kept in an extended attribute, together with the moment of keeping it: until the kernel
says that the inode has changed since, which is when the kernel's own time counts again.
"""

import time
from struct import Struct, error

from smbd.wire.filetime import LAST_FILETIME

NAME = "user.smbd.ChangeTime"

_RECORD = Struct(
    "<"
    "Q"  # the ChangeTime, a FILETIME
    "q"  # the moment of setting it, ns of Unix time
)
# The kernel stamps with the time of its last tick, 10 ms ago at most, and the call takes a while.
# A change within this of the setting goes unseen until the next one.
_SAME_MOMENT_NS = 50_000_000


def pack(change_time: int) -> bytes:
    """The extended attribute's value, to be set now, and last of several changes."""
    return _RECORD.pack(change_time, time.time_ns())


def still_valid(record: bytes, ctime_ns: int) -> int | None:
    """The ChangeTime in a record, unless the inode has changed since."""
    try:
        change_time, moment = _RECORD.unpack(record)
    except error:
        return None
    if change_time > LAST_FILETIME or abs(ctime_ns - moment) >= _SAME_MOMENT_NS:
        return None
    return int(change_time)
