"""64 MiB there and back, with each client, signed, sealed and bare; the checksums agree."""

import hashlib
import os

import pytest

from smbd.testing import serve_in_thread
from tests.server.clients import ImpacketClient, PypiClient, SambaClient

SIZE = 64 << 20


@pytest.fixture(scope="module")
def data():
    return os.urandom(SIZE)  # no two blocks alike: one in the wrong place would show


def checksum(data):
    return hashlib.blake2b(data).hexdigest()


@pytest.mark.parametrize(
    ("connect", "how"),
    [
        pytest.param(SambaClient, {"dialect": "3.0"}, id="smbclient-cmac"),
        pytest.param(SambaClient, {}, id="smbclient-gmac"),
        pytest.param(SambaClient, {"protection": "encrypt"}, id="smbclient-sealed"),
        pytest.param(ImpacketClient, {"dialect": "2.1"}, id="impacket-hmac"),
        pytest.param(PypiClient, {}, id="smbprotocol-gmac"),
        pytest.param(PypiClient, {"encrypt": True}, id="smbprotocol-sealed"),
    ],
)
def test_64_mib_there_and_back(folder, server, data, connect, how):
    with connect(server, **how) as client:
        client.put("large", data)
        assert checksum((folder / "large").read_bytes()) == checksum(data)
        assert checksum(client.get("large")) == checksum(data)


def test_64_mib_without_a_signature(folder, data):
    with serve_in_thread(folder, signing="enabled") as server:
        with SambaClient(server, "2.1", protection="off") as client:
            client.put("large", data)
            assert checksum((folder / "large").read_bytes()) == checksum(data)
            assert checksum(client.get("large")) == checksum(data)


def test_64_mib_to_impacket_sealed(folder, server, data):
    """Only this way: what it sends it signs as well, in Python, a second for each mebibyte."""
    (folder / "large").write_bytes(data)
    with ImpacketClient(server) as client:
        assert checksum(client.get("large")) == checksum(data)
