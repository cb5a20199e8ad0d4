"""`smbd serve`: what it makes of its arguments, and what it prints around its serving."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import smbd
from smbd.cli import UsageError, main, make_parser
from smbd.cli.banner import Banner, announcement
from smbd.cli.serve import configuration
from smbd.config import Address, Config, Prepared, ServerConfig, ShareConfig, UserConfig

FOUND = Address("127.0.0.1", 40123)


def asked(*words: str) -> Config:
    return configuration(make_parser().parse_args(["serve", *words]))


class FakeServer(ModuleType):
    """Stands in for smbd.server: what the command line makes of it is tested without a socket."""

    served: Config | None = None
    reread: Callable[[], Config] | None = None
    reloaded: Callable[[], None] | None = None
    failure: OSError | None = None

    def run(
        self,
        config: Config,
        *,
        started: Callable[[Sequence[Address]], None],
        stopped: Callable[[Mapping[str, Any]], None],
        reread: Callable[[], Config] | None,
        reloaded: Callable[[], None],
        **_: Any,
    ) -> None:
        self.served = config
        self.reread, self.reloaded = reread, reloaded
        if self.failure:
            raise self.failure
        started([FOUND])
        stopped({"shares": [{"name": "files", "hits": 3}]})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer("smbd.server")
    monkeypatch.setitem(sys.modules, "smbd.server", fake)
    monkeypatch.setattr(smbd, "server", fake, raising=False)
    return fake


def test_a_folder_is_served_to_the_current_user_with_a_new_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    config = asked(str(tmp_path))
    [user] = config.users
    assert user.name == "ann"
    assert user.password
    assert user.password != asked(str(tmp_path)).users[0].password
    assert config.shares == (ShareConfig(tmp_path.name, tmp_path),)
    assert config.server.listen == (Address("127.0.0.1", 4450),)
    assert config.server.signing == "required"
    assert config.source is None


def test_every_option_of_a_folder_is_taken(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    config = asked(
        *(str(tmp_path), "--share-name", "music", "--user", "bob", "--guest", "--read-only"),
        *("--password-file", str(secret), "--engine", "threads", "--signing", "enabled"),
        *("--listen", "127.0.0.1:0", "--listen", "[::1]:5"),
    )
    assert config.users == (UserConfig("bob", password="hunter2", password_file=secret),)
    assert config.shares == (
        ShareConfig("music", tmp_path, read_only=True, guest=True, engine="threads"),
    )
    assert config.server.listen == (Address("127.0.0.1", 0), Address("::1", 5))
    assert config.server.signing == "enabled"


def test_a_folder_gets_the_warnings_of_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    [warning] = asked(str(tmp_path), "--password-file", str(secret)).warnings
    assert str(warning).startswith(f"everybody on this machine can read {secret} (mode 0644)")


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "music").mkdir()
    monkeypatch.chdir(tmp_path / "music")
    assert asked(".").shares[0].name == "music"
    assert asked("/").shares[0].name == "share", "the root's name is empty, and no share's can be"


def test_a_user_without_a_name_is_called_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert asked(str(tmp_path)).users[0].name == "user"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{folder}/no"], "{folder}/no: there is no such folder"),
        (["{folder}", "--share-name", "IPC$"], "--share-name IPC$: this name is reserved"),
        (["{folder}", "--engine", "thread"], "--engine: there is no engine 'thread'"),
        (["{folder}", "--password-file", "/no"], "--password-file /no: No such file or directory"),
        (["{folder}/file"], "{folder}/file: is a file, and DIR must be a folder; a configuration"),
        (["{folder}", "--user", ""], "--user '': a user's name has 1 to 64 printable characters"),
        (["{folder}", "--user", "LAN\\ann"], "--user 'LAN\\ann': a user's name has 1 to 64"),
        (["--user", ""], "--user needs DIR"),
        (["{folder}", "--listen", "::1:5"], "--listen an IPv6 address stands in brackets"),
        (["{folder}", "--config", "x.toml"], "--config and DIR exclude each other"),
        (["--guest"], "--guest needs DIR; for shares.toml, write it there"),
        (["--share-name", "x"], "--share-name needs DIR"),
        ([], "there is no shares.toml here"),
    ],
)
def test_what_cannot_be_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        asked(*(word.format(folder=tmp_path) for word in words))
    assert str(caught.value).startswith(told.format(folder=tmp_path))


def test_the_port_of_the_command_line_wins_over_the_files(tmp_path: Path) -> None:
    file = tmp_path / "shares.toml"
    file.write_text(
        "[server]\nlisten = ['127.0.0.1:1', '[::1]:2']\n[shares.a]\npath = '/'\nguest = true\n"
    )
    assert [address.port for address in asked("--config", str(file)).server.listen] == [1, 2]
    ports = asked("--config", str(file), "--port", "0").server.listen
    assert ports == (Address("127.0.0.1", 0), Address("::1", 0))
    listen = asked("--config", str(file), "--listen", "0.0.0.0:9").server.listen
    assert listen == (Address("0.0.0.0", 9),)


def test_shares_toml_of_the_current_folder_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shares.toml").write_text("[shares.a]\npath = '/'\nguest = true\n")
    assert asked().source == tmp_path / "shares.toml"


def test_the_announcement_has_a_line_for_each_client_of_each_share() -> None:
    config = Config(
        users=(UserConfig("ann", password="hunter2"),),
        shares=(
            ShareConfig("music", Path("/srv/music"), guest=True),
            ShareConfig("open", Path("/srv/open"), users=("bob",), guest=True, read_only=True),
        ),
    )
    lines = announcement(config, [Address("127.0.0.1", 4450), Address("::1", 4450)]).splitlines()
    assert lines[0] == "tsmbd serves on 127.0.0.1:4450, [::1]:4450"
    assert "music: /srv/music (read and write, guests too, engine nowait)" in lines
    assert (
        "  Linux      sudo mount -t cifs //127.0.0.1/music /mnt"
        " -o port=4450,username=ann,vers=3.1.1"
    ) in lines
    assert (
        "  Windows    net use X: \\\\127.0.0.1\\music /user:ann /TCPPORT:4450"
        "  (Windows 11 24H2 or later)"
    ) in lines
    assert "open: /srv/open (read only, guests only, engine nowait)" in lines
    assert any(line.endswith("(Windows 11 must first be told to allow guests)") for line in lines)
    assert "The password of ann is hunter2" in lines


def test_guests_are_told_their_own_lines_and_everybody_the_announced_address() -> None:
    server = ServerConfig(announce=Address("files.lan", 445))
    share = ShareConfig("music", Path("/srv/music"), guest=True)
    shown = announcement(Config(server, (UserConfig("ann", password="x"),), (share,)), [FOUND])
    assert "sudo mount -t cifs //files.lan/music /mnt -o username=ann,vers=3.1.1" in shown
    assert "  or without a password:" in shown
    assert "sudo mount -t cifs //files.lan/music /mnt -o guest,vers=3.1.1" in shown


def test_a_share_that_the_servers_user_cannot_write_is_announced_as_read_only() -> None:
    config = Config(
        users=(UserConfig("ann", password="x"),), shares=(ShareConfig("a", Path("/a")),)
    )
    assert "a: /a (read only, engine" in announcement(config, [FOUND], {"a"})


def test_the_banner_comes_again_when_a_reload_has_changed_it() -> None:
    share, shown = ShareConfig("a", Path("/a"), guest=True), []
    banner = Banner(Prepared(Config(shares=(share,)), ()), shown.append)
    banner.start([FOUND])
    banner.reloaded()
    assert len(shown) == 1
    server = ServerConfig(announce=Address("files.lan", 445))
    banner.prepared = Prepared(Config(server, shares=(share,)), ())
    banner.reloaded()
    banner.reloaded()
    assert ["//files.lan/a " in one for one in shown] == [False, True]


def test_passwords_of_a_file_are_not_shown() -> None:
    config = Config(
        users=(
            UserConfig("ann", password="hunter2"),
            UserConfig("bob", password="hunter2", password_file=Path("/run/secrets/bob")),
        ),
        shares=(ShareConfig("music", Path("/srv/music")),),
        source=Path("/etc/shares.toml"),
    )
    shown = announcement(config, [FOUND])
    assert "hunter2" not in shown
    assert "The password of bob is in /run/secrets/bob" in shown


def test_serving_prints_notes_then_shares_then_figures(
    tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shares.toml"
    file.write_text(
        "[users.me]\npassword_file = 'pw'\ngenerate = true\n"
        "[users.ann]\npassword = 'x'\n"
        "[shares.files]\npath = 'files'\ncreate = true\n"
    )
    file.chmod(0o644)
    assert main(["serve", "--config", str(file)]) == 0
    shown = capsys.readouterr()
    password = (tmp_path / "pw").read_text().strip()
    lines = shown.out.splitlines()
    assert lines[0] == f"made the folder {tmp_path}/files for the share files"
    assert lines[1].startswith(f"made a password for the user me: {password} ")
    assert lines[2] == "tsmbd serves on 127.0.0.1:40123"
    assert lines[-2].startswith("files: ")
    assert lines[-1].split()[:3] == ["at", "once", "3"]
    assert shown.err.startswith(f"tsmbd: warning: {file}:4: users.ann: everybody on this machine")
    assert server.served is not None
    assert server.served.users[0].password == password


def test_an_address_that_cannot_be_had_is_told(
    tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.failure = OSError(98, "Address already in use", "127.0.0.1:4450")
    assert main(["serve", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "tsmbd: 127.0.0.1:4450: Address already in use\n"


def test_a_wrong_file_is_told_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shares.toml"
    file.write_text("[shares.a]\nguest = true\nx = 1\ny = 2\n")
    assert main(["serve", "--config", str(file)]) == 2
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == [
        f"{file}:3",
        f"{file}:4",
    ]
