"""What each share allows, and to whom."""

import re

import pytest

from smbd.config import ShareConfig, UserConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve_in_thread
from tests.server.clients import ImpacketClient, PypiClient, SambaClient, refusal, status_of

OTHER = UserConfig(name="other", password="other")


def refused(connect, server, **how):
    with pytest.raises(Exception) as refusal, connect(server, **how) as client:
        client.names()
    return status_of(refusal.value)


@pytest.fixture
def second(tmp_path):
    (tmp_path / "second").mkdir()
    return tmp_path / "second"


def test_a_share_that_there_is_not(server, connect):
    assert refused(connect, server, share="nowhere") == "BAD_NETWORK_NAME"


def test_share_names_have_no_case(server, connect):
    with connect(server, share="SHARE") as client:
        client.put("file", b"data")
        assert client.get("file") == b"data"


def test_shares_keep_apart(folder, second, connect):
    shares = [ShareConfig(name="Zweite Freigabe", path=second)]
    with serve_in_thread(folder, shares=shares) as server:
        with connect(server) as client:
            client.put("file", b"in the first")
        with connect(server, share="Zweite Freigabe") as client:
            assert client.names() == set()
            client.put("file", b"in the second")
    assert (folder / "file").read_bytes() == b"in the first"
    assert (second / "file").read_bytes() == b"in the second"


def test_only_the_users_that_it_names_may_enter(folder, second, connect):
    shares = [ShareConfig(name="theirs", path=second, users=("other",))]
    with serve_in_thread(folder, shares=shares, users=[OTHER]) as server:
        assert refused(connect, server, share="theirs") == "ACCESS_DENIED"
        with connect(server, share="theirs", user="OTHER", password="other") as client:
            client.put("file", b"theirs")
        with connect(server, user="other", password="other") as client:
            client.put("file", b"everybody's")
    assert (second / "file").read_bytes() == b"theirs"
    assert (folder / "file").read_bytes() == b"everybody's"


def test_a_guest_enters_only_what_is_for_guests(folder, second):
    shares = [ShareConfig(name="public", path=second, guest=True, read_only=True)]
    (second / "notice").write_bytes(b"welcome")
    guest = {"user": "guest", "password": "", "sign": False, "guest": True}
    with serve_in_thread(folder, shares=shares, signing="enabled") as server:
        assert refusal(PypiClient, server, **guest) == NtStatus.ACCESS_DENIED
        with PypiClient(server, share="public", **guest) as client:
            assert client.get("notice") == b"welcome"
            assert refusal(client.put, "notice", b"mine now") == NtStatus.ACCESS_DENIED
    assert (second / "notice").read_bytes() == b"welcome"


def test_a_hidden_share_opens_to_a_client_that_knows_its_name(folder, second, connect):
    shares = [ShareConfig(name="attic", path=second, hidden=True)]
    with serve_in_thread(folder, shares=shares) as server:
        with connect(server, share="attic") as client:
            client.put("file", b"dusty")
    assert (second / "file").read_bytes() == b"dusty"


def test_a_list_of_shares_has_all_but_the_hidden_ones(folder, second):
    shares = [
        ShareConfig(name="attic", path=second, hidden=True),
        ShareConfig(name="Zweite", path=second, comment="für jeden"),
    ]
    with serve_in_thread(folder, shares=shares) as server:
        with ImpacketClient(server) as client:
            listed = [one["shi1_netname"].rstrip("\0") for one in client.connection.listShares()]
        with SambaClient(server) as client:
            told = client.list_shares()
    assert sorted(listed) == ["IPC$", "Zweite", "share"]
    assert re.search(r"^\s+Zweite\s+Disk\s+für jeden$", told, re.MULTILINE)
    assert "attic" not in told


def test_what_is_read_only_can_be_read(folder, connect):
    (folder / "file").write_bytes(b"printed")
    with serve_in_thread(folder, read_only=True) as server, connect(server) as client:
        assert client.names() == {"file"}
        assert client.get("file") == b"printed"


def test_what_is_read_only_cannot_be_changed_in_any_way(folder):
    (folder / "file").write_bytes(b"printed")
    (folder / "directory").mkdir()
    with serve_in_thread(folder, read_only=True) as server:
        with PypiClient(server) as client:
            for change in (
                ("remove", "file"),
                ("rmdir", "directory"),
                ("mkdir", "another"),
                ("truncate", "file", 1),
                ("utime", "file", (1, 1)),
                ("rename", "file", client.path("renamed")),
                ("link", "file", client.path("linked")),
                ("setxattr", "file", "user.mark", b"was here"),
            ):
                assert refusal(client.call, *change) == NtStatus.ACCESS_DENIED, change
            assert refusal(client.put, "new", b"") == NtStatus.ACCESS_DENIED
            assert refusal(client.put, "file", b"") == NtStatus.ACCESS_DENIED
        with SambaClient(server) as client:
            for command in ("del file", "mkdir another", "rename file renamed", "setmode file +r"):
                assert "ACCESS_DENIED" in client.run(f"{command};ls"), command
    assert {one.name for one in folder.iterdir()} == {"file", "directory"}
    assert (folder / "file").read_bytes() == b"printed"


def test_a_folder_that_is_no_folder_is_not_served(tmp_path):
    with pytest.raises(OSError, match="nowhere"), serve_in_thread(tmp_path / "nowhere"):
        pass
