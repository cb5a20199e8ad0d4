"""WS-Discovery: the server shows itself to Windows' network folder, on each link that it serves.

Windows asks by multicast for computers, and each one that answers for its description, by HTTP.  It
then opens \\\\NAME, hence port 445: a server on another port is shown, and cannot be opened so.
"""

import logging
import random
import socket
import time
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from uuid import NAMESPACE_DNS, UUID, getnode, uuid5

import trio

from smbd import __version__
from smbd.config import Address, ServerConfig
from smbd.discovery import Device
from smbd.discovery.soap import LONGEST
from smbd.events import about
from smbd.server.accepting import talk_to_each
from smbd.server.interfaces import listened
from smbd.server.multicast import Place, Sockets
from smbd.service import Blocking
from smbd.wall import behind_wall

_log = logging.getLogger("smbd")

_HTTP_PORT = 5357  # Windows' own; where another program has it any other will do
_LOOK_EVERY = 10.0  # seconds: interfaces come and go
# SOAP-over-UDP, appendix I: each message several times, the first pause by chance.
_MULTICAST, _UNICAST = 4, 2
_PAUSE, _LONGEST_PAUSE = (0.05, 0.25), 0.5
_PROBE_DELAY = 0.1  # seconds at most, by chance: not all computers answer at once
# Anybody may send a Probe with somebody else's address: so many answers are on their way at most.
_MOST_ANSWERS = 16
_MOST_ASKING = 16
_PATIENCE = 5.0  # seconds, for a request by HTTP and its answer
_LONGEST_HEAD = 8192


async def show(server: ServerConfig, listen: Sequence[Address], blocking: Blocking) -> None:
    """Show the server until this is cancelled, then say goodbye."""
    device = Device(
        _identity(server.name, listen[0].port),
        server.name,
        server.workgroup,
        started=int(time.time()),
        serial=__version__,
    )
    shown: dict[Place, trio.CancelScope] = {}
    async with trio.open_nursery() as nursery:

        def add(place: Place) -> None:
            shown[place] = scope = trio.CancelScope()
            nursery.start_soon(behind_wall, "WS-Discovery", _show_at, device, place, scope)

        while True:
            places = await blocking(_places, listen)
            for place in shown.keys() - places:
                shown.pop(place).cancel()
            for place in places - shown.keys():
                add(place)
            await trio.sleep(_LOOK_EVERY)


def _identity(name: str, port: int) -> UUID:
    """The same for one server at every start: Windows would show it twice otherwise."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        machine = f"{getnode():x}"
    return uuid5(NAMESPACE_DNS, f"{machine}.{name}.{port}.smbd")


def _places(listen: Sequence[Address]) -> set[Place]:
    """Where others on a link find the server: by IPv4, and by IPv6's addresses of the link."""
    named = any(not ip_address(one.host.partition("%")[0]).is_unspecified for one in listen)
    found = set()
    for index, address in listened(listen):
        if address.is_loopback and not named:
            continue  # nobody else is there
        if isinstance(address, IPv6Address) and not (address.is_link_local or address.is_loopback):
            continue  # the link is enough
        found.add(Place(address, index))
    return found


async def _show_at(device: Device, place: Place, scope: trio.CancelScope) -> None:
    with scope:
        try:
            sockets, listener = _open(place)
        except OSError as error:
            extra = about("announce failed")
            _log.warning(
                "WS-Discovery: nothing is shown on %s: %s",
                place.address,
                error.strerror,
                extra=extra,
            )
            return
        with listener, sockets:
            location = f"http://{place.host}:{listener.getsockname()[1]}{device.path}"
            _log.info("WS-Discovery: shown on %s", place.address, extra=about("announced"))
            try:
                async with trio.open_nursery() as nursery:
                    group, hello = place.group, device.hello(location)
                    nursery.start_soon(_send, sockets.own, hello, group, _MULTICAST)
                    for sock in (sockets.group, sockets.own):
                        nursery.start_soon(_answer, sock, sockets.own, device, location)
                    talk, what = partial(_talk, device), "the answer of WS-Discovery"
                    nursery.start_soon(talk_to_each, what, listener, talk, _MOST_ASKING)
            finally:
                _try_send(sockets.own, device.bye(), place.group)


