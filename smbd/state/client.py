"""A client as [MS-SMB2] 3.3.1.11 has it, by its ClientGuid, and how it is told of breaks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from smbd.memory import CACHING, Account, Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.state.caching import Break, Caching, Owner, Teller, only_looks
from smbd.state.cachings import Cachings
from smbd.wire.create_contexts import Lease


class Listener(Protocol):
    """A connection that a break can be told over."""

    def tell_break(self, notification: Break) -> None:
        """Send it."""


@dataclass(slots=True, eq=False)
class Listeners:
    """The connections of a client or a session, the oldest first, and the breaks sent over them.

    A break that a client has not acknowledged when its connection ends may never have arrived:
    it is told again over the next one.
    """

    leases: dict[bytes, Caching] = field(default_factory=dict)  # of a client; a session has none
    _listeners: dict[Listener, None] = field(default_factory=dict)
    _told: dict[Caching, Listener] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Add a connection, behind those that there are."""
        self._listeners[listener] = None

    def tell(self, notification: Break) -> bool:
        """Send it over the oldest connection; False if there is none."""
        for listener in self._listeners:
            if notification.needs_acknowledgment:
                self._told[notification.caching] = listener
            listener.tell_break(notification)
            return True
        return False

    def lost(self, listener: Listener) -> Iterator[None]:
        """A connection has ended.

        What was told over it is told again, or given up, one with each step: it may be thousands.
        """
        self._listeners.pop(listener, None)
        for caching in [one for one, over in self._told.items() if over is listener]:
            # Acknowledged meanwhile, it is told no more.
            if self._told.get(caching) is listener and not self.tell(caching.notification):
                caching.give_way()
            yield

    def settled(self, caching: Caching) -> None:
        """Forget the break of a caching: no acknowledgment is due any more."""
        self._told.pop(caching, None)

    def ended(self, caching: Caching) -> None:
        """An oplock has ended; a session keeps no table of them."""


@dataclass(slots=True, eq=False)
class Client(Listeners):
    """One ClientGuid: its connections, and its leases by their keys (LeaseTable)."""

    guid: bytes = bytes(16)
    forget: Callable[[], None] = lambda: None  # takes it out of the table

    def lost(self, listener: Listener) -> Iterator[None]:
        """A connection has ended."""
        yield from Listeners.lost(self, listener)
        self._forget_if_idle()

    def ended(self, caching: Caching) -> None:
        """Forget a lease whose last open is closed."""
        self.leases.pop(caching.key, None)
        self._forget_if_idle()

    def _forget_if_idle(self) -> None:
        if not (len(self) or self.leases):
            self.forget()

    def is_heir_of(self, caching: Caching) -> bool:
        """Whether a lease may go on as one of this client's.

        Clients are told apart by who logged in first on a connection: of several users of one
        machine it may be another one after the connection was lost.
        """
        before = caching.teller
        if before is self:
            return True
        same = isinstance(before, Client) and any(self.guid) and before.guid == self.guid
        return same and caching.key not in self.leases

    def inherit(self, caching: Caching) -> None:
        """A lease is this client's from now on."""
        before = caching.teller
        if before is not self:
            before.settled(caching)
            before.ended(caching)
            caching.teller = self
            self.leases[caching.key] = caching

    def lease(self, key: bytes) -> Caching:
        """The lease that an acknowledgment means; OBJECT_NAME_NOT_FOUND if there is none."""
        lease = self.leases.get(key)
        if lease is None:
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
        return lease


class Caches(Protocol):
    """The holder of the Open: a part of smbd.state.holder."""

    @property
    def account(self) -> Account:
        """The memory account that leases and oplocks count for."""

    @property
    def teller(self) -> Teller:
        """Tells the client of the session that an oplock is broken."""


@dataclass(slots=True)
class WantedCaching:
    """What a CREATE would like to cache: by a lease of its client's, or by an oplock of its own."""

    client: Client | None = None
    lease: Lease | None = None
    oplock: int = 0
    allocation: int = 0  # AllocationSize of the file: locks beyond it hinder nothing
    directory: bool = False
    made: bool = False  # the file is new

    @property
    def asks(self) -> bool:
        """Whether there is anything that it would like."""
        return self.lease is not None or bool(self.oplock)

    def own(self, file: Cachings | None) -> Caching | None:
        """The lease that this file has by the same key.

        INVALID_PARAMETER if another file has it ([MS-SMB2] 3.3.5.9.8).
        """
        if self.client is None or self.lease is None:
            return None
        own = self.client.leases.get(self.lease.key)
        if own is not None and own.file is not file:
            raise NtError(NtStatus.INVALID_PARAMETER)
        return own

    def granted(
        self, file: Cachings, open_: Owner, holder: Caches, access: int, *, locked: bool
    ) -> Caching | None:
        """What it gets, once there is nothing more to wait for.

        An open of what was there before that only looks at it gets no oplock.
        """
        own = self.own(file)
        if own is None and not holder.account.has_room(CACHING):
            return None
        if self.lease is not None and self.client is not None:
            caching = file.lease(
                self.client, own, self.lease, directory=self.directory, locked=locked
            )
            self.client.leases[self.lease.key] = caching
        elif self.oplock and (self.made or not only_looks(access)) and not self.directory:
            oplock = file.oplock(holder.teller, open_, self.oplock, locked=locked)
            if oplock is None:
                return None
            caching = oplock
        else:
            return None
        if caching is not own:
            caching.memory = Holding(holder.account, CACHING)
        return caching


@dataclass(slots=True)
class ClientTable:
    """GlobalClientTable: the clients that have connections, or leases.

    Two users that say the same ClientGuid are two clients: a client that names another's must not
    get the breaks of its leases, nor acknowledge them.  `user` logged in first on a connection.
    """

    _clients: dict[tuple[bytes, str], Client] = field(default_factory=dict)

    def join(self, guid: bytes, user: str, listener: Listener) -> Client:
        """The client that has one more connection.  One without a ClientGuid has no other."""
        client = self.known(guid, user)
        client.join(listener)
        return client

    def known(self, guid: bytes, user: str) -> Client:
        """The client that a user's ClientGuid means; it is forgotten when it has nothing more."""
        key = guid, user
        client = self._clients.get(key)
        if client is None:
            client = Client(guid=guid)
            if any(guid):
                self._clients[key] = client
                client.forget = lambda: self._forget(key)
        return client

    def _forget(self, key: tuple[bytes, str]) -> None:
        self._clients.pop(key, None)
