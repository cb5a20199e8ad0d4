"""inotify: what happens to a file, or in a directory, whichever process does it."""

import os
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from aio.kernel.libc import check, libc

# Bits of a mask; fanotify has the same ones.
IN_MODIFY = 0x00000002
IN_ATTRIB = 0x00000004
IN_CLOSE_WRITE = 0x00000008
IN_MOVED_FROM = 0x00000040
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE = 0x00000200
IN_DELETE_SELF = 0x00000400
IN_MOVE_SELF = 0x00000800
IN_Q_OVERFLOW = 0x00004000
IN_IGNORED = 0x00008000
IN_ISDIR = 0x40000000

_EVENT = Struct(
    "="
    "i"  # wd: of the watch; -1: of none (IN_Q_OVERFLOW)
    "I"  # mask
    "I"  # cookie: of the two halves of one rename
    "I"  # len: of the name, with the zeros behind it
)


class InotifyEvent(NamedTuple):
    """struct inotify_event."""

    wd: int
    mask: int
    cookie: int
    name: bytes  # of the entry in the directory; b"": of the watched thing itself


def inotify_init() -> int:
    """A descriptor that gives events, and never waits for them.  EMFILE: max_user_instances."""
    return check(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def inotify_add_watch(fd: int, mask: int, target: int) -> int:
    """Watch an open file or directory (O_PATH will do): the number of its watch, one an inode.

    Errors: ENOSPC beyond max_user_watches; EACCES without the right to read.
    """
    return check(libc.inotify_add_watch(fd, b"/proc/self/fd/%d" % target, mask))


def inotify_rm_watch(fd: int, wd: int) -> None:
    """End a watch.  EINVAL: it has ended."""
    check(libc.inotify_rm_watch(fd, wd))


def inotify_events(data: bytes) -> Iterator[InotifyEvent]:
    """The events in what was read."""
    at = 0
    while at < len(data):
        wd, mask, cookie, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size
        yield InotifyEvent(wd, mask, cookie, data[at : at + length].rstrip(b"\0"))
        at += length
