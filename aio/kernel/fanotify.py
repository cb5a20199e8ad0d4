"""fanotify with file handles: as inotify, but an event says which process it is of.

Without CAP_SYS_ADMIN it is to be had since Linux 5.13, for single files and directories; the
process is then 0 for all but our own.
"""

import errno
import os
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from aio.kernel.libc import check, ffi, libc
from aio.kernel.status import AT_EMPTY_PATH, file_system_id

# Bits of a mask beside those of inotify.
FAN_RENAME = 0x10000000  # both names in one event; Linux 5.17
FAN_EVENT_ON_CHILD = 0x08000000
FAN_ONDIR = 0x40000000

_FAN_CLOEXEC = 0x1
_FAN_NONBLOCK = 0x2
_FAN_REPORT_FID = 0x200
_FAN_REPORT_DFID_NAME = 0xC00
_FAN_MARK_ADD = 0x1
_FAN_MARK_REMOVE = 0x2
_AT_FDCWD = -100
_AT_HANDLE_FID = 0x200  # a handle that nobody will open: overlayfs has no other (Linux 6.5)
_MOST_HANDLE = 128  # MAX_HANDLE_SZ

_EVENT = Struct(
    "="
    "I"  # event_len
    "2xH"  # vers, reserved, metadata_len
    "Q"  # mask
    "i"  # fd: none, where handles are reported
    "i"  # pid
)
_INFO = Struct(
    "="
    "BxH"  # info_type, len
    "8x"  # fsid
    "I"  # handle_bytes
    "4x"  # handle_type; the handle is behind it
)
_HANDLE = Struct("=Ii")  # struct file_handle: handle_bytes, handle_type
_FSID_AT = 4  # in an _INFO
_SUBJECT, _NAMED, _OLD, _NEW = 1, 2, 10, 12  # FAN_EVENT_INFO_TYPE_*: FID, DFID_NAME ...


class FanotifyEvent(NamedTuple):
    """struct fanotify_event_metadata and the records behind it.

    Directories and the subject are known by the handles that `handle_of` gives; b"": not told.
    """

    mask: int
    pid: int
    subject: bytes = b""
    directory: bytes = b""
    name: bytes = b""
    new_directory: bytes = b""  # of FAN_RENAME
    new_name: bytes = b""


def fanotify_init() -> int:
    """A descriptor that gives events, and never waits for them.

    Errors: EPERM without CAP_SYS_ADMIN before Linux 5.13, and by Docker's seccomp profile; EINVAL
    before 5.9; EMFILE beyond max_user_groups.
    """
    flags = _FAN_CLOEXEC | _FAN_NONBLOCK | _FAN_REPORT_FID | _FAN_REPORT_DFID_NAME
    return check(libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC))


def fanotify_add_mark(fd: int, mask: int, target: int) -> None:
    """Have events of an open file or directory told (O_PATH will do).

    Errors: ENOSPC beyond max_user_marks; EACCES without the right to read; ENODEV, EOPNOTSUPP and
    EXDEV where the file system has no handles that could be told.
    """
    check(libc.fanotify_mark(fd, _FAN_MARK_ADD, mask, _AT_FDCWD, _path(target)))


def fanotify_remove_mark(fd: int, mask: int, target: int) -> None:
    """Have these events told no more.  ENOENT: none were."""
    check(libc.fanotify_mark(fd, _FAN_MARK_REMOVE, mask, _AT_FDCWD, _path(target)))


def _path(target: int) -> bytes:
    """A path that needs no walk; fanotify_mark takes no O_PATH descriptor itself."""
    return b"/proc/self/fd/%d" % target


def handle_of(fd: int) -> bytes:
    """How events name an open file: the id of its file system, and its handle there.  OSError."""
    handle = ffi.new("char[]", _HANDLE.size + _MOST_HANDLE)
    mount = ffi.new("int *")
    for flags in (AT_EMPTY_PATH | _AT_HANDLE_FID, AT_EMPTY_PATH):
        _HANDLE.pack_into(ffi.buffer(handle), 0, _MOST_HANDLE, 0)
        result = libc.name_to_handle_at(fd, b"", handle, mount, flags)
        if result != -1 or ffi.errno != errno.EINVAL:
            break
    check(result)
    found = bytes(ffi.buffer(handle))
    length, _ = _HANDLE.unpack_from(found)
    return file_system_id(fd) + found[: _HANDLE.size + length]


def fanotify_events(data: bytes) -> Iterator[FanotifyEvent]:
    """The events in what was read."""
    at = 0
    while at < len(data):
        length, start, mask, _, pid = _EVENT.unpack_from(data, at)
        yield FanotifyEvent(mask, pid, **_records(data, at + start, at + length))
        at += length


def _records(data: bytes, at: int, end: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    while at < end:
        kind, length, handle_length = _INFO.unpack_from(data, at)
        name_at = at + _INFO.size + handle_length
        handle = data[at + _FSID_AT : name_at]
        if kind == _SUBJECT:
            found["subject"] = handle
        elif kind in {_NAMED, _OLD}:
            found["directory"] = handle
            found["name"] = data[name_at : at + length].partition(b"\0")[0]
        elif kind == _NEW:
            found["new_directory"] = handle
            found["new_name"] = data[name_at : at + length].partition(b"\0")[0]
        at += length
    return found
