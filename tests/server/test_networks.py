"""Limits are of hosts: an IPv6 host has a whole /64 to come from."""

import socket

import pytest

import smbd.testing
from smbd.auth import LoginThrottle
from smbd.config import Limits
from smbd.network import network_of
from smbd.server.admission import Admission
from tests.scripted import connected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fe80::1", "fe80::1"),
        ("::1", "::1"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("ann", "ann"),
        ("", ""),
    ],
)
def test_the_network_of_an_address(address, network):
    assert network_of(address) == network


def test_all_addresses_of_one_host_share_its_connections():
    admission = Admission(Limits(connections_per_address=3))
    assert [admission.admit(f"2001:db8::{one}") for one in range(3)] == [""] * 3
    assert admission.admit("2001:db8::99") == "too many connections from this address"
    assert admission.admit("2001:db8:0:1::1") == ""
    admission.leave("2001:db8::1", unauthenticated=True)
    assert admission.admit("2001:db8::99") == ""
    for address in ("2001:db8::5", "2001:db8::6", "2001:db8::7", "2001:db8:0:1::1"):
        admission.leave(address, unauthenticated=True)
    assert not admission.by_network


def test_failures_of_all_addresses_of_one_host_are_one_host_s():
    throttle = LoginThrottle()
    for one in range(10):
        throttle.failed(f"2001:db8::{one:x}", 0.0)
    assert throttle.delay("2001:db8::abcd", 0.0) > 0
    assert throttle.delay("2001:db8:0:1::1", 0.0) == 0
    assert throttle.delay("fe80::1%eth0", 0.0) == 0


@pytest.mark.parametrize("who", ["127.0.0.1", "::ffff:127.0.0.1", "::FFFF:7f00:1"])
async def test_disconnect_takes_any_spelling_of_an_address(tmp_path, who):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        assert len(await server.server.disconnect(who)) == 1
        assert await client.hung_up()


async def test_a_client_without_power_is_given_up_within_a_minute(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        [served] = server.server._clients
        sock = served.transport._sock

        def option(number):
            return sock.getsockopt(socket.IPPROTO_TCP, number)

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        silence = option(socket.TCP_KEEPCNT) * option(socket.TCP_KEEPINTVL)
        assert option(socket.TCP_KEEPIDLE) + silence <= 55
        assert 0 < option(socket.TCP_USER_TIMEOUT) <= 55_000
