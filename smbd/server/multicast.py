"""The sockets of WS-Discovery on one address of this machine: UDP to and from its link."""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Any, Self

PORT = 3702
_GROUPS = {4: "239.255.255.250", 6: "ff02::c"}  # of this link alone
_MREQN = Struct("@4s4si")  # ip_mreqn: group, address, interface
_MREQ6 = Struct("@16sI")  # ipv6_mreq: group, interface
# Only from the groups that this socket has joined: linux/in.h, linux/in6.h.
_IP_MULTICAST_ALL, _IPV6_MULTICAST_ALL = 49, 29


@dataclass(frozen=True, slots=True)
class Place:
    """An address and the interface that it is of."""

    address: IPv4Address | IPv6Address
    index: int

    @property
    def host(self) -> str:
        """The address as a URL has it: without the zone, which others name otherwise."""
        return f"[{self.address}]" if self.address.version == 6 else str(self.address)

    def at(self, host: str, port: int) -> tuple[Any, ...]:
        """The socket address of a port on this link."""
        if self.address.version == 4:
            return (host, port)
        return (host, port, 0, self.index if host.startswith("fe80") or host in _LINK else 0)

    @property
    def here(self) -> tuple[Any, ...]:
        """The socket address of PORT at this address."""
        return self.at(str(self.address), PORT)

    @property
    def group(self) -> tuple[Any, ...]:
        """The socket address of all who listen on this link."""
        return self.at(_GROUPS[self.address.version], PORT)

    @property
    def family(self) -> socket.AddressFamily:
        """Of its sockets."""
        return socket.AF_INET if self.address.version == 4 else socket.AF_INET6


_LINK = frozenset(_GROUPS.values())


class Sockets:
    """Two for one place: what is sent to the group, and what is sent to the address and from it.

    Others on this machine may have the port too.
    """

    def __init__(self, place: Place) -> None:
        """OSError if the address or its link cannot have them."""
        self.place = place
        self.group = socket.socket(place.family, socket.SOCK_DGRAM)
        self.own = socket.socket(place.family, socket.SOCK_DGRAM)
        try:
            for sock, name in ((self.group, place.group), (self.own, place.here)):
                sock.settimeout(0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if place.family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind(name)
            self._join()
        except OSError:
            self.close()
            raise

    def _join(self) -> None:
        """Hear the group on this link, and send to it there, no further than the link."""
        place = self.place
        group = socket.inet_pton(place.family, _GROUPS[place.address.version])
        if place.family == socket.AF_INET:
            level, all_ = socket.IPPROTO_IP, _IP_MULTICAST_ALL
            joined = _MREQN.pack(group, place.address.packed, place.index)
            self.group.setsockopt(level, socket.IP_ADD_MEMBERSHIP, joined)
            self.own.setsockopt(level, socket.IP_MULTICAST_IF, joined)
            self.own.setsockopt(level, socket.IP_MULTICAST_TTL, 1)
        else:
            level, all_ = socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL
            joined = _MREQ6.pack(group, place.index)
            self.group.setsockopt(level, socket.IPV6_JOIN_GROUP, joined)
            self.own.setsockopt(level, socket.IPV6_MULTICAST_IF, place.index)
            self.own.setsockopt(level, socket.IPV6_MULTICAST_HOPS, 1)
        self.group.setsockopt(level, all_, 0)

    def close(self) -> None:
        """Leave."""
        self.group.close()
        self.own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
