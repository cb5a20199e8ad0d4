"""A running server: its connections, and the questions that it answers meanwhile."""

import json
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import trio

from smbd.config import Address, Config
from smbd.events import about
from smbd.faults import Fault, Faults, Rule
from smbd.injecting import Injector
from smbd.network import network_of
from smbd.observing import Observer
from smbd.server import accepting, control_faults, interfaces, reloading, status
from smbd.server.admission import Admission
from smbd.server.building import retire_share
from smbd.server.client_connection import ClientConnection
from smbd.server.flushing import flush
from smbd.server.listening import bound_address, set_options
from smbd.server.watching import Watching
from smbd.service import Service
from smbd.session import Session
from smbd.share import Share
from smbd.teardown import end_all_parked
from smbd.turns import Turn
from smbd.wall import behind_wall, wall
from smbd.wire.fsctl import NetworkInterface

_log = logging.getLogger("smbd")

# Requests in work and replies under way get this long; with the flush and the engines' own end it
# stays below the 10 s that a container is given.
_DRAIN_SECONDS = 5.0
_MOST_HEALTH_CHECKS = 16
_FAST = (None, None)
_ENDED_BY_HAND = "ended by tsmbd disconnect"


class Server:
    """A running server.  Its connections' tasks live in `connections`."""

    def __init__(
        self, service: Service, listeners: Sequence[socket.socket], connections: trio.Nursery
    ) -> None:
        self.service = service
        self.addresses = [bound_address(listener) for listener in listeners]
        self.metrics_addresses: list[Address] = []
        self._connections = connections
        self._accepting = trio.CancelScope()
        self._clients: set[ClientConnection] = set()
        self._admission = Admission(service.config.server.limits)
        self._reloading = trio.Lock()
        self._drained = False
        self._observers: tuple[Observer, ...] = ()
        self.takes_faults = False  # from `tsmbd fault`
        self._injector = Injector(service)
        service.faults.changed = self._faults_changed
        self._line: tuple[int | None, float | None] = _FAST
        self._health_checks: set[str] = set()  # addresses from which one is about to connect
        service.dispose = self._dispose
        service.interfaces = self._interfaces
        self.watching = Watching(service)

    def _dispose(self, share: Share) -> None:
        what = f"the end of share {share.name}"
        self._connections.start_soon(behind_wall, what, retire_share, share)

    def _interfaces(self) -> Sequence[NetworkInterface]:
        return interfaces.told(self.service.config.server, self.addresses)

    # --- connections ---

    async def accept(self, listeners: Iterable[socket.socket]) -> None:
        """Take connections from every listener until the server ends."""
        with self._accepting:
            async with trio.open_nursery() as nursery:
                for listener in listeners:
                    nursery.start_soon(accepting.accept, listener, self._welcome)

    def _welcome(self, sock: socket.socket, name: Sequence[Any]) -> None:
        address = Address(name[0], name[1])
        set_options(sock)
        refusal = self._admission.admit(address.host)
        if refusal:
            extra = about("refused", client=str(address))
            _log.warning("%s: refused: %s", address, refusal, extra=extra)
            sock.close()
            return
        client = ClientConnection(self.service, self._admission, sock, address)
        if str(address) in self._health_checks:
            self._health_checks.discard(str(address))
            client.connection.is_health_check = True
        self._clients.add(client)
        client.observe(self._observers)
        if self.faults.line != _FAST:
            client.pace(*self.faults.line)
        self._connections.start_soon(behind_wall, str(address), self._serve, client)

    async def _serve(self, client: ClientConnection) -> None:
        try:
            await client.serve()
        finally:
            self._clients.discard(client)

    def observe(self, observer: Observer) -> None:
        """Let an observer see all that goes through every connection, until `unobserve`.

        It comes next to the clients, before those that observe already.  Whoever observes turns
        the short ways of READs and WRITEs through C off.
        """
        self._have_observe((*self._observers, observer))

    def unobserve(self, observer: Observer) -> None:
        """Let it see nothing more; one that sees nothing already stays so."""
        self._have_observe(tuple(one for one in self._observers if one is not observer))

    def _have_observe(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers
        for client in self._clients:
            client.observe(observers)

    # --- faults ---

    @property
    def faults(self) -> Faults:
        """The rules by which requests go wrong."""
        return self.service.faults

    def fault(self, **said: Any) -> Fault:
        """Have something go wrong from now on, until `remove` or the end of its `with` block.

        The keys are those of smbd.faults.Rule; ValueError says which one is wrong.
        """
        return self.faults.add(Rule(**said))

    def use_faults(self, faults: Faults) -> None:
        """Have these go wrong, which may have been there before the server."""
        self.service.faults = faults
        self.takes_faults = True
        faults.changed = self._faults_changed
        self._faults_changed()

    def _faults_changed(self) -> None:
        """Observe for as long as there is any fault, next to the commands."""
        others = tuple(one for one in self._observers if not isinstance(one, Injector))
        if self.faults:
            self._have_observe((self._injector, *others))
        elif others != self._observers:
            self._have_observe(others)
            self._injector.forget()
        line = self.faults.line
        if line != self._line:
            self._line = line
            for client in self._clients:
                client.pace(*line)

    def settle(self) -> None:
        """Give back memory that was kept for reuse."""
        for client in self._clients:
            client.settle()
        self.service.buffers.settle()

    def memory_held(self) -> int:
        """Bytes that all clients make the server hold, and that it keeps for the next reply."""
        return self.service.buffers.kept + sum(client.memory_held for client in self._clients)

    # --- questions ---

    def document(self) -> dict[str, Any]:
        """The document that `tsmbd status` shows."""
        return status.document(self.service, self._admission, self.addresses)

    async def figures(self) -> dict[str, Any]:
        """The figures of the document, with counts of sessions and the like instead of lists."""
        sessions, turn = 0, Turn(self.service.turns)
        turn.begin()
        for one in list(self.service.sessions.values()):
            sessions += one.identity is not None
            await turn.pause()
        counted = status.figures(self.service, self._admission, self.addresses)
        files = self.service.tables.files
        return counted | {"sessions": sessions, "locks": files.locks, **files.caching.counts()}

    async def answer(self, question: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer to one question of the control socket, in pieces."""
        match question:
            case {"ask": "status"}:
                pieces = status.report(self.service, self._admission, self.addresses)
                async with aclosing(pieces):
                    async for piece in pieces:
                        yield piece
            case {"ask": "health", "client": str(client)}:
                if len(self._health_checks) >= _MOST_HEALTH_CHECKS:
                    self._health_checks.clear()  # of checks that never connected
                self._health_checks.add(client)
                yield b"{}"
            case {"ask": "disconnect", "who": str(who)}:
                yield json.dumps({"ended": await self.disconnect(who)}).encode()
            case {"ask": "fault"}:
                found = {"error": control_faults.REFUSAL}
                if self.takes_faults:
                    found = control_faults.answer(self.faults, question)
                yield json.dumps(found).encode()
            case _:
                yield b'{"error": "ask for status, health, disconnect or fault"}'

    async def disconnect(self, who: str) -> list[str]:
        """End the sessions of an id or a user, or the connections of an address; name each.

        The words are those that `tsmbd status` shows: "0x1f", "ann", "192.0.2.7", or
        "192.0.2.7:50000".  An IPv6 address stands for all of its host's, "2001:db8::/64".
        """
        ended = []
        async with trio.open_nursery() as nursery:  # the end of one may wait for a disk
            for client in self._clients:
                if who == client.name or network_of(who) == client.connection.network:
                    client.end(_ENDED_BY_HAND, preserve=False)
                    ended.append(f"the connection of {client.name}")
                    continue
                for session in status.logged_in(client):
                    user = session.owner.user if session.owner is not None else ""
                    if who.casefold() in {hex(session.session_id), user.casefold()}:
                        ended.append(f"{user} on {client.name}")
                        nursery.start_soon(self._end_session, client, session)
        parked = self.service.tables.durable.end_those_of(who)
        if parked:
            ended.append(f"{who}, for whom files were kept: {parked}")
        return ended

    async def _end_session(self, client: ClientConnection, session: Session) -> None:
        with wall(f"{client.name}: the end of a session"), trio.CancelScope(shield=True):
            await client.end_session(session, _ENDED_BY_HAND)

    async def reload(
        self, reread: Callable[[], Config], reloaded: Callable[[], None] | None = None
    ) -> bool:
        """Serve the configuration of `reread`, then call `reloaded`; False if that cannot be."""
        async with self._reloading:
            done = await reloading.reload(self.service, reread)
            self.watching.adjust()
            self._admission.limits = self.service.config.server.limits
            if done and reloaded is not None:
                reloaded()
        return done

    # --- the end ---

    async def drain(self, *, to_disk: bool = True) -> None:
        """Take nothing new, let requests in work end and their replies leave, flush, hang up.

        Without `to_disk` nothing is flushed: the data is in the page cache, where no end of the
        server's takes it from.  Once: a second call finds nothing to do.
        """
        if self._drained:
            return
        self._drained = True
        self._accepting.cancel()
        deadline = trio.current_time() + _DRAIN_SECONDS
        async with trio.open_nursery() as nursery:
            for client in self._clients:
                nursery.start_soon(behind_wall, f"{client.name}: the end", client.finish, deadline)
        if to_disk:
            with wall("flushing"):
                await flush(self.service)
        with wall("the end of parked opens"):
            await end_all_parked(self.service)
        for client in self._clients:
            client.end()
