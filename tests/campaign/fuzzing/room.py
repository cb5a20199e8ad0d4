"""A disk of this machine that a fuzzer cannot fill: what allocates much finds no room."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from aio import kernel

_MOST = 64 << 20  # bytes of one call


@contextmanager
def little_room() -> Iterator[None]:
    """Within, `fallocate` says ENOSPC where it would allocate more."""
    allocate = kernel.fallocate

    def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
        if length > _MOST and not mode & kernel.FALLOC_FL_PUNCH_HOLE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allocate(fd, mode, offset, length)

    with patch.object(kernel, "fallocate", fallocate):
        yield
