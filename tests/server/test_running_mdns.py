"""The announcement by mDNS, heard by another on this machine alone."""

import sys

import pytest
import trio

from smbd.config import ConfigError, load
from tests.server.running import ONE_SHARE, running, write

zeroconf = pytest.importorskip("zeroconf")

TYPE = "_smb._tcp.local."
ANNOUNCED = "name = 'SMBDTEST'\nmdns = true"


def asked_about(name, of=TYPE):
    """What an mDNS client on the loopback interface hears of a server, if anything."""
    with zeroconf.Zeroconf(interfaces=["127.0.0.1"]) as client:
        return client.get_service_info(of, f"{name}.{of}", timeout=30_000)


async def test_the_server_is_found_with_its_port_and_gone_at_the_end(tmp_path, caplog):
    caplog.set_level("INFO", "smbd")
    async with running(tmp_path, server=ANNOUNCED) as server:
        found = await trio.to_thread.run_sync(asked_about, "SMBDTEST")
        assert found is not None
        assert found.port == server.port
        assert found.parsed_addresses() == ["127.0.0.1"]
        assert found.server == "smbdtest.local."
        with trio.fail_after(240):
            while "mDNS: announced as SMBDTEST" not in caplog.text:
                await trio.lowlevel.checkpoint()
        picture = await trio.to_thread.run_sync(asked_about, "SMBDTEST", "_device-info._tcp.local.")
        assert picture.properties == {b"model": b"RackMac"}, "the one that Finder shows"
    assert "announced" in [one.event for one in caplog.records]


async def test_where_it_cannot_be_announced_it_is_served_all_the_same(
    tmp_path, caplog, monkeypatch
):
    def failing(**_):
        raise OSError(19, "No such device")

    monkeypatch.setattr(zeroconf, "Zeroconf", failing)
    async with running(tmp_path, server=ANNOUNCED):
        with trio.fail_after(240):
            while "mDNS: nothing is announced: No such device" not in caplog.text:
                await trio.lowlevel.checkpoint()


def test_without_the_package_the_file_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    (tmp_path / "one").mkdir()
    write(tmp_path, ONE_SHARE, ANNOUNCED)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "shares.toml")
    assert str(refused.value) == (
        f"{tmp_path}/shares.toml:5: server.mdns: needs the Python package zeroconf: "
        "pip install 'smbd[mdns]'"
    )
