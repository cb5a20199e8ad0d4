"""The network interfaces that clients may open further channels to ([MS-SMB2] 3.3.5.15.11).

The kernel knows the addresses (rtnetlink(7)), and /sys/class/net what the interfaces can do.
"""

import socket
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from struct import Struct

from smbd.config import Address, ServerConfig
from smbd.wire.fsctl import InterfaceCapability, NetworkInterface

_MESSAGE = Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_OF_ADDRESS = Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ATTRIBUTE = Struct("=HH")  # rtattr: length, type
_ERROR, _DONE, _NEW_ADDRESS, _GET_ADDRESS = 2, 3, 20, 22
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_LENGTHS = {socket.AF_INET: 4, socket.AF_INET6: 16}  # bytes of an address
_TENTATIVE = 0x48  # IFA_F_TENTATIVE | IFA_F_DADFAILED: nobody can be reached there yet, or ever
_BUFFER = 65536
_CLASS = Path("/sys/class/net")
_DOWN = frozenset(("down", "lowerlayerdown", "notpresent"))
_USUAL_SPEED = 1_000_000_000  # bits a second, of what does not say: virtual ones


def told(server: ServerConfig, listen: Sequence[Address]) -> list[NetworkInterface]:
    """The interfaces that clients are told of.  Blocks; OSError.

    Those that the server listens on, less what only this machine or a single link can reach; or
    those that the configuration names.  Where clients reach the server by another address than it
    sees, they are told of none that it does not name.
    """
    if server.interfaces is None and server.announce is not None:
        return []
    found = []
    for index, address in _addresses():
        name = _name_of(index)
        if name and _listens(listen, address) and _is_wanted(server.interfaces, name, address):
            capability = InterfaceCapability.RSS if _has_queues(name) else 0
            found.append(NetworkInterface(index, capability, _speed_of(name), address.packed))
    return found


def listened(listen: Sequence[Address]) -> list[tuple[int, IPv4Address | IPv6Address]]:
    """The index of an interface that is up, and an address of it that the server listens on.

    Blocks; OSError.
    """
    return [
        (index, address)
        for index, address in _addresses()
        if _listens(listen, address) and _read(_name_of(index), "operstate") not in _DOWN
    ]


def _is_wanted(named: Sequence[str] | None, name: str, address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_link_local:
        return False  # without its scope it leads nowhere
    if named is not None:
        return name in named or str(address) in named
    if address.is_loopback or address.is_link_local:
        return False
    return _read(name, "operstate") not in _DOWN


def _listens(listen: Iterable[Address], address: IPv4Address | IPv6Address) -> bool:
    """Whether one of these is this address, or all of its kind; a name is none."""
    for one in listen:
        try:
            mine = ip_address(one.host.partition("%")[0])
        except ValueError:
            continue
        if mine == address or (mine.is_unspecified and mine.version == address.version):
            return True
    return False


def _name_of(index: int) -> str:
    """The name of an interface; "" if it has gone meanwhile."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


def _read(name: str, key: str) -> str:
    """What /sys says of an interface; "" if it says nothing."""
    try:
        return (_CLASS / name / key).read_text(encoding="ascii").strip()
    except OSError:  # EINVAL: it has no such thing
        return ""


def _speed_of(name: str) -> int:
    """Bits a second; one that is down says -1."""
    said = _read(name, "speed")
    return int(said) * 1_000_000 if said.isdecimal() and int(said) else _USUAL_SPEED


def _has_queues(name: str) -> bool:
    """Whether what comes in is spread over several processors (receive side scaling)."""
    return len(list((_CLASS / name / "queues").glob("rx-*"))) > 1


def _addresses() -> Iterator[tuple[int, IPv4Address | IPv6Address]]:
    """The index of an interface, and an address that it has."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asking:
        asking.settimeout(1)
        asking.send(
            _MESSAGE.pack(_MESSAGE.size + _OF_ADDRESS.size, _GET_ADDRESS, _DUMP, 1, 0)
            + _OF_ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        )
        while True:
            for kind, body in _messages(asking.recv(_BUFFER)):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    (code,) = Struct("=i").unpack_from(body)
                    raise OSError(-code, "the kernel does not tell the addresses")
                if kind == _NEW_ADDRESS:
                    yield from _address(body)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and the body of each message of a datagram."""
    at = 0
    while at + _MESSAGE.size <= len(data):
        length, kind, *_ = _MESSAGE.unpack_from(data, at)
        if length < _MESSAGE.size:
            return
        yield kind, data[at + _MESSAGE.size : at + length]
        at += length + -length % 4


def _address(body: bytes) -> Iterator[tuple[int, IPv4Address | IPv6Address]]:
    """The address of one RTM_NEWADDR: on a point-to-point link IFA_ADDRESS is the other end's."""
    family, _, flags, _, index = _OF_ADDRESS.unpack_from(body)
    if family not in _LENGTHS or flags & _TENTATIVE:
        return
    attributes = {}
    at = _OF_ADDRESS.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS) or b""
    if len(packed) == _LENGTHS[family]:
        yield index, ip_address(packed)
