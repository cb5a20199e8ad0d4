"""utimensat: `os.utime` always sets both times; here one can be left alone."""

from aio.kernel.libc import check, ffi, libc

_SECOND = 1_000_000_000
_UTIME_OMIT = (1 << 30) - 2
_AT_FDCWD = -100


def set_times(target: int | bytes, access_ns: int | None, write_ns: int | None) -> None:
    """Set access and modification time (ns of Unix time) of an open file or a path; None leaves.

    A time before 1970 is negative.  Errors: EPERM unless the file is ours, EROFS.
    """
    times = ffi.new("int64_t[4]", (*_timespec(access_ns), *_timespec(write_ns)))
    if isinstance(target, int):
        check(libc.futimens(target, times))
    else:
        check(libc.utimensat(_AT_FDCWD, target, times, 0), target)


def _timespec(ns: int | None) -> tuple[int, int]:
    return (0, _UTIME_OMIT) if ns is None else divmod(ns, _SECOND)
