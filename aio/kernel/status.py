"""statx: birth time and direct-I/O alignment beside what stat says; and a file system's type."""

import os
from dataclasses import dataclass
from struct import Struct
from typing import Any

from aio.kernel.libc import check, ffi, libc, system_call

AT_SYMLINK_NOFOLLOW = 0x100
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000
AT_STATX_FORCE_SYNC = 0x2000
AT_STATX_DONT_SYNC = 0x4000

STATX_BASIC_STATS = 0x07FF
STATX_BTIME = 0x0800
STATX_MNT_ID = 0x1000
STATX_DIOALIGN = 0x2000  # Linux 6.1

_AT_FDCWD = -100
_SECOND = 1_000_000_000
_STATX = Struct(
    "="
    "II"  # mask, blksize
    "Q"  # attributes
    "III"  # nlink, uid, gid
    "H2x"  # mode
    "QQQ"  # ino, size, blocks
    "Q"  # attributes_mask
    "qI4x"  # atime: seconds, nanoseconds
    "qI4x"  # btime
    "qI4x"  # ctime
    "qI4x"  # mtime
    "II"  # rdev: major, minor
    "II"  # dev: major, minor
    "Q"  # mnt_id
    "II"  # dio_mem_align, dio_offset_align
    "96x"  # later fields
)
_F_TYPE = Struct("=q")  # struct statfs begins with its f_type, a long
_STATFS_SIZE = 256  # struct statfs has 120 bytes on both machines

_statx = system_call("statx", "int, const char *, int, unsigned int, unsigned char *")


@dataclass(slots=True)
class Statx:
    """statx(2)'s answer; times in ns of Unix time; what `mask` lacks is not to be relied on."""

    mask: int
    blksize: int
    attributes: int
    nlink: int
    uid: int
    gid: int
    mode: int
    ino: int
    size: int
    blocks: int
    attributes_mask: int
    atime_ns: int
    btime_ns: int | None  # None: this file system keeps none
    ctime_ns: int
    mtime_ns: int
    rdev: int
    dev: int
    mnt_id: int
    dio_mem_align: int  # 0: no direct I/O on this file, or (see mask) this kernel does not say
    dio_offset_align: int


def statx(
    path: str | bytes,
    *,
    dir_fd: int = _AT_FDCWD,
    flags: int = 0,
    mask: int = STATX_BASIC_STATS | STATX_BTIME,
) -> Statx:
    """The status of a name, or of an open file: `statx("", dir_fd=fd, flags=AT_EMPTY_PATH)`."""
    out = bytearray(_STATX.size)
    pointer = ffi.from_buffer("unsigned char[]", out)
    check(_statx(dir_fd, os.fsencode(path), flags, mask, pointer), path)
    return _unpack(out)


def _unpack(out: bytearray) -> Statx:
    fields: tuple[int, ...] = _STATX.unpack(out)
    atime, atime_ns, btime, btime_ns, ctime, ctime_ns, mtime, mtime_ns = fields[11:19]
    values: tuple[Any, ...] = (
        *fields[:11],
        atime * _SECOND + atime_ns,
        btime * _SECOND + btime_ns if fields[0] & STATX_BTIME else None,
        ctime * _SECOND + ctime_ns,
        mtime * _SECOND + mtime_ns,
        os.makedev(fields[19], fields[20]),
        os.makedev(fields[21], fields[22]),
        *fields[23:],
    )
    return Statx(*values)


def file_system_type(fd: int) -> int:
    """The magic number of the file system that an open file is on (statfs's f_type)."""
    out = bytearray(_STATFS_SIZE)
    check(libc.fstatfs(fd, ffi.from_buffer(out)))
    kind: int = _F_TYPE.unpack_from(out)[0]
    return kind
