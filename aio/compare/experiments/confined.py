"""A program that reads a file as in a container with Docker's default seccomp profile.

    python -m aio.compare.experiments.confined FILE

Of the calls that the engines make, the profile lacks io_uring's three, which fail with EPERM since
November 2023 (github.com/moby/moby/pull/46762); preadv2, mincore, io_submit and their like are
in it (github.com/moby/profiles, seccomp/default.json).  It prints its findings as JSON.
"""

import errno
import json
import os
import sys
from pathlib import Path
from struct import Struct
from typing import Any

import trio
from cffi import FFI

import aio

SPEC = "nowait+uring,threads"
_PIECE = 1 << 16
_PIECES = 16

_SETUP, _REGISTER = 425, 427  # the same on every architecture; 426 is io_uring_enter
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

_INSTRUCTION = Struct("=HBBI")  # struct sock_filter: code, jump if true, jump if false, value
_LOAD = 0x20  # a word of struct seccomp_data: its first one is the call's number
_JUMP_IF_NOT_BELOW = 0x35
_JUMP_IF_ABOVE = 0x25
_RETURN = 0x06
_PROGRAM = (
    (_LOAD, 0, 0, 0),
    (_JUMP_IF_NOT_BELOW, 0, 2, _SETUP),
    (_JUMP_IF_ABOVE, 1, 0, _REGISTER),
    (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    (_RETURN, 0, 0, _ALLOW),
)


def confine() -> None:
    """From here on io_uring is refused to this process and all that it starts.

    OSError: the kernel has no seccomp filters.
    """
    ffi = FFI()
    ffi.cdef(
        """
        struct sock_fprog { unsigned short length; const void *filter; };
        int prctl(int option, ...);
        long syscall(long number, ...);
        """
    )
    libc: Any = ffi.dlopen(None)
    code = ffi.from_buffer(b"".join(_INSTRUCTION.pack(*each) for each in _PROGRAM))
    program = ffi.new("struct sock_fprog *", (len(_PROGRAM), code))
    number = ffi.typeof("unsigned long")
    one, zero, mode = (ffi.cast(number, value) for value in (1, 0, _SECCOMP_MODE_FILTER))
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, one, zero, zero, zero),
        (_PR_SET_SECCOMP, mode, program, zero, zero),
    ):
        if libc.prctl(*arguments):
            raise OSError(ffi.errno, os.strerror(ffi.errno))


def main(path: Path) -> None:
    """Confine, look around, read."""
    confine()
    offers = {offer.name: offer for offer in aio.offers()}
    print(  # noqa: T201 - a program's output
        json.dumps(
            {
                "uring": offers["uring"].available,
                "uring_reason": offers["uring"].reason,
                "libaio": offers["libaio"].available,
                "rwf_nowait": offers["RWF_NOWAIT"].available,
                **trio.run(_read, SPEC, path),
            }
        )
    )


async def _read(spec: str, path: Path) -> dict[str, str | int | bool]:
    """Every piece of the file's beginning, through the engine; how many were right."""
    engine = aio.open_engine(spec)
    fd = os.open(path, os.O_RDONLY)
    right = 0
    try:
        engine.attach(fd)
        into = memoryview(bytearray(_PIECE))
        for offset in range(0, _PIECES * _PIECE, _PIECE):
            into[:] = bytes(_PIECE)
            count = engine.try_read(fd, into, offset)
            if count is None:
                count = await engine.read(fd, into, offset)
            right += into[:count] == os.pread(fd, _PIECE, offset)
        engine.detach(fd)
        await engine.aclose()
    finally:
        os.close(fd)
    stats = engine.statistics()
    return {
        "engine": engine.name,
        "note": "; ".join(engine.notes),
        "pieces": _PIECES,
        "pieces_right": right,
        "hits": stats.hits,
        "hops": stats.switches,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
