"""The path of a running server's status socket: `tsmbd status` finds it without being told."""

import os
import stat
import tempfile
from pathlib import Path


def runtime_directory() -> Path:
    """Return this user's directory for sockets, below XDG_RUNTIME_DIR or the temporary one."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base, "smbd")
    return Path(tempfile.gettempdir(), f"smbd-{os.getuid()}")


def default_status_socket() -> Path:
    """Return this process's status socket: two servers of one user must not share a name."""
    return runtime_directory() / f"{os.getpid()}.sock"


def make_runtime_directory(directory: Path) -> None:
    """Make the directory, for its owner only; PermissionError if another user could write there.

    In a shared temporary directory another user may have made it first, to be handed our socket.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.getuid()
        or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise PermissionError(f"{directory} must be a folder of ours that nobody else can write to")
