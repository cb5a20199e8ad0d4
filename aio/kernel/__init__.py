"""The system calls that Python's `os` lacks: thin, typed, OSError when they fail; no compiler ever.

A call that this kernel, this machine or a seccomp profile lacks raises OSError(ENOSYS) (some
seccomp profiles say EPERM); callers probe by calling.  64-bit Linux, x86_64 and aarch64.
"""

from aio.kernel.cache import CacheStat, PageVector, cachestat, map_pages, mincore, unmap_pages
from aio.kernel.names import (
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    RESOLVE_BENEATH,
    RESOLVE_CACHED,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
    openat2,
    renameat2,
)
from aio.kernel.space import (
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_UNSHARE_RANGE,
    FALLOC_FL_ZERO_RANGE,
    fallocate,
)
from aio.kernel.status import (
    AT_EMPTY_PATH,
    AT_NO_AUTOMOUNT,
    AT_STATX_DONT_SYNC,
    AT_STATX_FORCE_SYNC,
    AT_SYMLINK_NOFOLLOW,
    STATX_BASIC_STATS,
    STATX_BTIME,
    STATX_DIOALIGN,
    STATX_MNT_ID,
    Statx,
    file_system_type,
    statx,
)

__all__ = [
    "AT_EMPTY_PATH",
    "AT_NO_AUTOMOUNT",
    "AT_STATX_DONT_SYNC",
    "AT_STATX_FORCE_SYNC",
    "AT_SYMLINK_NOFOLLOW",
    "FALLOC_FL_COLLAPSE_RANGE",
    "FALLOC_FL_INSERT_RANGE",
    "FALLOC_FL_KEEP_SIZE",
    "FALLOC_FL_PUNCH_HOLE",
    "FALLOC_FL_UNSHARE_RANGE",
    "FALLOC_FL_ZERO_RANGE",
    "RENAME_EXCHANGE",
    "RENAME_NOREPLACE",
    "RESOLVE_BENEATH",
    "RESOLVE_CACHED",
    "RESOLVE_IN_ROOT",
    "RESOLVE_NO_MAGICLINKS",
    "RESOLVE_NO_SYMLINKS",
    "RESOLVE_NO_XDEV",
    "STATX_BASIC_STATS",
    "STATX_BTIME",
    "STATX_DIOALIGN",
    "STATX_MNT_ID",
    "CacheStat",
    "PageVector",
    "Statx",
    "cachestat",
    "fallocate",
    "file_system_type",
    "map_pages",
    "mincore",
    "openat2",
    "renameat2",
    "statx",
    "unmap_pages",
]
