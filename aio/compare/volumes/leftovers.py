"""Folders and control groups that a killed study left: empty, and removed by the next study.

A lock on the folder tells whether its study still lives: it dies with the study.  A process
number would be wrong in another container that shares the folder.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "smbd-compare-"


@contextmanager
def folder_of_ours(parent: Path) -> Iterator[Path]:
    """A new, empty folder, which is removed at the end; left ones of dead studies go before."""
    remove_leftovers(parent)
    folder = _first_free(parent)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield folder
    finally:
        with suppress(OSError):  # something is in it still: for the next study to remove
            folder.rmdir()
        os.close(fd)


def remove_leftovers(parent: Path) -> None:
    """Remove the empty folders that dead studies left in this one."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _remove_if_dead(folder)


def _remove_if_dead(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.rmdir()  # a folder with files, or a group with processes, stays
    finally:
        os.close(fd)


def _first_free(parent: Path) -> Path:
    number = 0
    while True:
        folder = parent / f"{_PREFIX}{os.getpid()}{f'-{number}' if number else ''}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return folder
