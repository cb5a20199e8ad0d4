"""One connection from accept to its end: its tasks, its limits, and its cleaning up."""

import logging
import socket

import trio

from smbd.config import Address
from smbd.connection import Connection
from smbd.credits import CommandSequenceWindow
from smbd.dispatch import Dispatch
from smbd.injecting import Pace
from smbd.memory import MemoryAccount
from smbd.ntstatus import HungUpError, ProtocolError
from smbd.observing import Observer
from smbd.server.admission import Admission
from smbd.service import Service
from smbd.session import Session
from smbd.teardown import end_session, lose_connection
from smbd.transport import Transport
from smbd.wall import wall

# Bytes of a frame beside the largest payload: headers, names, contexts, a compound.
_FRAME_OVERHEAD = 65536
# Seconds that one may take to come: 8 MiB at 28 KB/s.
_LONGEST_FRAME = 300.0
# Until a login is done: it takes four messages, one after the other.  ECHOs and half logins are
# all that more credits would be good for.
_UNAUTHENTICATED_CREDITS = 16


class ClientConnection:
    """A client's connection."""

    def __init__(
        self, service: Service, admission: Admission, sock: socket.socket, address: Address
    ) -> None:
        limits = service.config.server.limits
        self._admission = admission
        self._sock = sock
        self._unauthenticated = True
        self._login_by = trio.current_time() + limits.login_time
        self._service = service
        memory = MemoryAccount.unauthenticated()
        self.transport = Transport(sock, memory, service.buffers, service.turns)
        self.connection = Connection(
            service,
            str(address),
            address.host,
            CommandSequenceWindow(min(limits.credits, _UNAUTHENTICATED_CREDITS)),
            on_login=self._logged_in,
            emit=self.transport.emit_soon,
            memory=memory,
        )
        self._dispatch: Dispatch | None = None
        self._observers: tuple[Observer, ...] = ()
        self._hearing = trio.CancelScope()  # cancelled: no more requests are taken
        self._scope = trio.CancelScope()
        self._why = ""
        self._preserve = True
        self._level = logging.WARNING  # of the log's line that says so

    @property
    def name(self) -> str:
        """Address and port, for people."""
        return self.connection.client

    @property
    def memory_held(self) -> int:
        """Bytes that the server holds for it."""
        return self.connection.memory.held + self.transport.in_flight

    async def serve(self) -> None:
        """Serve it until it ends, whichever side ends it.  Nothing that it raises leaves it."""
        self.connection.tell(logging.INFO, "connected", "connected")
        try:
            # The wall between connections: a bug of ours outside of any request (dispatch answers
            # for those) costs this client the connection, and must not cost the others theirs.
            with wall(f"{self.name}: the connection"):
                await self._until_lost()
        finally:
            with trio.CancelScope(shield=True):
                await self._clean_up()

    async def _until_lost(self) -> None:
        try:
            with self._scope:
                await self._converse()
        except* (ProtocolError, OSError) as group:
            self._lose(_first(group))
        level = self._level if self._why else logging.INFO
        self.connection.tell(level, "disconnected", "%s", self._why or "left")

    def end(self, why: str = "", *, preserve: bool = True) -> None:
        """End it now; without `preserve` its durable handles too."""
        self._why = self._why or why
        self._preserve = self._preserve and preserve
        self._scope.cancel()

    def pace(self, rate: int | None, latency: float | None) -> None:
        """Make its line slow: bytes a second, seconds; both None: as fast as it is."""
        slow = rate is not None or latency is not None
        self.transport.lay(Pace(self._sock, rate, latency) if slow else None)

    def observe(self, observers: tuple[Observer, ...]) -> None:
        """Let these see all of it from now on, in place of those before."""
        self._observers = observers
        if self._dispatch is not None:
            self._dispatch.observe(observers)

    async def _converse(self) -> None:
        async with trio.open_nursery() as nursery:
            self._dispatch = dispatch = Dispatch(self.connection, self.transport, nursery)
            dispatch.observe(self._observers)
            self.transport.nursery = nursery
            try:
                with self._hearing:
                    await self._hear(dispatch)
            finally:
                if not self._hearing.cancelled_caught:
                    nursery.cancel_scope.cancel()
                await dispatch.end()

    async def _hear(self, dispatch: Dispatch) -> None:
        """Take requests until there are no more.

        An error that ends this is not raised into the nursery: it would be in a cycle with all that
        the tasks know, buffers and files, until the next garbage collection.
        """
        try:
            await self.transport.receive(dispatch.frame)
        except (ProtocolError, OSError) as error:
            self._lose(error)

    def _lose(self, error: BaseException) -> None:
        """Note why the connection ends."""
        if isinstance(error, HungUpError):
            self._why, self._level = str(error), logging.INFO
            self.transport.resets = error.reset
            self.transport.emit([error.last_words] if error.last_words else [])
        elif isinstance(error, ProtocolError):
            self._why = f"dropped: {error}"
            if error.last_words:
                self.transport.send([error.last_words])
                self.transport.flush()
        else:
            self._why = f"lost: {error}"
            self._level = logging.INFO  # clients go away without a word every day

    def settle(self) -> None:
        """Look after it once a second: give back memory, and wait for nothing for ever.

        No task of its own does so: each takes 2.6 KB.
        """
        self.transport.settle()
        now = trio.current_time()
        if self._unauthenticated and now >= self._login_by:
            self.end("dropped: no login in time")  # half-open connections are cheap to make
        elif self.transport.unfinished_since <= now - _LONGEST_FRAME:
            self.end("dropped: a frame that does not end")
        elif self.transport.is_abandoned:
            self._level = logging.INFO
            self.end("lost: hung up")
        else:
            self._look_for_idleness(now)

    def _look_for_idleness(self, now: float) -> None:
        """Drop a connection that says nothing and holds no file, or takes none of its replies."""
        idle = self._service.config.server.limits.idle_time
        if not idle:
            return
        if self.transport.stalled_since <= now - idle:
            self.end("dropped: takes no replies")
        elif self.transport.last_frame <= now - idle and not self.connection.handles:
            self.end("dropped: idle")

    def _logged_in(self) -> None:
        """The first login: the limits of unauthenticated clients end."""
        if self._unauthenticated:
            self._unauthenticated = False
            self._admission.unauthenticated -= 1
        connection, limits = self.connection, self._service.config.server.limits
        connection.window.maximum = limits.credits
        connection.memory.open(limits.memory)
        negotiated = connection.negotiated
        largest = max(negotiated.max_write, negotiated.max_transact)
        self.transport.admit(largest + _FRAME_OVERHEAD)

    async def finish(self, deadline: float) -> None:
        """Take no more requests; let those in work end, and their replies leave."""
        self._hearing.cancel()
        with trio.move_on_at(deadline):
            if self._dispatch is not None:
                await self._dispatch.finish()
            await self.transport.drain()

    async def end_session(self, session: Session, why: str) -> None:
        """End one login; the connection too, if it was the last one there."""
        user = session.user
        self.connection.tell(logging.WARNING, "ended", "%s: %s", user, why, user=user)
        await end_session(self._service, session)
        if not self.connection.channels:
            self._scope.cancel()

    async def _clean_up(self) -> None:
        """Close all that the client held: also that which a deletion waits for."""
        self._dispatch = None  # and with it the requests that it still knew
        self.transport.nursery = None
        self.connection.on_login = _nobody  # the way back to here: its memory is free at once
        with wall(f"{self.name}: hanging up"):
            self.transport.close()
        bindings = self.connection.bindings
        while bindings:
            bindings.popitem()[1].end()
        with wall(f"{self.name}: the loss of the connection"):
            await lose_connection(self._service, self.connection, preserve=self._preserve)
        self._admission.leave(self.connection.address, unauthenticated=self._unauthenticated)


def _nobody() -> None:
    """Nobody logs in any more."""


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """One exception of a group: a connection ends for one reason."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
