"""statx: birth time and direct-I/O alignment beside what stat says; and a file system's type."""

import os
from collections.abc import Iterator
from struct import Struct
from typing import Any, NamedTuple

from aio.kernel.libc import check, ffi, libc, system_call

AT_SYMLINK_NOFOLLOW = 0x100
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000
AT_STATX_FORCE_SYNC = 0x2000
AT_STATX_DONT_SYNC = 0x4000

STATX_TYPE_AND_INODE = 0x0101
STATX_BASIC_STATS = 0x07FF
STATX_BTIME = 0x0800
STATX_MNT_ID = 0x1000
STATX_DIOALIGN = 0x2000  # Linux 6.1
STATX_MNT_ID_UNIQUE = 0x4000  # Linux 6.8; mnt_id is then a number that is not used again

STATX_ATTR_IMMUTABLE = 0x10  # chattr +i
STATX_ATTR_APPEND = 0x20  # chattr +a

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
_IDENTITY = Struct("=I24xH2xQ96xIIQ")  # of the same: mask, mode, ino, dev, mnt_id
_IDENTITY_WANTED = STATX_TYPE_AND_INODE | STATX_MNT_ID | STATX_MNT_ID_UNIQUE
_F_TYPE = Struct("=q")  # struct statfs begins with its f_type, a long
_F_FSID = slice(56, 64)
_STATFS_SIZE = 256  # struct statfs has 120 bytes on both machines

# statx(dir_fd, name, flags, mask, where to), by bytes and addresses; 0, or errno is set.
fill_statx = system_call("statx", "int, const char *, int, unsigned int, unsigned char *")


class Statx(NamedTuple):
    """statx(2)'s answer; fields that `mask` lacks are not to be relied on.

    Times are decoded when asked for: making them all would cost more than the system call.
    """

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
    atime: int
    atime_nsec: int
    btime: int
    btime_nsec: int
    ctime: int
    ctime_nsec: int
    mtime: int
    mtime_nsec: int
    rdev_major: int
    rdev_minor: int
    dev_major: int
    dev_minor: int
    mnt_id: int
    dio_mem_align: int  # 0: no direct I/O on this file, or (see mask) this kernel does not say
    dio_offset_align: int

    @property
    def times(self) -> tuple[int, ...]:
        """Access, birth, change and modification time: seconds and nanoseconds of each."""
        return self[11:19]

    @property
    def atime_ns(self) -> int:
        """Access time, ns of Unix time."""
        return self.atime * _SECOND + self.atime_nsec

    @property
    def btime_ns(self) -> int | None:
        """Birth time, ns of Unix time; None where the file system keeps none."""
        if not self.mask & STATX_BTIME:
            return None
        return self.btime * _SECOND + self.btime_nsec

    @property
    def ctime_ns(self) -> int:
        """Change time, ns of Unix time."""
        return self.ctime * _SECOND + self.ctime_nsec

    @property
    def mtime_ns(self) -> int:
        """Modification time, ns of Unix time."""
        return self.mtime * _SECOND + self.mtime_nsec

    @property
    def dev(self) -> int:
        """As `os.stat` has it."""
        return os.makedev(self.dev_major, self.dev_minor)


STATX_SIZE = _STATX.size  # bytes of a struct statx


def unpack_statx(statuses: bytearray) -> Iterator[Statx]:
    """What lies in a buffer that `fill_statx` has filled, one behind the other."""
    return map(Statx._make, _STATX.iter_unpack(statuses))


_new = tuple.__new__  # Statx._make counts the fields again, which takes as long as making it

# Buffers not in use: wrapping one for cffi costs a quarter of the call, and since the call drops
# the GIL two threads never share one.
_buffers: list[tuple[bytearray, Any]] = []


def statx(
    path: str | bytes,
    *,
    dir_fd: int = _AT_FDCWD,
    flags: int = 0,
    mask: int = STATX_BASIC_STATS | STATX_BTIME,
) -> Statx:
    """The status of a name, or of an open file: `statx("", dir_fd=fd, flags=AT_EMPTY_PATH)`."""
    try:
        out, pointer = _buffers.pop()
    except IndexError:
        out = bytearray(_STATX.size)
        pointer = ffi.from_buffer("unsigned char[]", out)
    name = path if isinstance(path, bytes) else os.fsencode(path)
    if fill_statx(dir_fd, name, flags, mask, pointer):
        check(-1, path)
    found = _new(Statx, _STATX.unpack(out))
    _buffers.append((out, pointer))
    return found


def raw_statx(fd: int, *, flags: int, mask: int) -> bytes:
    """statx(2)'s answer on an open file, not unpacked; its bytes are equal if all they say is."""
    try:
        out, pointer = _buffers.pop()
    except IndexError:
        out = bytearray(_STATX.size)
        pointer = ffi.from_buffer("unsigned char[]", out)
    if fill_statx(fd, b"", flags | AT_EMPTY_PATH, mask, pointer):
        check(-1)
    raw = bytes(out)
    _buffers.append((out, pointer))
    return raw


def statx_of(raw: bytes) -> Statx:
    """What `raw_statx` gave, unpacked."""
    return _new(Statx, _STATX.unpack(raw))


def identify(fd: int) -> tuple[int, int, int, int, int, int]:
    """(mask, mode, ino, device's major and minor, mount) of an open file, as far as known here.

    Its file system is not asked; half of `statx`'s time.
    """
    try:
        out, pointer = _buffers.pop()
    except IndexError:
        out = bytearray(_STATX.size)
        pointer = ffi.from_buffer("unsigned char[]", out)
    if fill_statx(fd, b"", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, _IDENTITY_WANTED, pointer):
        check(-1)
    found = _IDENTITY.unpack_from(out)
    _buffers.append((out, pointer))
    return found


def file_system_type(fd: int) -> int:
    """The magic number of the file system that an open file is on (statfs's f_type)."""
    kind: int = _F_TYPE.unpack_from(_statfs(fd))[0]
    return kind


def file_system_id(fd: int) -> bytes:
    """The 8 bytes by which handles of the file system are told apart from others' (f_fsid)."""
    return bytes(_statfs(fd)[_F_FSID])


def _statfs(fd: int) -> bytearray:
    out = bytearray(_STATFS_SIZE)
    check(libc.fstatfs(fd, ffi.from_buffer(out)))
    return out
