"""A right shares.toml becomes a Config."""

from pathlib import Path
from textwrap import dedent

import pytest

from smbd import config
from smbd.config import Address, Config, Limits, ServerConfig, ShareConfig, UserConfig

HASH = "8846f7eaee8fb117ad06bdd830b7586c"


def load(folder: Path, text: str) -> Config:
    file = folder / "shares.toml"
    file.write_text(dedent(text))
    file.chmod(0o600)
    return config.load(file)


def test_the_smallest_file_has_the_defaults_of_the_dataclasses(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """
        [users.ann]
        password = "secret"
        [shares.music]
        path = "/srv/music"
        """,
    )
    assert loaded.users == (UserConfig("ann", password="secret"),)
    assert loaded.shares == (ShareConfig("music", Path("/srv/music")),)
    assert loaded.server == ServerConfig(status_socket=config.default_status_socket())
    assert loaded.server.listen == (Address("127.0.0.1", 4450),)
    assert loaded.server.signing == "required"
    assert loaded.source == tmp_path / "shares.toml"
    assert loaded.warnings == ()
    assert not loaded.guest


def test_every_key_is_taken(tmp_path: Path) -> None:
    (tmp_path / "bob.secret").write_text("correct horse\n")
    (tmp_path / "bob.secret").chmod(0o600)
    loaded = load(
        tmp_path,
        f"""
        [server]
        listen = ["127.0.0.1:0", "[::1]:4450", "localhost:445"]
        name = "files-1"
        workgroup = "home"
        min_dialect = "3.0"
        max_dialect = "3.0.2"
        signing = "enabled"
        encryption = "desired"
        leases = false
        multichannel = false
        interfaces = ["eth0", "192.0.2.7"]
        log_format = "json"
        status_socket = "run/status.sock"
        [server.limits]
        connections = 10
        connections_per_address = 5
        half_open_logins = 3
        login_time = 5
        idle_time = 0
        opens = 100
        requests = 64
        credits = 256
        max_read = "1 MiB"
        max_write = 65536
        max_transact = "128kib"
        memory = "2 MiB"
        [users.Ann]
        nt_hash = "{HASH}"
        [users.bob]
        password_file = "bob.secret"
        [shares.music]
        path = "music"
        comment = "Songs"
        read_only = true
        users = ["ANN"]
        guest = true
        hidden = true
        encryption = "desired"
        engine = "nowait+threads"
        create = true
        [shares.music.engine_options]
        workers = 4
        [shares."Bob's"]
        path = "~/bob"
        encryption = "required"
        """,
    )
    assert loaded.server == ServerConfig(
        listen=(Address("127.0.0.1", 0), Address("::1", 4450), Address("localhost", 445)),
        name="FILES-1",
        workgroup="HOME",
        min_dialect=0x0300,
        max_dialect=0x0302,
        signing="enabled",
        encryption="desired",
        leases=False,
        multichannel=False,
        interfaces=("eth0", "192.0.2.7"),
        limits=Limits(
            connections=10,
            connections_per_address=5,
            half_open_logins=3,
            login_time=5.0,
            idle_time=0.0,
            opens=100,
            requests=64,
            credits=256,
            max_read=1 << 20,
            max_write=65536,
            max_transact=131072,
            memory=2 << 20,
        ),
        status_socket=tmp_path / "run/status.sock",
        log_format="json",
    )
    ann, bob = loaded.users
    assert ann == UserConfig("Ann", nt_hash=bytes.fromhex(HASH))
    assert bob.password == "correct horse"
    music, bobs = loaded.shares
    assert music == ShareConfig(
        "music",
        tmp_path / "music",
        comment="Songs",
        read_only=True,
        users=("Ann",),
        guest=True,
        hidden=True,
        encryption="desired",
        leases=False,
        engine="nowait+threads",
        engine_options={"workers": 4},
        create=True,
    )
    assert bobs.path == Path.home() / "bob"
    assert bobs.encryption == "required"
    assert loaded.guest


@pytest.mark.parametrize(
    ("server", "share", "effect"),
    [("", "", True), ("", "leases = false", False), ("leases = false", "leases = true", False)],
)
def test_leases_are_of_a_share_where_server_and_share_have_them(
    tmp_path: Path, server: str, share: str, effect: bool
) -> None:
    text = f"[server]\n{server}\n[users.a]\nnt_hash = '{HASH}'\n[shares.s]\npath = '/'\n{share}"
    (loaded,) = load(tmp_path, text).shares
    assert loaded.leases is effect


def test_a_share_allows_its_users_in_any_case() -> None:
    share = ShareConfig("a", Path("/"), users=("Ann", "Jörg"))
    assert share.allows("ANN")
    assert share.allows("JÖRG")
    assert not share.allows("bob")
    assert not share.allows("")
    assert ShareConfig("a", Path("/")).allows("anybody")


def test_an_empty_status_socket_is_none(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """
        [server]
        status_socket = ""
        [shares.a]
        path = "/"
        guest = true
        """,
    )
    assert loaded.server.status_socket is None


def test_paths_start_at_the_folder_of_the_file_not_at_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shares.toml").write_text("[shares.a]\npath = '../data'\nguest = true\n")
    monkeypatch.chdir(tmp_path)
    loaded = config.load("etc/shares.toml")
    assert loaded.shares[0].path == tmp_path / "etc/../data"


def test_secrets_do_not_show_in_reprs(tmp_path: Path) -> None:
    users = (UserConfig("a", password="hunter2"), UserConfig("b", nt_hash=bytes.fromhex(HASH)))
    shown = repr(Config(users=users))
    assert "hunter2" not in shown
    assert "8846" not in shown
    assert repr(bytes.fromhex(HASH)) not in shown


@pytest.mark.parametrize("name", ["shares.toml", "ann.secret"])
def test_a_secret_that_everybody_can_read_is_a_warning(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "ann.secret"
    secret.write_text("secret")
    file = tmp_path / "shares.toml"
    where = "password_file = 'ann.secret'" if name == "ann.secret" else f"nt_hash = '{HASH}'"
    file.write_text(f"[users.ann]\n{where}\n[shares.a]\npath = '/'\n")
    (tmp_path / name).chmod(0o644)
    [warning] = config.load(file).warnings
    assert f"{tmp_path / name} (mode 0644)" in warning.message
    assert "chmod o-r" in warning.message
    (tmp_path / name).chmod(0o640)
    assert config.load(file).warnings == ()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:4450", "127.0.0.1", 4450),
        ("[::]:0", "::", 0),
        ("files.lan:445", "files.lan", 445),
    ],
)
def test_addresses_are_read_as_they_are_written(text: str, host: str, port: int) -> None:
    address = Address.parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1", ":4450", "::1:4450", "[::1]", "[a]:1", "a:", "a:x", "a:65536", "a:-1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:4450|0 to 65535|brackets"):
        Address.parse(text)


@pytest.mark.parametrize("number", [0x0202, 0x0210, 0x0300, 0x0302, 0x0311])
def test_dialects_have_names(number: int) -> None:
    assert config.DIALECTS[config.dialect_name(number)] == number
