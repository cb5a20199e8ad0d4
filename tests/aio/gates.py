"""What the probe knows of a file system that is written to."""

import os

from aio.gate import gate_of


def written_lately(fd: int, now: float) -> None:
    """A write to this file's file system was quick just now, so the next may be inline."""
    gate_of(os.fstat(fd).st_dev).quick_at = now
