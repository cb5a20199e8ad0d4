"""A capture is what Wireshark would have seen, with the keys to open what is sealed."""

import io
import shutil
import subprocess

import dpkt
import pytest
from impacket.smbconnection import SMBConnection

from smbd import testing
from smbd.crypto import Sealer
from smbd.crypto.sealing import AES_128_CCM


def visit(server, *, sealed=False):
    client = SMBConnection(server.host, server.host, sess_port=server.port, timeout=20)
    client.login(server.user, server.password)
    if sealed:
        assert client._SMBConnection._Session["SessionFlags"] & 4
    content = io.BytesIO()
    client.getFile(server.share, "big.bin", content.write)
    client.close()
    return content.getvalue()


def streams(path):
    """The bytes that went each way, by the ports of the connection."""
    found = {}
    with path.open("rb") as file:
        for _, data in dpkt.pcap.Reader(file):
            packet = dpkt.ip.IP(data) if data[0] >> 4 == 4 else dpkt.ip6.IP6(data)
            segment = packet.data
            stream = found.setdefault((segment.sport, segment.dport), [None, bytearray()])
            if segment.flags & dpkt.tcp.TH_SYN:
                stream[0] = segment.seq + 1
                continue
            assert segment.seq == stream[0], "no byte is missing, and none comes twice"
            stream[1] += segment.data
            stream[0] += len(segment.data)
    return {ports: bytes(data) for ports, (_, data) in found.items()}


def frames(data):
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "big.bin").write_bytes(bytes(range(256)) * 800)
    return tmp_path


@pytest.mark.parametrize("listen", ["127.0.0.1", "::1"])
def test_each_way_of_a_connection_is_whole(folder, listen):
    with testing.serve_in_thread(folder / "share", listen=listen, max_dialect="2.1") as server:
        with server.capture(folder / "x.pcap"):
            assert visit(server) == bytes(range(256)) * 800
        visit(server)  # which is not in it
    ways = streams(folder / "x.pcap")
    [to_server] = [data for (_, port), data in ways.items() if port == 445]
    [to_client] = [data for (port, _), data in ways.items() if port == 445]
    sent = [frame for frame in frames(to_server) if frame[:4] == b"\xfeSMB"]  # not the SMB 1 one
    commands = [int.from_bytes(frame[12:14], "little") for frame in sent]
    assert commands[:3] == [0, 1, 1], "NEGOTIATE, and two rounds of SESSION_SETUP"
    assert 8 in commands, "READ"
    assert all(frame[:4] == b"\xfeSMB" for frame in frames(to_client))
    assert bytes(range(256)) * 200 in to_client


def test_the_keys_open_what_is_sealed(folder):
    with testing.serve_in_thread(folder / "share", encryption="required") as server:
        with server.capture(folder / "x.pcap") as capture:
            visit(server, sealed=True)
        session_id, _, to_client, to_server = capture.keys_path.read_text().strip().split(",")
    ways = streams(folder / "x.pcap")
    [data] = [data for (port, _), data in ways.items() if port == 445]
    sealed = [frame for frame in frames(data) if frame[:4] == b"\xfdSMB"]
    assert sealed
    keys = bytes.fromhex(to_server), bytes.fromhex(to_client)
    opener = Sealer(AES_128_CCM, *keys)  # impacket's
    opened = [bytes(opener.open(memoryview(frame))) for frame in sealed]
    assert all(frame[:4] == b"\xfeSMB" for frame in opened)
    assert all(frame[44:52].hex() == session_id for frame in sealed)


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_wireshark_reads_the_sealed_frames(folder):
    with testing.serve_in_thread(folder / "share", encryption="required") as server:
        with server.capture(folder / "x.pcap") as capture:
            visit(server)
    key = ",".join(capture.keys_path.read_text().strip().split(","))
    found = subprocess.run(
        ["tshark", "-r", capture.path, "-o", f"uat:smb2_seskey_list:{key}",
         "-Y", "smb2.cmd == 8", "-T", "fields", "-e", "smb2.read_length"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "204800" in found.stdout, "the length of the READ, which was sealed"


def test_a_capture_goes_on_over_a_restart(folder):
    with testing.serve_in_thread(folder / "share") as server:
        with server.capture(folder / "x.pcap"):
            visit(server)
            server.restart()
            visit(server)
    assert len(streams(folder / "x.pcap")) == 4
