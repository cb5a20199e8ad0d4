"""Each preset, as a real client meets it: smbclient, smbprotocol or impacket."""

import gc
from contextlib import contextmanager
from time import monotonic

import pytest
from smbprotocol.exceptions import SMBConnectionClosed

from smbd.ntstatus import NtStatus
from smbd.presets import PRESETS
from smbd.presets.trees import DEPTH, FILES, SHARES
from smbd.testing import serve_in_thread
from smbd.vfs.names import to_wire
from smbd.wire.fscc import FileSystemAttribute, FileSystemClass
from tests.server.clients import CLIENTS, ImpacketClient, PypiClient, SambaClient, refusal
from tests.server.clients.information import query_raw_file_system, set_end_of_file

KIB, MIB = 1 << 10, 1 << 20
MUST_SIGN = 0x02  # [MS-SMB2] 2.2.4, SecurityMode

tested = set()


def preset(name):
    """Marks a test as one of a preset, and runs it."""
    tested.add(name)

    @contextmanager
    def running(**options):
        try:
            serving = serve_in_thread(preset=name, **options)
            with serving as server:
                yield server
        except PermissionError as error:
            if PRESETS[name].memory is None:
                raise
            pytest.skip(str(error))

    return pytest.mark.parametrize("serve", [running], ids=[name])


@preset("windows-11")
def test_windows_11(serve):
    with serve() as server, PypiClient(server) as client:
        connection = client.connection
        assert connection.dialect == 0x0311
        assert connection.server_security_mode & MUST_SIGN
        assert connection.max_read_size == connection.max_write_size == 8 * MIB
        assert connection.supports_file_leasing
        client.put("f:Zone.Identifier", b"[ZoneTransfer]")
        assert client.get("f:Zone.Identifier") == b"[ZoneTransfer]"
        with ImpacketClient(server, "2.0.2") as old:
            assert old.connection.isSigningRequired()
            assert old.connection.getServerName() == "DESKTOP-SMBD01"


@preset("samba")
def test_samba(serve):
    with serve() as server, PypiClient(server, "2.1", sign=False) as client:
        assert not client.connection.server_security_mode & MUST_SIGN
        assert client.connection.max_read_size == 8 * MIB
        client.put("f", b"data")
        assert refusal(client.put, "f:stream", b"") == NtStatus.OBJECT_NAME_INVALID
        with ImpacketClient(server, "2.1") as old:
            assert not old.connection.isSigningRequired()
            assert old.connection.getServerName() == "SAMBA"


@preset("old-nas")
@pytest.mark.parametrize("kind", CLIENTS)
def test_old_nas(serve, kind):
    connect = CLIENTS[kind]
    with serve() as server:
        with connect(server, "2.0.2") as client:
            client.put("f", bytes(200_000))
            assert client.get("f") == bytes(200_000)
        with pytest.raises(Exception), connect(server, "2.1") as client:  # noqa: B017 -- each has its own
            client.names()


@preset("old-nas")
def test_a_client_of_today_comes_down_to_an_old_nas(serve):
    with serve() as server:
        with PypiClient(server, sign=False) as client:
            connection = client.connection
            assert connection.dialect == 0x0202
            assert not connection.supports_multi_credit
            assert connection.max_read_size == connection.max_write_size == 64 * KIB
            assert not connection.server_security_mode & MUST_SIGN
        with SambaClient(server) as samba:
            assert samba.names() == set()


@preset("encrypted")
def test_encrypted(serve):
    with serve() as server:
        with PypiClient(server, encrypt=True) as client:
            client.put("f", b"data")
            assert client.session.encrypt_data
        with SambaClient(server, encrypt=True) as samba:
            assert samba.names() == {"f"}
        for dialect in ("2.0.2", "2.1"):
            with pytest.raises(Exception), ImpacketClient(server, dialect):  # noqa: B017
                pass
        with ImpacketClient(server, "3.0") as impacket:
            assert impacket.get("f") == b"data"


@preset("guest")
def test_guest(serve):
    with serve(tree={"notice": "welcome"}) as server:
        with SambaClient(server, user="", password="") as samba:
            assert samba.names() == {"notice"}
        with PypiClient(server, user="anybody", password="", sign=False, guest=True) as client:
            assert client.get("notice") == b"welcome"
            client.put("mine", b"too")


@preset("many-shares")
def test_many_shares(serve):
    with serve() as server:
        with SambaClient(server) as samba:
            listed = samba.list_shares()
            assert all(f"\t{name} " in listed for name in SHARES)
        with ImpacketClient(server) as client:
            names = [share["shi1_netname"][:-1] for share in client.connection.listShares()]
            assert len(names) == len(SHARES) + 2, "the first one, and IPC$"
        for name in (SHARES[0], SHARES[-1]):
            with PypiClient(server, share=name) as client:
                assert client.get("name.txt") == f"{name}\n".encode()


@preset("odd-names")
def test_odd_names(serve):
    with serve() as server:
        with PypiClient(server) as client:
            listed = client.names()
            assert listed == {to_wire(name) for name in server.tree()}
            for name, content in server.tree().items():
                if name != "Büro für Größen":
                    assert content == client.get(to_wire(name)).decode()
            assert client.get("Büro für Größen\\Übergröße\\ключ")
            assert max(map(len, listed)) == 255
        with ImpacketClient(server) as client:
            assert client.names() == listed
        with SambaClient(server) as samba:
            assert {"日本語のファイル.txt", "👩‍👩‍👧‍👦 family.txt"} <= samba.names()
            assert samba.get("Привет, мир.txt") == b"Cyrillic\n"


