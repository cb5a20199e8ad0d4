"""All that one server needs, opened in order and closed in the other."""

import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from aio import WorkerPool
from smbd.config import Config, ServerConfig
from smbd.server import control, metrics
from smbd.server.building import build_service, close_share
from smbd.server.expiring import expire
from smbd.server.listening import bound_address, listen, listen_unix
from smbd.server.restoring import restore_handles
from smbd.server.server import Server
from smbd.server.sweeping import sweep
from smbd.server.tending import close_parked, meet, tend
from smbd.server.unacknowledged import Unacknowledged
from smbd.service import Service
from smbd.share import Share
from smbd.wall import behind_wall, kept_running, wall

# Threads for work of no share: shares.toml read again, the announcement.  A share has its own.
_WORKERS = 4


@asynccontextmanager
async def serving(
    config: Config, handed_over: Sequence[socket.socket] = ()
) -> AsyncIterator[Server]:
    """Serve a configuration for as long as the block lasts.

    Clients connect to the listening sockets that are `handed_over`; without any, to those that are
    made here for the addresses of the configuration.

    Raises OSError if a share's directory cannot be opened or an address not be bound.
    """
    async with AsyncExitStack() as stack:
        pool = WorkerPool(_WORKERS, "smbd")
        stack.push_async_callback(_close_pool, pool)
        service = await build_service(config, pool.run)
        stack.push_async_callback(_close_shares, service)
        stack.callback(_close_records, service)
        service.native.start()
        await restore_handles(service)
        # All are bound before there is a nursery, which would wrap the OSError.
        sockets = _Sockets(config.server, handed_over, stack)
        body = _Body()
        async with trio.open_nursery() as connections, trio.open_nursery() as helping:
            server = Server(service, sockets.smb, connections)
            server.metrics_addresses += map(bound_address, sockets.metrics)
            Unacknowledged(service)
            helping.start_soon(server.accept, sockets.smb)
            helping.start_soon(meet, service.deadlines)
            helping.start_soon(server.watching.run)
            helping.start_soon(close_parked, service)
            helping.start_soon(kept_running, "tending", tend, server, pool.run)
            helping.start_soon(kept_running, "sweeping", sweep, service)
            helping.start_soon(kept_running, "emptying recycle folders", expire, service)
            for listener in sockets.control:
                helping.start_soon(control.serve, listener, server.answer)
            for listener in sockets.metrics:
                helping.start_soon(metrics.serve, listener, server.figures)
            if config.server.mdns:
                from smbd.server import announcing  # noqa: PLC0415 -- few servers do

                name, addresses = config.server.name, server.addresses
                announce = announcing.announce
                helping.start_soon(behind_wall, "mDNS", announce, name, addresses, pool.run)
            if config.server.ws_discovery:
                from smbd.server import discoverable  # noqa: PLC0415 -- few do; it needs XML

                show, addresses = discoverable.show, server.addresses
                helping.start_soon(
                    kept_running, "WS-Discovery", show, config.server, addresses, pool.run
                )
            with body:
                yield server
            with trio.CancelScope(shield=True):
                await server.drain()
            helping.cancel_scope.cancel()
            connections.cancel_scope.cancel()
        body.raise_again()


class _Body:
    """Keeps the block's exception until the nurseries are gone: they would wrap it in groups."""

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        self._error = error
        return True

    def raise_again(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error


class _Sockets:
    """The listeners of a server."""

    def __init__(
        self, config: ServerConfig, handed_over: Sequence[socket.socket], stack: AsyncExitStack
    ) -> None:
        self.smb = _bound(stack, *handed_over)
        if not handed_over:
            for address in config.listen:
                self.smb += _bound(stack, *listen(address))
        self.control: list[socket.socket] = []
        self.metrics: list[socket.socket] = []
        if config.status_socket is not None:
            self.control = _bound(stack, listen_unix(config.status_socket))
            stack.callback(_remove, config.status_socket)
        if config.metrics is not None:
            self.metrics = _bound(stack, *listen(config.metrics))


def _bound(stack: AsyncExitStack, *listeners: socket.socket) -> list[socket.socket]:
    for listener in listeners:
        stack.callback(listener.close)
    return list(listeners)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _close_records(service: Service) -> None:
    if service.records is not None:
        service.records.close()


async def _close_pool(pool: WorkerPool) -> None:
    with trio.CancelScope(shield=True):
        await pool.aclose()


async def _close_shares(service: Service) -> None:
    async with trio.open_nursery() as nursery:  # one that hangs keeps no other from its end
        for share in (*service.shares.values(), *service.retired):
            nursery.start_soon(_close_share, share)


async def _close_share(share: Share) -> None:
    with wall(f"the end of share {share.name}"):
        await close_share(share)
