"""What systemd and a service tell each other: the sockets it hands over, and the service's state.

sd_listen_fds(3) and sd_notify(3), without their library: two environment variables and a datagram.
Where nobody set these, nothing is handed over, and nothing is said.
"""

import os
import socket
import time

_FIRST_FD = 3


def handed_over() -> list[socket.socket]:
    """Return the listening sockets that this process was started with; [] if none.

    The variables are removed: no child takes them for its own.  OSError (ENOTSOCK, EINVAL) if one
    is not a stream socket that listens.
    """
    ours = os.environ.pop("LISTEN_PID", None) == str(os.getpid())
    count = os.environ.pop("LISTEN_FDS", "0")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not ours or not count.isdecimal():
        return []
    return [_listener(fd) for fd in range(_FIRST_FD, _FIRST_FD + int(count))]


def _listener(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)  # noqa: FBT003 -- its own signature
    found = socket.socket(fileno=fd)
    listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if not listens or found.family not in {socket.AF_INET, socket.AF_INET6}:
        name = f"socket {fd} of LISTEN_FDS"
        found.detach()
        raise OSError(22, "is not one that listens by TCP", name)
    found.settimeout(0)
    return found


def ready(status: str) -> None:
    """Say that the service serves, and with what in one line."""
    _notify(f"READY=1\nSTATUS={status}")


def reloading() -> None:
    """Say that the configuration is read again; `ready` ends that."""
    _notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """Say that the service ends in order, and may need some seconds for it."""
    _notify("STOPPING=1\nSTATUS=ending")


def _notify(message: str) -> None:
    path = os.environ.get("NOTIFY_SOCKET")
    if not path or path[0] not in "/@":
        return
    address = f"\0{path[1:]}" if path[0] == "@" else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        # A manager that does not listen any more is no reason to end, and none to wait.
        sock.settimeout(0)
        try:
            sock.sendto(message.encode(), address)
        except OSError:
            return
