"""Packets as pcap files have them: TCP over IP, made of the frames of a connection.

The kernel's own packets are not seen here: handshake, numbers and sizes are made up, as one that
reads streams expects them.  Libraries that write pcap files (scapy, dpkt) are larger than this.
"""

import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct

_FILE = Struct("<IHHiIII")  # magic, version (2), zone, accuracy, longest packet, link type
_PACKET = Struct("<IIII")  # seconds, nanoseconds, captured, original
_NANOSECONDS = 0xA1B23C4D
_RAW_IP = 101  # LINKTYPE_RAW: IPv4 or IPv6, as its first byte says
_LONGEST = 262_144
FILE_HEADER = _FILE.pack(_NANOSECONDS, 2, 4, 0, 0, _LONGEST, _RAW_IP)

_IPV4 = Struct(">BBHHHBBH4s4s")
_IPV6 = Struct(">IHBB16s16s")
_TCP = Struct(">HHIIBBHHH")
_TCP_PROTOCOL, _HOPS = 6, 64
_FIN, _SYN, _PUSH, _ACK = 0x01, 0x02, 0x08, 0x10
_SEGMENT = 60_000  # of one packet: an IP packet has 64 KiB at most
_MODULUS = 1 << 32
SMB_PORT = 445  # the server's, whatever it is: the one that Wireshark takes for SMB


def _like(client: str, server: str) -> IPv4Address | IPv6Address:
    """The server's address, if the client can have reached it by that; else the client's own."""
    mine = ip_address(client)
    try:
        found = ip_address(server.partition("%")[0])
    except ValueError:
        return mine
    return found if found.version == mine.version else mine


class Stream:
    """One TCP connection."""

    def __init__(self, client: str, port: int, server: str) -> None:
        """The client's address and port; the server's address, or a name, which stands for none."""
        self._ends = (ip_address(client), port), (_like(client, server), SMB_PORT)
        self._next = [0, 0]  # sequence numbers: the client's, the server's

    def opened(self) -> bytes:
        """The handshake."""
        packets = self._packet(0, _SYN, b"")
        self._next[0] = 1
        packets += self._packet(1, _SYN | _ACK, b"")
        self._next[1] = 1
        return packets + self._packet(0, _ACK, b"")

    def sent(self, data: bytes, *, by_server: bool) -> bytes:
        """The packets that carry some data."""
        packets = b""
        for at in range(0, len(data), _SEGMENT):
            piece = data[at : at + _SEGMENT]
            packets += self._packet(by_server, _PUSH | _ACK, piece)
            self._next[by_server] = (self._next[by_server] + len(piece)) % _MODULUS
        return packets

    def closed(self) -> bytes:
        """The end, from the server."""
        return self._packet(1, _FIN | _ACK, b"")

    def _packet(self, by: int, flags: int, data: bytes) -> bytes:
        (source, from_port), (target, to_port) = self._ends[by], self._ends[not by]
        acknowledged = self._next[not by] if flags & _ACK else 0
        numbers = self._next[by], acknowledged
        segment = _TCP.pack(from_port, to_port, *numbers, 5 << 4, flags, 0xFFFF, 0, 0) + data
        if source.version == 4:
            head = _IPV4.pack(
                0x45, 0, 20 + len(segment), 0, 0, _HOPS, _TCP_PROTOCOL, 0,
                source.packed, target.packed,
            )  # fmt: skip
        else:
            head = _IPV6.pack(
                6 << 28, len(segment), _TCP_PROTOCOL, _HOPS, source.packed, target.packed
            )
        packet = head + segment
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        return _PACKET.pack(seconds, nanoseconds, len(packet), len(packet)) + packet
