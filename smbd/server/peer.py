"""One connection from accept to its end: its tasks, its limits, and what it leaves behind."""

import logging
import socket

import trio

from smbd.commands.closing import end_session
from smbd.connection import Connection
from smbd.credits import CommandSequenceWindow
from smbd.dispatch import Dispatch
from smbd.ntstatus import ProtocolError
from smbd.server.admission import Admission
from smbd.service import Service
from smbd.transport import Transport

_log = logging.getLogger("smbd")

# What a frame may hold beside the largest payload: headers, names, contexts, a compound.
_FRAME_OVERHEAD = 65536


class Peer:
    """A client's connection."""

    def __init__(
        self, service: Service, admission: Admission, sock: socket.socket, address: str, port: int
    ) -> None:
        limits = service.config.server.limits
        self._admission = admission
        self._sock = sock
        self._stranger = True
        self._login_scope = trio.CancelScope(deadline=trio.current_time() + limits.login_time)
        self._service = service
        self.transport = Transport(sock, limits.memory, service.buffers)
        self.connection = Connection(
            service,
            f"{address}:{port}",
            address,
            CommandSequenceWindow(limits.credits),
            on_login=self._logged_in,
        )
        self._scope = trio.CancelScope()

    async def serve(self) -> None:
        """Serve it until it ends, whichever side ends it."""
        peer = self.connection.peer
        _log.info("%s: connected", peer)
        why = "closed"
        try:
            with self._scope:
                await self._converse()
        except* ProtocolError as group:
            why = f"dropped: {_first(group)}"
        except* OSError as group:
            why = f"lost: {_first(group)}"
        finally:
            with trio.CancelScope(shield=True):
                await self._clean_up()
        if self._login_scope.cancelled_caught:
            why = "dropped: no login in time"
        _log.info("%s: %s", peer, why)

    async def _converse(self) -> None:
        limits = self._service.config.server.limits
        async with trio.open_nursery() as nursery:
            dispatch = Dispatch(self.connection, self.transport, nursery)
            nursery.start_soon(dispatch.send_interims)
            nursery.start_soon(self.transport.write_later)
            nursery.start_soon(self._watch_login, nursery.cancel_scope)
            if limits.idle_time:
                nursery.start_soon(self._watch_idle, nursery.cancel_scope, limits.idle_time)
            await self.transport.receive(dispatch.frame)
            nursery.cancel_scope.cancel()

    async def _watch_login(self, connection_scope: trio.CancelScope) -> None:
        """Drop a connection on which nobody logs in: half-open ones are cheap to make."""
        with self._login_scope:
            await trio.sleep_forever()
        if self._stranger:
            connection_scope.cancel()

    async def _watch_idle(self, connection_scope: trio.CancelScope, idle: float) -> None:
        """Drop a connection that says nothing and holds no open file."""
        while True:
            await trio.sleep_until(self.transport.last_frame + idle)
            silent = trio.current_time() - self.transport.last_frame >= idle
            if silent and not any(one.opens for one in self.connection.sessions.values()):
                connection_scope.cancel()
            elif silent:
                self.transport.last_frame = trio.current_time()

    def _logged_in(self) -> None:
        """The first login: limits for strangers end."""
        if self._stranger:
            self._stranger = False
            self._admission.strangers -= 1
            self._login_scope.deadline = float("inf")
        connection = self.connection
        largest = max(connection.max_write, connection.max_transact)
        self.transport.maximum_frame = largest + _FRAME_OVERHEAD

    async def drain(self, deadline: float) -> None:
        """Let what is in work end and leave, then end the connection."""
        with trio.move_on_at(deadline):
            await self.transport.drain()
        self._scope.cancel()

    async def _clean_up(self) -> None:
        """Close all that the client held: also that which a deletion waits for."""
        self._sock.close()
        for session in list(self.connection.sessions.values()):
            await end_session(self._service, session)
        self._admission.leave(self.connection.address, stranger=self._stranger)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """One exception of a group: a connection ends for one reason."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