@preset("deep-tree")
def test_deep_tree(serve):
    path = "\\".join(f"folder-at-level-{level:03}" for level in range(1, DEPTH + 1))
    with serve() as server:
        with PypiClient(server) as client:
            assert client.get(f"{path}\\at-the-end.txt") == b"below 100 folders\n"
            client.put(f"{path}\\new.txt", b"")
        with SambaClient(server) as samba:
            shown = samba.run("recurse on", "ls")
            assert shown.count("folder-at-level-100") > 1
            assert "at-the-end.txt" in shown


@preset("many-files")
def test_many_files(serve):
    expected = {f"file{number:05}.txt" for number in range(1, FILES + 1)}
    with serve() as server:
        with SambaClient(server) as samba:
            listed = samba.listing("many")
            assert len(listed) == FILES + 2, "each once, with . and .."
            assert set(listed) >= expected
        with PypiClient(server) as client:
            assert client.names("many") == expected
            assert client.get("many\\file07777.txt") == b"7777\n"


@preset("read-only")
def test_read_only(serve):
    with serve(tree={"f": "data"}) as server:
        with PypiClient(server) as client:
            assert client.get("f") == b"data"
            assert refusal(client.put, "new", b"") == NtStatus.ACCESS_DENIED
            assert refusal(client.remove, "f") == NtStatus.ACCESS_DENIED
            volume = query_raw_file_system(
                client.open("f", access=0x80, disposition=1), FileSystemClass.ATTRIBUTE
            )
            flags = int.from_bytes(volume[:4], "little")
            assert flags & FileSystemAttribute.READ_ONLY_VOLUME
        with SambaClient(server) as samba:
            assert "NT_STATUS_ACCESS_DENIED" in samba.run("mkdir new")
        assert server.tree() == {"f": "data"}


@preset("full")
def test_full(serve):
    with serve() as server:
        with PypiClient(server) as client:
            opened = client.open("empty")
            assert refusal(opened.write, b"x", 0) == NtStatus.DISK_FULL
            set_end_of_file(opened, 0)
            client.remove("filler.bin")
            assert opened.write(bytes(64 * KIB), 0) == 64 * KIB
        with SambaClient(server) as samba:
            (samba.folder / "sent").write_bytes(bytes(MIB))
            with pytest.raises(Exception, match="DISK_FULL"):
                samba.run("put sent")


@preset("full")
def test_full_after_what_a_test_has_put_there(serve):
    with serve(tree={"a": "text"}) as server, ImpacketClient(server) as client:
        assert client.get("a") == b"text"
        assert refusal(client.put, "b", b"x") == NtStatus.DISK_FULL


@preset("one-credit")
@pytest.mark.parametrize("kind", CLIENTS)
def test_one_credit(serve, kind):
    with serve() as server, CLIENTS[kind](server) as client:
        client.put("f", bytes(200_000))
        assert client.get("f") == bytes(200_000)
        assert client.names() == {"f"}
        if kind == "smbprotocol":
            window = client.connection.sequence_window
            assert window["high"] - window["low"] == 1


@preset("small-reads")
@pytest.mark.parametrize("kind", CLIENTS)
def test_small_reads(serve, kind):
    content = bytes(range(250)) * 80
    with serve() as server, CLIENTS[kind](server) as client:
        client.put("f", content)
        whole = content[: 4 * KIB] if kind == "impacket" else content  # it takes that for the end
        assert client.get("f") == whole


@preset("slow")
def test_slow(serve):
    with serve(tree={"f": bytes(50 * KIB)}) as server, PypiClient(server) as client:
        opened = client.open("f", access=0x120089, disposition=1)
        began = monotonic()
        assert len(opened.read(0, 50 * KIB)) == 50 * KIB
        assert monotonic() - began > 0.05 + 0.15
        opened.close()


@preset("flaky")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_flaky(serve):
    timeouts = reads = 0
    with serve(tree={"f": "data"}) as server:
        with pytest.raises(SMBConnectionClosed), PypiClient(server) as client:
            opened = client.open("f", access=0x120089, disposition=1)
            while reads < 2000:
                timeouts += refusal(opened.read, 0, 4) == NtStatus.IO_TIMEOUT
                reads += 1
    assert 1 <= timeouts <= reads / 5
    gc.collect()  # what the client leaves open warns of that, and here nothing minds


def test_every_preset_has_a_test():
    assert tested == set(PRESETS)


def test_what_is_given_counts_more_than_the_preset():
    with serve_in_thread(preset="samba", signing="required", streams=True) as server:
        with PypiClient(server) as client:
            assert client.connection.server_security_mode & MUST_SIGN
            client.put("f:stream", b"")


def test_a_preset_that_needs_a_folder_of_its_own_takes_no_other(tmp_path):
    with pytest.raises(ValueError, match='preset "full": the folder is a new one in memory'):
        with serve_in_thread(tmp_path, preset="full"):
            pass
