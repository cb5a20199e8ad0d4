"""A tmpfs of its own, mounted nowhere: the kernel keeps its limit, and frees it with its last user.

fsopen, fsconfig and fsmount (Linux 5.2) make a file system and a mount that no path leads to but
that of the descriptor, /proc/PID/fd/N.  So nobody has to unmount it, not even after a kill.

That is root's (CAP_SYS_ADMIN).  Anybody else is root in a user namespace, which a process can enter
as long as it has one thread: this file is run as a program of its own, which makes the mount there
and sends its descriptor.  It keeps working when that program has ended.  It imports nothing of
smbd: it takes 20 ms so.
"""

import array
import ctypes
import os
import socket
import sys

# asm-generic/unistd.h: the numbers are those of every architecture (alpha adds 110).
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_SET_STRING, _CREATE = 1, 6  # linux/mount.h: FSCONFIG_...
_NO_SUID, _NO_DEVICES = 0x2, 0x4  # MOUNT_ATTR_...
_NEW_USER, _NEW_MOUNTS = 0x1000_0000, 0x0002_0000  # linux/sched.h: CLONE_...
_ERRNO_SIZE = 4

# Streams, EAs and DOS attributes are counted as inodes of 1 KiB are (Linux 6.6).
_BYTES_OF_INODE = 1024
_LEAST_INODES = 1024

_libc = ctypes.CDLL(None, use_errno=True)


def make(size: int | None) -> int:
    """The descriptor of a new tmpfs of `size` bytes (None: half of the memory); OSError."""
    context = _call(_FSOPEN, b"tmpfs", _FSOPEN_CLOEXEC)
    try:
        options = {b"mode": b"700"}
        if size is not None:
            options[b"size"] = b"%d" % size
            options[b"nr_inodes"] = b"%d" % (_LEAST_INODES + size // _BYTES_OF_INODE)
        for name, value in options.items():
            _call(_FSCONFIG, context, _SET_STRING, name, value, 0)
        _call(_FSCONFIG, context, _CREATE, None, None, 0)
        return _call(_FSMOUNT, context, _FSMOUNT_CLOEXEC, _NO_SUID | _NO_DEVICES)
    finally:
        os.close(context)


def _call(number: int, *arguments: object) -> int:
    _libc.syscall.restype = ctypes.c_long
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _become_root_of_namespace() -> None:
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_NEW_USER | _NEW_MOUNTS):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)


def _main(socket_fd: str, size: str) -> None:
    """Send the descriptor, or an errno."""
    with socket.socket(fileno=int(socket_fd)) as parent:
        try:
            _become_root_of_namespace()
            made = make(int(size) if size else None)
        except OSError as error:
            parent.send((error.errno or 1).to_bytes(_ERRNO_SIZE, "little"))
            return
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made]))
        parent.sendmsg([bytes(_ERRNO_SIZE)], [rights])


if __name__ == "__main__":
    _main(*sys.argv[1:])
