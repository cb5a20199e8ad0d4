"""A client as [MS-SMB2] 3.3.1.11 has it, by its ClientGuid, and how it is told of breaks."""

from dataclasses import dataclass, field
from typing import Protocol

from smbd.ntstatus import NtError, NtStatus
from smbd.state.caching import Break, Caching


class Channel(Protocol):
    """A connection that a break can be told over."""

    def tell_break(self, notification: Break) -> None:
        """Send it."""


@dataclass(slots=True, eq=False)
class Channels:
    """The connections of a client or a session, the oldest first, and what was told over them.

    A break that a client has not acknowledged when its connection ends may never have arrived:
    it is told again over the next one.
    """

    _channels: dict[Channel, None] = field(default_factory=dict)
    _told: dict[Caching, Channel] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._channels)

    def join(self, channel: Channel) -> None:
        """One more connection."""
        self._channels[channel] = None

    def tell(self, notification: Break) -> bool:
        """Send it over the oldest connection; False if there is none."""
        for channel in self._channels:
            if notification.needs_acknowledgment:
                self._told[notification.caching] = channel
            channel.tell_break(notification)
            return True
        return False

    def lost(self, channel: Channel) -> None:
        """A connection has ended."""
        self._channels.pop(channel, None)
        for caching in [one for one, over in self._told.items() if over is channel]:
            if not self.tell(caching.notification):
                caching.give_way()

    def settled(self, caching: Caching) -> None:
        """No acknowledgment is due any more."""
        self._told.pop(caching, None)

    def ended(self, caching: Caching) -> None:
        """Its last open is closed."""


@dataclass(slots=True, eq=False)
class Client(Channels):
    """One ClientGuid: its connections, and its leases by their keys (LeaseTable)."""

    guid: bytes = bytes(16)
    leases: dict[bytes, Caching] = field(default_factory=dict)

    def ended(self, caching: Caching) -> None:
        """The last open with a lease key is closed."""
        self.leases.pop(caching.key, None)

    def lease(self, key: bytes) -> Caching:
        """The lease that an acknowledgment means; OBJECT_NAME_NOT_FOUND if there is none."""
        lease = self.leases.get(key)
        if lease is None:
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
        return lease
