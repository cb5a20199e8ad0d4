"""The C library by cffi's ABI mode: one cdef, `check`, and system calls by number.

ABI mode costs about 1 us a call more than a compiled extension (measured), and installs anywhere.
"""

import errno
import os
import platform
from collections.abc import Callable
from typing import Any

from cffi import FFI

ffi = FFI()
# Addresses are uintptr_t, not pointers: Python ints go through without making a cdata object.
ffi.cdef(
    """
    struct open_how { uint64_t flags, mode, resolve; };
    struct cachestat_range { uint64_t off, len; };
    struct cachestat { uint64_t cache, dirty, writeback, evicted, recently_evicted; };

    uintptr_t mmap(uintptr_t address, size_t length, int prot, int flags, int fd, int64_t offset);
    int munmap(uintptr_t address, size_t length);
    int mincore(uintptr_t address, size_t length, unsigned char *vector);
    int fallocate(int fd, int mode, int64_t offset, int64_t length);
    int fstatfs(int fd, void *buffer);
    long syscall(long number, ...);
    """
)
libc: Any = ffi.dlopen(None)

# The kernel's syscall tables; from 424 on a number is the same on every architecture.
_NUMBERS = {
    "renameat2": {"x86_64": 316, "aarch64": 276},
    "statx": {"x86_64": 332, "aarch64": 291},
    "openat2": {"x86_64": 437, "aarch64": 437},
    "cachestat": {"x86_64": 451, "aarch64": 451},
}


def check(result: int, name: str | bytes | None = None) -> int:
    """A call's result, or the OSError that its errno says (with the file's name, if there is)."""
    if result != -1:
        return result
    number = ffi.errno
    raise OSError(number, os.strerror(number), name)


def system_call(name: str, parameters: str) -> Callable[..., int]:
    """`syscall(2)` for one call: the C types of its parameters, checked as cffi checks any call.

    A cast of the function's address to a fixed prototype, since arguments of a variadic function
    must each be wrapped in a cdata (measured: 0.3 us each); both machines pass them alike.
    """
    number = _NUMBERS[name].get(platform.machine())
    if number is None:
        return _missing
    function = ffi.cast(f"long(*)(long, {parameters})", ffi.addressof(libc, "syscall"))

    def call(*args: object) -> int:
        return int(function(number, *args))

    return call


def _missing(*_args: object) -> int:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
