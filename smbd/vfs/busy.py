"""Calls that may hold an inode's lock for long: no engine tries the file in its loop meanwhile."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from aio.inodes import busy, inode_of
from smbd.vfs.file import File

P = ParamSpec("P")
R = TypeVar("R")


def holds_inode(function: Callable[Concatenate[File, P], R]) -> Callable[Concatenate[File, P], R]:
    """Count a call as work on the file that it is about, in whichever thread it runs.

    Truncating, zeroing and copying hold the lock while the disk works; changing metadata does
    while the journal is being written.
    """

    @wraps(function)
    def counted(file: File, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with busy(file.fd):
            return function(file, *args, **kwargs)

    return counted


def strains(function: Callable[Concatenate[File, P], R]) -> Callable[Concatenate[File, P], R]:
    """The same for a call that may keep the journal of its file system busy as well."""

    @wraps(function)
    def counted(file: File, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with busy(file.fd, strains=True):
            return function(file, *args, **kwargs)

    return counted


def changes_records(
    function: Callable[Concatenate[File, P], R],
) -> Callable[Concatenate[File, P], R]:
    """The same for a call that changes metadata: that of a stream is its file's."""

    @wraps(function)
    def counted(file: File, /, *args: P.args, **kwargs: P.kwargs) -> R:
        file = file.described
        inode = inode_of(file.device, file.inode)
        inode.begin(exclusive=True)
        try:
            return function(file, *args, **kwargs)
        finally:
            inode.end(exclusive=True)

    return counted
