"""The server is found by raw messages on the loopback interface, and by another implementation."""

import contextlib
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from xml.etree import ElementTree as ET

import pytest
import trio

from tests.discovery.test_device import DISCOVERY, NAMES, message, probe
from tests.server.running import running

SHOWN = "name = 'SMBDTEST'\nworkgroup = 'TESTING'\nws_discovery = true"
GROUP = ("239.255.255.250", 3702)


class Client:
    """Windows' end: it sends to the group of the loopback interface, and waits for answers."""

    def __enter__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        here = struct.pack("@4s4si", b"\0" * 4, socket.inet_aton("127.0.0.1"), 1)
        self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        self.sock.settimeout(0.2)
        return self

    def __exit__(self, *_):
        self.sock.close()

    def asks(self, data, seconds, to=GROUP):
        """The answer; None if none comes in time."""
        self.sock.sendto(data, to)
        return self.hears(seconds)

    def hears(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                return self.sock.recvfrom(65536)
        return None

    def finds(self, probe_of):
        """Ask until there is an answer of SMBDTEST: the server may be about to open its sockets."""
        for number in range(40):
            answer = self.asks(probe_of(number), 1)
            if answer:
                return answer
        raise AssertionError("nobody answers")


def windows():
    """All that Windows asks, to show one computer: the steps are its own."""
    run = time.monotonic_ns()
    with Client() as client:
        data, sender = client.finds(lambda number: probe(number=f"{run}-{number}"))
        assert sender == ("127.0.0.1", 3702)
        found = ET.fromstring(data)
        identity = found.findtext(".//wsd:ProbeMatch//wsa:Address", namespaces=NAMES)

        body = (
            "<wsd:Resolve><wsa:EndpointReference>"
            f"<wsa:Address>{identity}</wsa:Address></wsa:EndpointReference></wsd:Resolve>"
        )
        asked = message(f"{DISCOVERY}/Resolve", body, number=f"{run}-r")
        while True:  # the answer to the Probe comes twice
            data, _ = client.asks(asked, 20)
            location = ET.fromstring(data).findtext(
                ".//wsd:ResolveMatch/wsd:XAddrs", namespaces=NAMES
            )
            if location:
                break
    return identity, location


def describes(location, body, **headers):
    kind = {"Content-Type": "application/soap+xml", **headers}
    request = urllib.request.Request(location, body, kind)
    with urllib.request.urlopen(request, timeout=10) as response:
        return ET.fromstring(response.read()).findtext(".//pub:Computer", namespaces=NAMES)


def refusal(location, body):
    with pytest.raises(urllib.error.HTTPError) as refused:
        describes(location, body)
    with refused.value:  # it holds the connection
        return refused.value.code


GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"


async def test_windows_finds_the_computer_its_name_and_its_workgroup(tmp_path):
    async with running(tmp_path, server=SHOWN):
        identity, location = await trio.to_thread.run_sync(windows)
        get = message(GET, "", to=identity)
        computer = await trio.to_thread.run_sync(describes, location, get)
        assert computer == "SMBDTEST/Workgroup:TESTING"
        again, _ = await trio.to_thread.run_sync(windows)
        assert again == identity

        for path, body, code in (
            (location, b"<x/>", 400),
            (location, message(GET, "", to="urn:uuid:other"), 400),
            (location[:-3] + "000", get, 404),
        ):
            assert await trio.to_thread.run_sync(refusal, path, body) == code


async def test_strange_datagrams_and_requests_leave_it_as_it_was(tmp_path):
    def strange():
        _, location = windows()
        with Client() as client:
            for data in (b"", b"\0" * 100, b"<" * 40000, probe()[:-20], b"<!DOCTYPE x>"):
                client.sock.sendto(data, GROUP)
                client.sock.sendto(data, ("127.0.0.1", 3702))
        host, port = location.split("/")[2].split(":")
        for sent in (b"", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000,
                     b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n"):  # fmt: skip
            with contextlib.suppress(ConnectionError):
                with socket.create_connection((host, int(port)), timeout=10) as sock:
                    sock.sendall(sent)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(4096):
                        pass
        return windows()

    async with running(tmp_path, server=SHOWN):
        assert await trio.to_thread.run_sync(strange)


def in_namespaces():
    """Whether this user may make network namespaces of its own, with addresses in them."""
    tried = subprocess.run(
        ["unshare", "-n", "sh", "-c", "ip link add name here type veth peer name there"],
        capture_output=True, check=False,
    )  # fmt: skip
    return tried.returncode == 0


# A second implementation (the package WSDiscovery), on another machine as far as it can tell.
FINDS = """
import sys, time
from wsdiscovery import QName
from wsdiscovery.discovery import ThreadedWSDiscovery
client = ThreadedWSDiscovery()
client.start()
computer = QName("http://schemas.microsoft.com/windows/pub/2005/07", "Computer")
for _ in range(10):
    found = client.searchServices(types=[computer], timeout=3)
    if found:
        break
for one in found:
    print(one.getEPR(), *one.getXAddrs())
client.stop()
"""
NETWORK = """
set -e
ip link set lo up
ip link add name here type veth peer name there
unshare -n sleep 100 & other=$!
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link set there netns $other
ip addr add 192.0.2.1/24 dev here
ip link set here up
there() { nsenter -t $other -n "$@"; }
there ip link set lo up
there ip addr add 192.0.2.2/24 dev there
there ip link set there up
there ip route add 224.0.0.0/4 dev there
"$PYTHON" -m smbd serve >/dev/null 2>log & server=$!
there "$PYTHON" -c "$FINDS" || { cat log; }
kill $server $other
wait $server
"""


@pytest.mark.skipif(not in_namespaces(), reason="needs root, unshare and ip")
def test_another_implementation_finds_it_over_a_link(tmp_path):
    pytest.importorskip("wsdiscovery")
    (tmp_path / "share").mkdir()
    (tmp_path / "shares.toml").write_text(
        f'[server]\nlisten = ["0.0.0.0:4450"]\n{SHOWN}\n'
        '[users.a]\npassword = "a"\n[shares.share]\npath = "share"\n'
    )
    done = subprocess.run(
        ["unshare", "-n", "bash", "-c", NETWORK],
        cwd=tmp_path, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path),
                           "PYTHON": sys.executable, "FINDS": FINDS},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    [found] = done.stdout.splitlines()
    identity, location = found.split()
    assert identity.startswith("urn:uuid:"), done.stderr
    assert location.startswith("http://192.0.2.1:5357/")
    assert "WS-Discovery: shown on 192.0.2.1" in (tmp_path / "log").read_text()
