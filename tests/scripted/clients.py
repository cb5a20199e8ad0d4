"""Several clients, each with several connections.

One connection is enough for most tests: `connected(server)`.  With `clients(server)` a client is a
ClientGuid, and all its connections know its sessions.
"""

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import trio

from tests.scripted.connection import Connection
from tests.scripted.offer import PLAIN, WINDOWS
from tests.scripted.peer import SUCCESS


class Client:
    """Its connections in the order in which they were made; `server` has a host and a port."""

    def __init__(self, server, offer, closing):
        self.server = server
        self.offer = offer
        self.sessions = {}
        self.connections = []
        self._closing = closing

    async def connection(self):
        """One more; nothing is said yet."""
        stream = await trio.open_tcp_stream(self.server.host, self.server.port)
        await self._closing.enter_async_context(stream)
        self.connections.append(Connection(stream, self.offer, self.sessions))
        return self.connections[-1]

    async def connect(self, share="share", user="test", password="test", **negotiated):
        """One more, all the way to a share in a session of its own."""
        connection = await self.connection()
        await connection.connect(share, user, password, **negotiated)
        return connection

    async def bind(self, session, user="test", password="test", **negotiated):
        """One more and a session on it ([MS-SMB2] 3.2.4.2.3.2): (connection, last response)."""
        connection = await self.connection()
        assert (await connection.negotiate(**negotiated)).status == SUCCESS
        return connection, await connection.log_in(user, password, binding=session)

    async def lose(self, connection):
        """Its TCP connection breaks off."""
        self.connections.remove(connection)
        await trio.aclose_forcefully(connection.stream)

    async def notification(self):
        """The next one, on whichever connection it comes: (connection, notification)."""
        async with trio.open_nursery() as nursery:

            async def listen(connection):
                await connection.notified()
                nursery.cancel_scope.cancel()

            for connection in self.connections:
                nursery.start_soon(listen, connection)
        told = next(one for one in self.connections if one.notifications)
        return told, told.notifications.pop(0)


class Clients:
    """Makes them; each call is another client."""

    def __init__(self, server, closing):
        self._server = server
        self._closing = closing
        self._made = 0

    def __call__(self, offer=WINDOWS, *, guid=None, server=None):
        self._made += 1
        guid = guid or b"client no. %05d" % self._made
        return Client(server or self._server, replace(offer, guid=guid), self._closing)


@asynccontextmanager
async def clients(server):
    """A `Clients` of a server; at the end all their connections close."""
    async with AsyncExitStack() as closing:
        yield Clients(server, closing)


@asynccontextmanager
async def connected(server, offer=PLAIN):
    """One connection of a client that has no other."""
    async with await trio.open_tcp_stream(server.host, server.port) as stream:
        yield Connection(stream, offer)
