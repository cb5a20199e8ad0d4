"""Listening sockets: SMB's and the metrics' over TCP, the control socket in the file system."""

import os
import socket
from pathlib import Path
from typing import Any

from smbd.config import Address, make_runtime_directory, runtime_directory

_BACKLOG = 128
_ASKED_AFTER, _ASKED_EVERY, _ASKED = 20, 10, 3  # seconds, seconds, times


def listen(address: Address) -> list[socket.socket]:
    """Non-blocking listeners for an address; a name may have several.  OSError names it."""
    listeners = bind(address)
    try:
        for sock in listeners:
            sock.listen(_BACKLOG)
            sock.settimeout(0)
    except OSError as error:
        for sock in listeners:
            sock.close()
        raise OSError(error.errno, error.strerror, str(address)) from error
    return listeners


def bind(address: Address) -> list[socket.socket]:
    """Sockets with an address that do not listen yet; a name may have several.  OSError names it.

    Two may have the same address, as long as neither listens.
    """
    sockets: list[socket.socket] = []
    for family, kind, protocol, name in resolve(address):
        sock = socket.socket(family, kind, protocol)
        sockets.append(sock)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # "::" beside "0.0.0.0" must not be the same port twice.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(name)
        except OSError as error:
            for one in sockets:
                one.close()
            raise OSError(error.errno, error.strerror, str(address)) from error
    return sockets


def resolve(address: Address) -> list[tuple[int, int, int, Any]]:
    """(family, type, protocol, name) of each socket that an address asks for.  OSError names it."""
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(error.errno, error.strerror, str(address)) from error
    return [(*one[:3], one[4]) for one in dict.fromkeys(found)]


def set_options(sock: socket.socket) -> None:
    """Set the options of a client's TCP connection: no delay, and an end when the client is gone.

    A client that has lost its power says nothing; its locks must be free within a minute.
    The kernel asks an idle connection from the 20th second on, and gives it up after 50 seconds
    without an answer: also if replies are under way, or if a client that is stopped takes none.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _ASKED_AFTER)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _ASKED_EVERY)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _ASKED)
    gone_after = _ASKED_AFTER + _ASKED * _ASKED_EVERY
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, gone_after * 1000)


def bound_address(listener: socket.socket) -> Address:
    """Where a listener is reached, with the port that it really got."""
    name = listener.getsockname()
    return Address(name[0], name[1])


def listen_unix(path: Path) -> socket.socket:
    """A Unix socket that only this user can reach; OSError if somebody listens there already."""
    if path.parent == runtime_directory():
        make_runtime_directory(path.parent)
    _remove_left_over(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux makes the file with the descriptor's mode.  Not by umask, which is every thread's.
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(str(path))
        sock.listen()
    except OSError as error:
        sock.close()
        raise OSError(error.errno, error.strerror, str(path)) from error
    sock.settimeout(0)
    return sock


def _remove_left_over(path: Path) -> None:
    """Remove the socket of a server that was killed; never a live one's, nor a file."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
