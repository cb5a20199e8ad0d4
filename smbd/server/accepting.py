"""Connections come in: one loop for every kind of listener, which only the server's end stops."""

import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from smbd.events import about
from smbd.wall import behind_wall, kept_running

_log = logging.getLogger("smbd")

Welcome = Callable[[socket.socket, Any], None]
Talk = Callable[[trio.SocketStream], Awaitable[None]]

# Out of descriptors or memory: accepting again at once would only spin.
_PAUSE = 0.1
# Of a connection that broke before it was accepted (accept(2)): the next one may be whole.
_BROKEN = {
    errno.ECONNABORTED,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.ENOPROTOOPT,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EPROTO,
}


async def accept(listener: socket.socket, welcome: Welcome) -> None:
    """Give each connection, not blocking, to `welcome` with its client's address, until cancelled.

    The listener is closed then.
    """
    with listener:
        await kept_running("accepting connections", _accept, listener, welcome)


async def _accept(listener: socket.socket, welcome: Welcome) -> None:
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            sock, name = listener.accept()
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno not in _BROKEN:
                extra = about("accept failed")
                _log.warning("cannot accept: %s", error.strerror, extra=extra)
                await trio.sleep(_PAUSE)
            continue
        try:
            sock.settimeout(0)
            welcome(sock, name)
        except BaseException:
            sock.close()
            raise


async def talk_to_each(what: str, listener: socket.socket, talk: Talk, most: int) -> None:
    """Have `talk` answer each connection in a task of its own, until cancelled.

    One more than `most` at a time is closed at once.
    """
    async with trio.open_nursery() as nursery:

        def welcome(sock: socket.socket, _: object) -> None:
            if len(nursery.child_tasks) < most:
                nursery.start_soon(behind_wall, what, _talk, sock, talk)
            else:
                sock.close()

        await accept(listener, welcome)


async def _talk(sock: socket.socket, talk: Talk) -> None:
    async with trio.SocketStream(trio.socket.from_stdlib_socket(sock)) as stream:
        await talk(stream)