def _open(place: Place) -> tuple[Sockets, socket.socket]:
    sockets = Sockets(place)
    try:
        return sockets, _listen(place)
    except OSError:
        sockets.close()
        raise


def _listen(place: Place) -> socket.socket:
    for port in (_HTTP_PORT, 0):
        sock = socket.socket(place.family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(place.at(str(place.address), port))
            sock.listen()
        except OSError:
            sock.close()
            if not port:
                raise
        else:
            sock.settimeout(0)
            return sock
    raise AssertionError("the second of them returns or raises")


# --- by UDP ---


async def _answer(sock: socket.socket, own: socket.socket, device: Device, location: str) -> None:
    """Answer what comes to one socket, by the other: answers come from its address and port."""
    async with trio.open_nursery() as nursery:
        while True:
            await trio.lowlevel.wait_readable(sock)
            try:
                datagram, sender = sock.recvfrom(LONGEST + 1)
            except OSError:
                # An ICMP message to one of our answers, or another reader was quicker.
                await trio.lowlevel.checkpoint()
                continue
            if len(nursery.child_tasks) >= _MOST_ANSWERS:
                continue
            answer = device.answer(datagram, location)
            if answer is not None:
                nursery.start_soon(_send_later, own, answer, sender)


async def _send_later(sock: socket.socket, message: bytes, to: tuple[object, ...]) -> None:
    await trio.sleep(random.uniform(0, _PROBE_DELAY))  # noqa: S311 -- no secret
    await _send(sock, message, to, _UNICAST)


async def _send(sock: socket.socket, message: bytes, to: tuple[object, ...], times: int) -> None:
    pause = random.uniform(*_PAUSE)  # noqa: S311 -- no secret
    for _ in range(times - 1):
        _try_send(sock, message, to)
        await trio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    _try_send(sock, message, to)


def _try_send(sock: socket.socket, message: bytes, to: tuple[object, ...]) -> None:
    try:
        sock.sendto(message, to)
    except OSError as error:
        # The link may be down, or the queue be full: a datagram may always be lost.
        _log.debug("WS-Discovery: %s: %s", to[0], error.strerror)


# --- by HTTP ---


async def _talk(device: Device, stream: trio.SocketStream) -> None:
    """Answer the one request that there is, a POST of a Get."""
    with trio.move_on_after(_PATIENCE):
        try:
            await stream.send_all(_response(device, *await _request(stream)))
            await stream.send_eof()
            while await stream.receive_some():  # or it would be reset, and the answer lost
                pass
        except trio.BrokenResourceError:
            pass  # went away without waiting for the answer


def _response(device: Device, line: str, body: bytes) -> bytes:
    described = None
    match line.split(" "):
        case ["POST", path, _] if path == device.path:
            described = device.describe(body)
            status = "400 Bad Request" if described is None else "200 OK"
        case ["POST", _, _]:
            status = "404 Not Found"
        case _:
            status = "405 Method Not Allowed\r\nAllow: POST"
    content = described or b""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/soap+xml; charset=utf-8\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


async def _request(stream: trio.SocketStream) -> tuple[str, bytes]:
    """The request's first line and its body; both are short, or cut."""
    received = bytearray()
    while b"\r\n\r\n" not in received and len(received) <= _LONGEST_HEAD:
        chunk = await stream.receive_some()
        if not chunk:
            break
        received += chunk
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (one.partition(":") for one in fields)
    }
    said = headers.get("content-length", "")
    length = min(int(said), LONGEST + 1) if said.isdecimal() and len(said) < 9 else 0
    if headers.get("expect", "").lower() == "100-continue" and len(body) < length:
        await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < length:
        chunk = await stream.receive_some()
        if not chunk:
            break
        body += chunk
    return line, body[:length]
