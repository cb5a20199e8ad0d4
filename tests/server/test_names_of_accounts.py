"""The accounts in an access list: names for Samba's tools, and users who are told apart."""

import re
import shutil
import subprocess
from contextlib import ExitStack

import pytest

from smbd.config import UserConfig
from smbd.testing import serve_in_thread
from smbd.vfs.acl import account_sid
from tests.server.clients import SambaClient, status_of

ANN, BOB = (UserConfig(name=name, password=name) for name in ("Ann", "bob"))


@pytest.fixture
def server(folder):
    with serve_in_thread(folder, users=[ANN, BOB], guest=True) as server:
        yield server


@pytest.fixture
def at_445(folder):
    """The same on the only port that smbcacls knows."""
    where = {"listen": "127.0.0.9", "port": 445}
    with ExitStack() as stack:
        try:
            server = stack.enter_context(
                serve_in_thread(folder, users=[ANN, BOB], guest=True, **where)
            )
        except OSError as refusal:
            pytest.skip(f"port 445 of 127.0.0.9: {refusal}")
        yield server


def samba(server, program, *words, user="Ann"):
    """What one of Samba's programs prints, as one of the users."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"Samba's {program} is not installed")
    address = [server.host, f"--port={server.port}"]
    if program == "smbcacls":
        address = [f"//{server.host}/{server.share}"]
    command = [found, *address, "--configfile=/dev/null", f"--user={user}%{user}", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    return done.stdout + done.stderr


def test_rpcclient_finds_names_and_sids(server):
    ann = account_sid("ann")
    assert f"ann {ann} (User: 1)" in samba(server, "rpcclient", "-c", "lookupnames ann")
    shown = samba(server, "rpcclient", "-c", f"lookupsids {ann} S-1-1-0 S-1-5-32-544")
    assert re.search(rf"{ann} \S+\\Ann \(1\)", shown), shown
    assert r"S-1-5-32-544 BUILTIN\Administrators (4)" in shown
    assert "S-1-5-21-" in samba(server, "rpcclient", "-c", "lsaquery 5")


def test_smbcacls_shows_and_takes_names(folder, at_445):
    (folder / "file").write_bytes(b"data")
    own = samba(at_445, "smbcacls", "file", "--chown", "Ann")
    assert not own, own
    assert re.search(r"^OWNER:\S+\\Ann$", samba(at_445, "smbcacls", "file"), re.MULTILINE)
    denied = samba(at_445, "smbcacls", "file", "--add", "ACL:bob:DENIED/0x0/READ")
    assert not denied, denied
    assert re.search(
        r"^ACL:\S+\\bob:DENIED/0x0/READ$", samba(at_445, "smbcacls", "file"), re.MULTILINE
    )
    with SambaClient(at_445, user="Ann", password="Ann") as client:
        assert client.get("file") == b"data"
    with SambaClient(at_445, user="bob", password="bob") as client:
        with pytest.raises(Exception) as refused:
            client.get("file")
        assert status_of(refused.value) == "ACCESS_DENIED"
    # Nor may bob change that: the file is Ann's.
    assert "ACCESS_DENIED" in samba(
        at_445, "smbcacls", "file", "--delete", "ACL:bob:DENIED/0x0/READ", user="bob"
    )


def test_what_is_made_in_a_folder_with_a_list_is_its_makers(folder, at_445):
    (folder / "dir").mkdir()
    for entry in ("CREATOR OWNER:ALLOWED/OI|CI|IO/FULL", "Everyone:ALLOWED/OI|CI/READ"):
        assert not samba(at_445, "smbcacls", "dir", "--add", f"ACL:{entry}")
    with SambaClient(at_445, user="Ann", password="Ann") as client:
        client.put("dir/file", b"hers")
    with SambaClient(at_445, user="bob", password="bob") as client:
        assert client.get("dir/file") == b"hers"
        with pytest.raises(Exception) as refused:
            client.put("dir/file", b"not his")
        assert status_of(refused.value) == "ACCESS_DENIED"
    with SambaClient(at_445, user="Ann", password="Ann") as client:
        client.put("dir/file", b"hers again")


def test_a_guest_is_told_no_account(server):
    found = shutil.which("rpcclient")
    if found is None:
        pytest.skip("Samba's rpcclient is not installed")
    command = [found, server.host, f"--port={server.port}", "--configfile=/dev/null", "-U%", "-N"]
    for words, known in (("lookupnames ann", False), ("lookupsids S-1-1-0", True)):
        done = subprocess.run(
            [*command, "-c", words], capture_output=True, text=True, timeout=280, check=False
        )
        shown = done.stdout + done.stderr
        assert ("Everyone" in shown) is known, shown
        assert account_sid("ann") not in shown
