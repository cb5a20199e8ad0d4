"""The bytes of a file of the configuration, or why there are none: never a wait without end.

A reload reads in a worker.  A FIFO that nobody writes to would keep it for ever, and each later
SIGHUP would wait behind it; /dev/zero would take all memory.
"""

import errno
import os
import select
import time
from pathlib import Path

LARGEST = 16 << 20  # bytes: 100,000 users and shares have less
_PATIENCE = 5.0  # seconds for a pipe (`--config <(decrypt shares.toml)`); a file has no bound
_PIECE = 1 << 16


def read(path: Path) -> bytes:
    """All of a file or a pipe; OSError: EFBIG beyond LARGEST, ETIMEDOUT for a pipe that hangs."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return _read(fd)
    finally:
        os.close(fd)


def _read(fd: int) -> bytes:
    deadline = time.monotonic() + _PATIENCE
    found = bytearray()
    while piece := _piece(fd, deadline):
        found += piece
        if len(found) > LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return bytes(found)


def _piece(fd: int, deadline: float) -> bytes:
    while True:
        try:
            return os.read(fd, _PIECE)
        except BlockingIOError:
            left = deadline - time.monotonic()
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if left <= 0 or not poll.poll(left * 1000):
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
