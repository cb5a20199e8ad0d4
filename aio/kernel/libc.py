"""The C library by cffi's ABI mode: `libc.h`, `check`, and system calls by number.

ABI mode costs about 1 us a call more than a compiled extension (measured), and installs anywhere.
The header has been parsed before: cffi's parser of C takes 60 ms to import and to run.
"""

import errno
import os
import platform
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from aio.kernel import prototypes

ffi: Any = prototypes.ffi
libc: Any = ffi.dlopen(None)

# The kernel's syscall tables; from 424 on a number is the same on every architecture.
_NUMBERS = {
    "io_setup": {"x86_64": 206, "aarch64": 0},
    "io_destroy": {"x86_64": 207, "aarch64": 1},
    "io_getevents": {"x86_64": 208, "aarch64": 4},
    "io_submit": {"x86_64": 209, "aarch64": 2},
    "renameat2": {"x86_64": 316, "aarch64": 276},
    "statx": {"x86_64": 332, "aarch64": 291},
    "openat2": {"x86_64": 437, "aarch64": 437},
    "cachestat": {"x86_64": 451, "aarch64": 451},
}


class Address(NamedTuple):
    """Where a buffer is, and a view that keeps it there."""

    value: int
    view: memoryview


def address_of(data: Any, *, writable: bool = False) -> Address:
    """A buffer's address; BufferError if it may not be written, TypeError if it is no buffer.

    cffi's view of it does not stay: Python before 3.12 crashes when it collects a cycle (of an
    error, its traceback and its frames, say) with a memoryview in it of which there is a view.
    """
    view = memoryview(data)
    of_cffi = ffi.from_buffer("char[]", view, writable)
    value = int(ffi.cast("uintptr_t", of_cffi))
    ffi.release(of_cffi)
    return Address(value, view)


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
    return partial(function, number)


def _missing(*_args: object) -> int:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
