"""FSCTL_QUERY_NETWORK_INTERFACE_INFO ([MS-SMB2] 3.3.5.15.11): where to further channels lead."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import unpack_from

import pytest

from smbd.config import Address, ServerConfig
from smbd.ntstatus import NtStatus
from smbd.server import interfaces
from smbd.testing import serve
from smbd.wire.fsctl import Fsctl
from tests.scripted import WINDOWS, clients, connected

ASK = Fsctl.QUERY_NETWORK_INTERFACE_INFO
NO_FILE = b"\xff" * 16
EVERYWHERE = (Address("0.0.0.0", 445), Address("::", 445))
LOOPBACK, LAN, LAN_6, LINK = "127.0.0.1", "192.0.2.7", "2001:db8::7", "fe80::7"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with a loopback, and a network card of 10 Gbit/s and four queues."""
    names = {1: "lo", 2: "eth0", 3: "eth1"}
    addresses = [(1, LOOPBACK), (1, "::1"), (2, LAN), (2, LAN_6), (2, LINK), (3, "198.51.100.7")]
    for name, speed, state in [("eth0", "10000", "up"), ("eth1", "-1", "down")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "speed").write_text(f"{speed}\n")
        (tmp_path / name / "operstate").write_text(f"{state}\n")
    for number in range(4):
        (tmp_path / f"eth0/queues/rx-{number}").mkdir(parents=True)
    monkeypatch.setattr(interfaces, "_CLASS", tmp_path)
    monkeypatch.setattr(interfaces, "_name_of", names.get)
    found = [(index, ip_address(address)) for index, address in addresses]
    monkeypatch.setattr(interfaces, "_addresses", lambda: iter(found))


def addresses(server=None, listen=EVERYWHERE):
    found = interfaces.told(server or ServerConfig(), listen)
    return [str(ip_address(one.address)) for one in found]


def test_clients_are_told_of_what_others_reach(machine):
    assert addresses() == [LAN, LAN_6]


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        (("0.0.0.0",), [LAN]),
        (("::",), [LAN_6]),
        ((LAN,), [LAN]),
        ((LOOPBACK,), []),
        (("203.0.113.1",), []),
    ],
)
def test_they_are_told_of_what_the_server_listens_on(machine, listen, told):
    assert addresses(listen=[Address(host, 445) for host in listen]) == told


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (("lo",), [LOOPBACK, "::1"]),
        ((LOOPBACK, LAN_6), [LOOPBACK, LAN_6]),
        (("eth0",), [LAN, LAN_6]),
        (("eth9",), []),
        ((), []),
    ],
)
def test_the_configuration_may_name_them(machine, named, told):
    assert addresses(ServerConfig(interfaces=named)) == told


def test_a_server_that_has_another_address_outside_tells_of_none_that_is_not_named(machine):
    outside = Address("files.lan", 445)
    assert addresses(ServerConfig(announce=outside)) == []
    assert addresses(ServerConfig(announce=outside, interfaces=(LAN,))) == [LAN]


def test_speed_and_queues_are_the_kernel_s(machine):
    card, *_ = interfaces.told(ServerConfig(), EVERYWHERE)
    assert (card.index, card.link_speed, card.capability) == (2, 10_000_000_000, 1)
    loopback, *_ = interfaces.told(ServerConfig(interfaces=("lo",)), EVERYWHERE)
    assert (loopback.index, loopback.link_speed, loopback.capability) == (1, 1_000_000_000, 0)


def test_this_machine_has_a_loopback():
    assert (1, IPv4Address(LOOPBACK)) in list(interfaces._addresses())


def test_a_message_of_the_kernel_s_may_be_cut_short():
    whole = bytes.fromhex(
        "02 08 80 fe 01 00 00 00  08 00 01 00 7f 00 00 01  08 00 02 00 7f 00 00 02"
    )
    assert list(interfaces._address(whole)) == [(1, IPv4Address("127.0.0.2"))]
    six = bytes.fromhex("0a 80 80 fe 01 00 00 00  14 00 01 00") + bytes(15) + b"\1"
    assert list(interfaces._address(six)) == [(1, IPv6Address("::1"))]
    assert list(interfaces._address(six[:2] + b"\x40" + six[3:])) == [], "nobody is reached there"
    for length in range(8, len(whole)):
        list(interfaces._address(whole[:length]))
    for damaged in (b"\1\0\0\0" * 4, b"\xff" * 24, b""):
        assert list(interfaces._messages(damaged)) == [] or damaged == b"\xff" * 24


# --- asked by a client ---


async def ask(client, file_id=NO_FILE, **how):
    return await client.ioctl(file_id, ASK, **how)


async def test_a_client_connects_to_what_it_is_told(tmp_path):
    async with serve(tmp_path, interfaces=["lo"]) as server, clients(server) as new_client:
        anna = new_client()
        first = await anna.connect()
        answer = await ask(first)
        assert answer.status == 0
        length = unpack_from("<I", answer.body, 36)[0]
        told = answer.body[48:]
        assert length == len(told) == 152
        last, index, capability, _, speed = unpack_from("<IIIIQ", told)
        assert (last, index, capability) == (0, 1, 0)
        assert speed > 0
        family, host = unpack_from("<H2x4s", told, 24)
        assert (family, host) == (2, b"\x7f\0\0\1")
        _, bound = await anna.bind(first.session)
        assert bound.status == 0


async def test_where_there_is_none_to_tell_of_the_client_does_not_ask_again(tmp_path):
    async with serve(tmp_path) as server, connected(server, WINDOWS) as client:
        await client.connect()
        assert (await ask(client)).status == NtStatus.NOT_SUPPORTED


@pytest.mark.parametrize("how", [{"dialects": (0x0210,)}, {"capabilities": 0}])
async def test_it_belongs_to_multichannel(tmp_path, how):
    async with (
        serve(tmp_path, interfaces=["lo"]) as server,
        connected(server, WINDOWS) as client,
    ):
        await client.connect(**how)
        assert (await ask(client)).status == NtStatus.NOT_SUPPORTED


async def test_what_is_asked_wrongly_is_refused_as_windows_does(tmp_path):
    async with (
        serve(tmp_path, interfaces=["lo"]) as server,
        connected(server, WINDOWS) as client,
    ):
        await client.connect()
        file_id = await client.open("file")
        assert (await ask(client, file_id)).status == NtStatus.INVALID_PARAMETER
        assert (await ask(client, data=b"input")).status == NtStatus.INVALID_PARAMETER
        assert (await ask(client, length=151)).status == NtStatus.BUFFER_TOO_SMALL
        await client.enter("IPC$")
        assert (await ask(client)).status == 0, "on IPC$ as well"


async def test_a_kernel_that_does_not_tell_is_no_error(tmp_path, monkeypatch):
    def refuse():
        raise PermissionError(1, "a container may not ask")

    monkeypatch.setattr(interfaces, "_addresses", refuse)
    async with (
        serve(tmp_path, interfaces=["lo"]) as server,
        connected(server, WINDOWS) as client,
    ):
        await client.connect()
        assert (await ask(client)).status == NtStatus.NOT_SUPPORTED
        assert await client.works()
