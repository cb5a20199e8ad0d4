"""Each client is told the line that mounts the share, exactly."""

from pathlib import Path

import pytest

from smbd.config import Address, Config, ServerConfig, ShareConfig, UserConfig
from smbd.mount import login_name, mount_lines, reachable

LOCAL = Address("127.0.0.1", 4450)


def lines(
    name: str = "music",
    address: Address = LOCAL,
    user: str | None = "ann",
    server: ServerConfig | None = None,
    *,
    encryption: bool = False,
) -> dict[str, str]:
    share = ShareConfig(name, Path("/m"), encryption="required" if encryption else "off")
    return dict(mount_lines(server or ServerConfig(), share, address, user))


def test_another_port_than_the_standard_one_is_named_in_each_clients_way() -> None:
    assert lines() == {
        "Linux": ("sudo mount -t cifs //127.0.0.1/music /mnt -o port=4450,username=ann,vers=3.1.1"),
        "Windows": r"net use X: \\127.0.0.1\music /user:ann /TCPPORT:4450",
        "macOS": "open smb://ann@127.0.0.1:4450/music",
        "smbclient": "smbclient //127.0.0.1/music -p 4450 -U ann",
    }


def test_the_standard_port_is_left_out() -> None:
    assert lines(address=Address("files.lan", 445)) == {
        "Linux": "sudo mount -t cifs //files.lan/music /mnt -o username=ann,vers=3.1.1",
        "Windows": r"net use X: \\files.lan\music /user:ann",
        "macOS": "open smb://ann@files.lan/music",
        "smbclient": "smbclient //files.lan/music -U ann",
    }


def test_guests() -> None:
    assert lines(user=None) == {
        "Linux": "sudo mount -t cifs //127.0.0.1/music /mnt -o port=4450,guest,vers=3.1.1",
        "Windows": r"net use X: \\127.0.0.1\music /user:guest /TCPPORT:4450",
        "macOS": "open smb://guest:@127.0.0.1:4450/music",
        "smbclient": "smbclient //127.0.0.1/music -p 4450 -N",
    }


def test_names_with_spaces_and_signs_are_quoted_for_each_shell() -> None:
    assert lines("Ann's music", user="ann b@c") == {
        "Linux": (
            "sudo mount -t cifs '//127.0.0.1/Ann'\"'\"'s music' /mnt "
            "-o 'port=4450,username=ann b@c,vers=3.1.1'"
        ),
        "Windows": r'net use X: "\\127.0.0.1\Ann'
        "'"
        r's music" /user:"ann b@c" /TCPPORT:4450',
        "macOS": "open smb://ann%20b%40c@127.0.0.1:4450/Ann%27s%20music",
        "smbclient": "smbclient '//127.0.0.1/Ann'\"'\"'s music' -p 4450 -U 'ann b@c'",
    }


def test_ipv6() -> None:
    found = lines(address=Address("fd00::1", 4450))
    assert found["Linux"].startswith("sudo mount -t cifs //fd00::1/music /mnt")
    assert found["Windows"].startswith(r"net use X: \\fd00--1.ipv6-literal.net\music ")
    assert found["macOS"] == "open 'smb://ann@[fd00::1]:4450/music'"
    assert found["smbclient"] == "smbclient //fd00::1/music -p 4450 -U ann"
    assert r"\\0--1.ipv6-literal.net\music" in lines(address=Address("::1", 4450))["Windows"]


@pytest.mark.parametrize(
    ("dialect", "version"), [(0x0202, "2.0"), (0x0210, "2.1"), (0x0300, "3.0"), (0x0302, "3.02")]
)
def test_cifs_is_told_the_newest_dialect_in_its_own_spelling(dialect: int, version: str) -> None:
    assert lines(server=ServerConfig(max_dialect=dialect))["Linux"].endswith(f",vers={version}")


def test_cifs_is_told_to_encrypt_where_it_must() -> None:
    assert lines(encryption=True)["Linux"].endswith(",vers=3.1.1,seal")


def test_the_address_shown_is_one_that_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    assert reachable([Address("::1", 1), Address("10.0.0.1", 2)]) == Address("10.0.0.1", 2)
    assert reachable([Address("0.0.0.0", 445)]) == Address("box", 445)
    assert reachable([Address("::", 445)]) == Address("box", 445)


def test_the_user_shown_is_one_who_may_connect() -> None:
    share = ShareConfig("a", Path("/"), users=("bob",), guest=True)
    bob, ann = UserConfig("bob", password="b"), UserConfig("ann", password="a")
    assert login_name(Config(users=(ann, bob)), share) == "bob"
    assert login_name(Config(users=(ann,)), share) is None
