"""Several addresses: one server listens on all of them."""

import socket

import pytest
import trio

from smbd.config import Address, Config, ServerConfig, ShareConfig, UserConfig
from smbd.server import serving
from tests.scripted import Connection


@pytest.mark.parametrize(
    "hosts", [("127.0.0.1", "::1"), ("0.0.0.0", "::"), ("127.0.0.1", "127.0.0.2")]
)
async def test_clients_of_every_address_are_served(tmp_path, hosts):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    config = Config(
        ServerConfig(listen=tuple(Address(host, 0) for host in hosts)),
        (UserConfig("test", "test"),),
        (ShareConfig("share", tmp_path),),
    )
    async with serving(config) as server:
        for address in server.addresses:
            async with await trio.open_tcp_stream(address.host, address.port) as stream:
                client = Connection(stream)
                await client.connect()
                assert await client.works()
        assert len(server.addresses) == 2
