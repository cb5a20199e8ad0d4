"""The options of a server for tests: typed, checked, and with several shares, users and rights."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from smbd.config import Limits, ShareConfig, schema
from smbd.testing import LimitsOptions, Options, ServerOptions, ShareOptions, serve_in_thread
from tests.server.clients import PypiClient
from tests.testing.test_serve import round_trip


def test_every_option_is_a_keyword_that_an_editor_completes():
    options = {field.name: field.type for field in fields(Options)}
    assert options.pop("given") == frozenset[str], "which of the others are"
    assert list(options.items()) == list(ServerOptions.__annotations__.items())


def test_the_keys_of_shares_and_limits_are_those_of_shares_toml():
    assert set(ShareOptions.__annotations__) == set(schema.SHARE)
    assert set(LimitsOptions.__annotations__) == {field.name for field in fields(Limits)}


def test_a_type_checker_knows_the_options(tmp_path):
    (tmp_path / "project.py").write_text(
        "from smbd.testing import serve_in_thread\n"
        "serve_in_thread(read_only=True, shares={'docs': {'write': ['ann']}}, port=0)\n"
        "serve_in_thread(read_onyl=True)\n"
        "serve_in_thread(signing='always')\n"
    )
    asked = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", tmp_path / "project.py"],
        cwd=Path(__file__).parents[2],  # its cache is that of the linters' run
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = [line.partition("project.py:")[2] for line in asked.stdout.splitlines()]
    assert [line[:8] for line in wrong if " error: " in line] == ["3: error", "4: error"], wrong


def test_several_shares_and_users_with_rights(tmp_path):
    (tmp_path / "docs").mkdir()
    with serve_in_thread(
        tmp_path,
        users={"ann": "her password", "bob": "his password"},
        shares={
            "docs": tmp_path / "docs",
            "inbox": {"users": ["ann", "bob"], "write": ["ann"]},
            "share": {"comment": "the served one", "read": ["bob"]},
        },
    ) as server:
        assert [share.name for share in server.config.shares] == ["share", "docs", "inbox"]
        assert server.config.shares[0].comment == "the served one"
        assert round_trip(server, "docs") == b"data"
        ann, bob = server.login("ann", "inbox"), server.login("bob", "inbox")
        with PypiClient(ann) as client:
            client.put("letter", b"dear bob")
        with PypiClient(bob) as client:
            assert client.get("letter") == b"dear bob"
            with pytest.raises(Exception, match="ACCESS_DENIED"):
                client.put("answer", b"dear ann")
        assert (ann.path / "letter").read_bytes() == b"dear bob"
    assert not ann.path.exists(), "a folder that nobody named goes with the server"


def test_another_login_is_the_first_that_fits(tmp_path):
    with serve_in_thread(
        tmp_path,
        users={"bob": "b"},
        shares={"his": {"users": ["BOB"]}, "all": {"guest": True}},
        guest=True,
    ) as server:
        assert server.login(share="HIS").user == "bob"
        assert server.login(share="all").user == "test"
        guest = server.login("")
        assert (guest.user, guest.password) == ("", "")
        assert guest.url == f"smb://guest:@127.0.0.1:{server.port}/share"
        there = server.login(host="host.docker.internal")
        assert there.url == f"smb://test:test@host.docker.internal:{server.port}/share"
        with pytest.raises(ValueError, match='there is no user "eve"; there are test, bob'):
            server.login("eve")
        with pytest.raises(ValueError, match='there is no share "hers"; there are share, his, all'):
            server.login(share="hers")


def test_urls_are_percent_encoded_and_lines_quoted(tmp_path):
    with serve_in_thread(
        tmp_path, share="my files", user="ann@work", password="a/b:c %,", listen="::1"
    ) as server:
        port = server.port
        assert server.url == f"smb://ann%40work:a%2Fb%3Ac%20%25%2C@[::1]:{port}/my%20files"
        assert server.unc == r"\\0--1.ipv6-literal.net\my files"
        assert server.mount == (
            f"sudo PASSWD='a/b:c %,' mount -t cifs '//::1/my files' /mnt -o "
            f"port={port},username=ann@work,vers=3.1.1"
        )
        assert server.smbclient == f"smbclient '//::1/my files' -p {port} -U 'ann@work%a/b:c %,'"
        assert repr(server) == (
            f"<TestServer smb://ann%40work@[::1]:{port}/my%20files, {tmp_path}>"
        ), "no password"
        assert list(server.lines) == ["Linux", "Windows", "macOS", "smbclient"]
        assert round_trip(server) == b"data"


def test_the_line_for_smbclient_needs_nothing_more(tmp_path):
    (tmp_path / "here").touch()
    with serve_in_thread(tmp_path) as server:
        listing = subprocess.run(
            f"{server.smbclient} -c ls",
            shell=True,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    if listing.returncode == 127:
        pytest.skip("needs smbclient")
    assert "here" in listing.stdout


@pytest.mark.parametrize("listen", ["127.0.0.1", "localhost", "::1", ["127.0.0.2", "::1"]])
def test_where_only_this_machine_connects_the_password_is_simple(tmp_path, listen):
    with serve_in_thread(tmp_path, listen=listen) as server:
        assert server.password == "test"


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", ["127.0.0.1", "[::]:0"]])
def test_where_others_can_connect_the_password_is_a_new_one(tmp_path, listen):
    with serve_in_thread(tmp_path, listen=listen) as server:
        assert len(server.password) >= 16
        assert server.host in {"127.0.0.1", "::1"}
        assert round_trip(server) == b"data"
    with serve_in_thread(tmp_path, listen=listen, password="known") as server:
        assert server.password == "known"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"port": "445"}, "port: must be an integer from 0 to 65535, not a string"),
        ({"share": 5}, 'share: must be a string ("..."), not an integer'),
        ({"user": None}, 'user: must be a string ("..."), not NoneType'),
        ({"password": b"x"}, 'password: must be a string ("..."), not bytes'),
        ({"min_dialect": 3}, "min_dialect: must be one of 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1, not 3"),
        ({"listen": 445}, "listen: must be a list of strings, not an integer"),
        ({"listen": ["::1", "::"]}, "listen: ::1 and :: are one port twice"),
        ({"interfaces": "eth0"}, "interfaces: must be a list of strings, not a string"),
        ({"state_directory": 1}, "state_directory: must be a path, not an integer"),
        ({"users": {"bob": None}}, 'users.bob: must be a string ("..."), not NoneType'),
        ({"users": {"bob": ""}}, "users.bob.password: must be a string that is not empty"),
        ({"users": ["bob"]}, "users: must be a mapping of names to passwords, or a list of User"),
        ({"shares": ["docs"]}, "shares: must be a mapping of names to paths or options, or a li"),
        ({"shares": {"docs": 1}}, "shares.docs: must be a mapping, not an integer"),
        ({"shares": {"docs": {"engin": 1}}}, 'docs.engin: unknown key; did you mean "engine"?'),
        ({"shares": {"docs": {"users": "ann"}}}, "docs.users: must be a list of strings, not a"),
        ({"shares": {"docs": {"users": ["ann"]}}}, 'shares.docs.users: there is no user "ann"'),
        ({"shares": {"a/b": {}}}, "shares.a/b: a share's name has 1 to 80"),
        ({"limits": {"opnes": 5}}, 'limits.opnes: unknown key; did you mean "opens"?'),
        ({"limits": {"opens": "5"}}, "limits.opens: must be an integer from 1"),
        ({"limits": 5}, "limits: must be a mapping, not an integer"),
        ({"continuous": True, "leases": False}, "shares.share.continuous: needs leases"),
    ],
)
def test_a_wrong_option_is_named_and_told_what_would_be_right(tmp_path, options, told):
    with pytest.raises(ValueError) as caught, serve_in_thread(tmp_path, **options):
        pass
    assert told in str(caught.value)


def test_an_option_that_there_is_not_is_told_what_it_may_mean(tmp_path):
    with pytest.raises(TypeError, match=r'shraes: .* did you mean "shares"\?'):
        with serve_in_thread(tmp_path, shraes=[]):
            pass


def test_nothing_is_left_of_a_server_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ValueError), serve_in_thread(signing="always", continuous=True):
        pass
    with pytest.raises(FileNotFoundError), serve_in_thread(tmp_path / "missing"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_limits_and_shares_may_be_those_of_the_configuration_too(tmp_path):
    more = ShareConfig(name="more", path=tmp_path)
    with serve_in_thread(tmp_path, limits={"opens": 7}, shares=[more]) as server:
        assert server.config.server.limits == Limits(opens=7)
        assert round_trip(server, "more") == b"data"
