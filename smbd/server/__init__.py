"""The server: listeners, a task for each connection, and an orderly end."""

import errno
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import trio

from aio import WorkerPool
from smbd.config import Address, Config
from smbd.server import status
from smbd.server.admission import Admission
from smbd.server.building import build_service
from smbd.server.peer import Peer
from smbd.service import Service

_log = logging.getLogger("smbd")

_BACKLOG = 128
# Replies under way get this long to leave; with the engines' own ending it stays below the 10 s
# that a container is given.
_DRAIN_SECONDS = 5.0
# For calls that go to the file system's metadata; READ and WRITE have their engine's own workers.
_METADATA_WORKERS = 16
# Out of descriptors or memory: accepting again at once would only spin.
_ACCEPT_PAUSE = 0.1
_PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Server:
    """A running server."""

    def __init__(self, service: Service, listeners: Sequence[socket.socket]) -> None:
        self.service = service
        self._listeners = listeners
        self._peers: set[Peer] = set()
        self._admission = Admission(service.config.server.limits)
        self.addresses = [_address(listener) for listener in listeners]

    def document(self) -> dict[str, Any]:
        """What `smbd status` shows."""
        return status.document(self.service, self._peers, map(str, self.addresses))

    async def accept(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        """Take connections from one listener, each into a task of its own."""
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                sock, name = listener.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                # A peer that went away before it was accepted, or no descriptors left.
                if error.errno in _PASSING:
                    _log.warning("cannot accept: %s", error.strerror)
                    await trio.sleep(_ACCEPT_PAUSE)
                continue
            self._welcome(sock, name[0], name[1], nursery)

    def _welcome(self, sock: socket.socket, address: str, port: int, nursery: trio.Nursery) -> None:
        refusal = self._admission.admit(address)
        if refusal:
            _log.warning("%s:%d: refused: %s", address, port, refusal)
            sock.close()
            return
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        nursery.start_soon(self._serve, Peer(self.service, self._admission, sock, address, port))

    async def _serve(self, peer: Peer) -> None:
        self._peers.add(peer)
        try:
            await peer.serve()
        finally:
            self._peers.discard(peer)

    async def drain(self) -> None:
        """End every connection once its replies have left."""
        deadline = trio.current_time() + _DRAIN_SECONDS
        async with trio.open_nursery() as nursery:
            for peer in self._peers:
                nursery.start_soon(peer.drain, deadline)

    async def answer_status(self, stream: trio.SocketStream) -> None:
        """One client of the status socket."""
        await status.answer(stream, self.document())


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Server]:
    """Serve a configuration for as long as the block lasts.

    Raises OSError if a share's folder cannot be opened or an address not be bound.
    """
    async with AsyncExitStack() as stack:
        pool = WorkerPool(_METADATA_WORKERS, "smbd")
        stack.push_async_callback(_uncancelled, pool.aclose)
        service = build_service(config, pool.run)
        stack.push_async_callback(_uncancelled, _close_shares, service)
        listeners = [sock for address in config.server.listen for sock in _listen(address)]
        for listener in listeners:
            stack.callback(listener.close)
        server = Server(service, listeners)
        status_listener = None
        if config.server.status_socket is not None:
            status_listener = status.listen(config.server.status_socket)
            stack.callback(config.server.status_socket.unlink, missing_ok=True)
        async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
            for listener in listeners:
                accepting.start_soon(server.accept, listener, connections)
            if status_listener is not None:
                accepting.start_soon(trio.serve_listeners, server.answer_status, [status_listener])
            try:
                yield server
            finally:
                accepting.cancel_scope.cancel()
                await _uncancelled(server.drain)
                connections.cancel_scope.cancel()


async def _uncancelled(ending: Callable[..., Awaitable[None]], *args: object) -> None:
    """What ends things must itself not be ended early."""
    with trio.CancelScope(shield=True):
        await ending(*args)


async def _close_shares(service: Service) -> None:
    for share in service.shares.values():
        await share.engine.aclose()
        share.root.close()


def _listen(address: Address) -> list[socket.socket]:
    """Listening sockets for an address; a name may have several."""
    found = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    listeners = []
    for family, kind, protocol, _, name in dict.fromkeys(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # "::" beside "0.0.0.0" must not be the same port twice.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(name)
        except OSError as error:
            sock.close()
            raise OSError(error.errno, error.strerror, str(address)) from error
        sock.listen(_BACKLOG)
        sock.settimeout(0)
        listeners.append(sock)
    return listeners


def _address(listener: socket.socket) -> Address:
    name = listener.getsockname()
    return Address(name[0], name[1])


def run(
    config: Config,
    *,
    started: Callable[[Sequence[Address]], None],
    stopped: Callable[[dict[str, Any]], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `stopped` gets the last status document."""
    trio.run(_run, config, started, stopped)


async def _run(
    config: Config,
    started: Callable[[Sequence[Address]], None],
    stopped: Callable[[dict[str, Any]], None],
) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with serving(config) as server:
            started(server.addresses)
            await anext(aiter(signals))
            stopped(server.document())
