"""A folder in memory, which is gone when it is closed, or its process has ended.

With a limit it is full when that many bytes are in it, however they came: the kernel counts.  A
folder of /dev/shm could not be full (a tmpfs has no limits for its folders), and a server that
counted by itself would be wrong wherever it forgot one way in which files grow.
"""

import errno
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from smbd.content import tmpfs
from smbd.content.sizes import parse_size

LEAST_SIZE = 4096 * 16  # bytes: a tmpfs of fewer pages holds next to nothing
_PATIENCE = 20.0  # seconds for a process to start, on a busy machine
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- a folder with a name that nobody can guess


class MemoryFolder:
    """A new, empty folder in memory at `path`; close it.

    `size` is its limit in bytes, or like "64 MiB": with more in it, writes fail for want of space
    (ENOSPC, which is STATUS_DISK_FULL).  None is no limit but that of the machine's memory.  Blocks
    for some 20 ms if the process is not root.

    A folder of its own needs root, or leave to make user namespaces.  Without either, one without
    limit is in /dev/shm, or else on the disk; one with a limit is OSError(EPERM).  ValueError for a
    size that is too small.
    """

    def __init__(self, size: int | str | None = None) -> None:
        if isinstance(size, str):
            size = parse_size(size)
        if size is not None and size < LEAST_SIZE:
            raise ValueError(
                f"the size of a folder in memory must be {LEAST_SIZE} at least, not {size}"
            )
        self._fd = -1
        try:
            mount = _mounted(size)
        except OSError as error:
            if size is not None:
                raise OSError(errno.EPERM, _refusal(error)) from error
            above = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
            self.path = Path(tempfile.mkdtemp(prefix="smbd-", dir=above))
            return
        try:
            # A folder in it: paths of several such file systems begin alike, at their roots.
            name = f"smbd-memory-{secrets.token_hex(8)}"
            os.mkdir(name, 0o700, dir_fd=mount)
            self._fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
        finally:
            os.close(mount)
        # By this process's number: others on the machine can look into it as well.
        self.path = Path(f"/proc/{os.getpid()}/fd/{self._fd}")

    def fill(self, name: str) -> None:
        """Have a file take all room that is left; OSError."""
        with (self.path / name).open("xb") as file:
            space = os.fstatvfs(file.fileno())
            if space.f_bavail:
                os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize)

    def close(self) -> None:
        """Free the memory, as soon as nobody has a file of it open; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        elif not self.path.is_relative_to("/proc"):
            shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()


def _mounted(size: int | None) -> int:
    try:
        return tmpfs.make(size)
    except PermissionError:
        return _mounted_by_another(size)


def _mounted_by_another(size: int | None) -> int:
    """As `tmpfs.make`, by a process that can be root in a namespace; OSError."""
    ours, its = socket.socketpair()
    with ours, its:
        ours.settimeout(_PATIENCE)
        command = [sys.executable, "-I", "-S", tmpfs.__file__, str(its.fileno())]
        command.append("" if size is None else str(size))
        with subprocess.Popen(  # noqa: S603 -- this Python, and a file of ours
            command, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            its.close()
            try:
                answer, fds, _, _ = socket.recv_fds(ours, 16, 1, socket.MSG_CMSG_CLOEXEC)
            except BaseException:
                process.kill()
                raise
    if fds:
        return fds[0]
    number = int.from_bytes(answer, "little") or errno.EPERM
    raise OSError(number, os.strerror(number))


def _refusal(error: OSError) -> str:
    return (
        "a folder in memory with a limit needs a tmpfs of its own, and the system allows none "
        f"({error.strerror}): that takes root, or user namespaces, which Docker's seccomp profile "
        "and Ubuntu's AppArmor forbid"
    )
