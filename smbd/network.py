"""How many hosts an address can be: limits count networks, not addresses."""

from ipaddress import IPv6Address, IPv6Network, ip_address


def network_of(address: str) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 of an IPv6 host.

    "192.0.2.7", "2001:db8::/64".  A link-local address stays whole, since everybody on the link is
    in that /64; a text that is no address stays as it is.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.is_link_local or parsed.is_loopback:
        return str(parsed)
    return str(IPv6Network((parsed.packed, 64), strict=False))
