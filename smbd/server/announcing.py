"""Announces the server by mDNS, so that file managers show it without being told an address.

Optional: the package zeroconf does it, in a thread of its own; config refuses `mdns = true`
where it is missing.
"""

import logging
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

import trio

from smbd.config import Address
from smbd.events import about
from smbd.service import Blocking

if TYPE_CHECKING:
    from zeroconf import Zeroconf

_log = logging.getLogger("smbd")

_TYPE = "_smb._tcp.local."
# Finder's picture of the machine.  It is no service, hence has no port.
_PICTURE_TYPE = "_device-info._tcp.local."
_PICTURE = {"model": "RackMac"}


async def announce(name: str, addresses: Sequence[Address], blocking: Blocking) -> None:
    """Announce the server until this is cancelled, then take it back."""
    try:
        zeroconf = await blocking(_publish, name, addresses)
    except OSError as error:
        extra = about("announce failed")
        _log.warning("mDNS: nothing is announced: %s", error.strerror or error, extra=extra)
        return
    _log.info("mDNS: announced as %s", name, extra=about("announced"))
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await blocking(zeroconf.close)  # says goodbye first


def _publish(name: str, addresses: Sequence[Address]) -> "Zeroconf":
    """Ask whether the name is free, which takes most of a second, and announce it.  OSError."""
    from zeroconf import InterfaceChoice, ServiceInfo, Zeroconf  # noqa: PLC0415 -- optional

    port = addresses[0].port  # an announcement has one
    hosts = [address.host.partition("%")[0] for address in addresses if address.port == port]
    everywhere = any(ip_address(host).is_unspecified for host in hosts)
    zeroconf = Zeroconf(interfaces=InterfaceChoice.All if everywhere else hosts)
    try:
        service = ServiceInfo(
            _TYPE,
            f"{name}.{_TYPE}",
            port=port,
            parsed_addresses=_own_addresses() if everywhere else hosts,
            server=f"{name.lower()}.local.",
        )
        zeroconf.register_service(service, allow_name_change=True)
        found = service.name.removesuffix(_TYPE)  # another one may have had the name already
        picture = ServiceInfo(
            _PICTURE_TYPE, found + _PICTURE_TYPE, 0, properties=_PICTURE, server=service.server
        )
        zeroconf.register_service(picture)
    except BaseException:
        zeroconf.close()
        raise
    return zeroconf


def _own_addresses() -> list[str]:
    """This machine's addresses, as others may reach it."""
    from ifaddr import get_adapters  # noqa: PLC0415 -- comes with zeroconf

    found = [
        ip.ip if isinstance(ip.ip, str) else ip.ip[0] for one in get_adapters() for ip in one.ips
    ]
    return [address for address in found if not ip_address(address).is_loopback]
