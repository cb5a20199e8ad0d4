"""`smbd health` says yes only when a client could really work."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smbd.cli import main
from smbd.config import DIALECTS, UserConfig
from smbd.testing import TestServer, serve_in_thread

HASH = "8846f7eaee8fb117ad06bdd830b7586c"  # of "password"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    served = tmp_path / "served"
    served.mkdir()
    return served


def describe(tmp_path: Path, server: TestServer, users: str, share: str = "") -> str:
    """A shares.toml with what the server has."""
    file = tmp_path / "shares.toml"
    file.write_text(
        f"[server]\nlisten = ['127.0.0.1:{server.port}']\n{users}"
        f"[shares.share]\npath = '{tmp_path}/served'\n{share}"
    )
    file.chmod(0o600)
    return str(file)


PLAIN = "[users.test]\npassword = 'test'\n"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("signing", ["required", "enabled"])
def test_a_server_that_works_is_healthy(
    folder: Path, capsys: pytest.CaptureFixture[str], dialect: str, signing: str
) -> None:
    with serve_in_thread(folder, min_dialect=dialect, max_dialect=dialect, signing=signing) as it:
        file = describe(folder.parent, it, PLAIN)
        assert main(["health", "--config", file]) == 0, capsys.readouterr().err
        assert capsys.readouterr().out == f"tsmbd: 127.0.0.1:{it.port}: test has opened share\n"


@pytest.mark.parametrize("dialect", ["3.0", "3.0.2", "3.1.1"])
def test_so_is_one_that_seals_everything(
    folder: Path, capsys: pytest.CaptureFixture[str], dialect: str
) -> None:
    with serve_in_thread(folder, max_dialect=dialect, encryption="required") as it:
        file = describe(folder.parent, it, PLAIN)
        assert main(["health", "--config", file]) == 0, capsys.readouterr().err


def test_a_hash_is_as_good_as_a_password(folder: Path) -> None:
    user = UserConfig("ann", nt_hash=bytes.fromhex(HASH))
    with serve_in_thread(folder, users=[user]) as it:
        file = describe(folder.parent, it, f"[users.ann]\nnt_hash = '{HASH}'\n")
        assert main(["health", "--config", file]) == 0


def test_a_password_may_be_in_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = folder.parent / "secret"
    secret.write_text("test\n")
    secret.chmod(0o600)
    with serve_in_thread(folder) as it:
        file = describe(folder.parent, it, "[users.test]\npassword_file = 'secret'\n")
        assert main(["health", "--config", file]) == 0
        secret.unlink()
        assert main(["health", "--config", file]) == 1
        assert "secret: No such file or directory" in capsys.readouterr().err


def test_without_users_a_guest_goes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(folder, guest=True) as it:
        file = describe(folder.parent, it, "", "guest = true\n")
        assert main(["health", "--config", file]) == 0
        assert "a guest has opened share" in capsys.readouterr().out


@pytest.fixture
def server(folder: Path) -> Iterator[TestServer]:
    with serve_in_thread(folder) as it:
        yield it


@pytest.mark.parametrize(
    ("users", "share", "told"),
    [
        ("[users.test]\npassword = 'other'\n", "", "STATUS_LOGON_FAILURE"),
        ("[users.who]\npassword = 'test'\n", "", "STATUS_LOGON_FAILURE"),
        (PLAIN, "[shares.b]\npath = '/'\nread_only = true\n", ""),
        ("[users.test]\npassword_file = 'no'\ngenerate = true\n", "", "not made this password"),
        ("[users.test]\npasswd = 'x'\n", "", "unknown key"),
    ],
)
def test_what_a_client_could_not_do_is_not_healthy(
    server: TestServer,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    users: str,
    share: str,
    told: str,
) -> None:
    file = describe(folder.parent, server, users, share)
    assert main(["health", "--config", file]) == bool(told)
    assert told in capsys.readouterr().err


def test_a_share_that_is_not_served_is_not_healthy(
    server: TestServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(describe(folder.parent, server, PLAIN))
    file.write_text(file.read_text().replace("[shares.share]", "[shares.new]"))
    assert main(["health", "--config", str(file)]) == 1
    assert "test cannot open new: " in capsys.readouterr().err
    assert "BAD_NETWORK_NAME" not in capsys.readouterr().out


def health(*words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: impacket forgets to close the sockets that nobody answers."""
    return subprocess.run(
        [sys.executable, "-m", "smbd", "health", *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_nobody_there_and_nobody_answering(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        port = silent.getsockname()[1]
        there: Any = type("There", (), {"port": port})
        file = describe(folder.parent, there, PLAIN)
        assert health("--config", file, "--timeout", "1").returncode == 1
    shown = health("--config", file)
    assert shown.returncode == 1
    assert shown.stderr.startswith(f"tsmbd: 127.0.0.1:{port}: test cannot open share: ")
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize(
    ("listen", "words", "told"),
    [
        ("127.0.0.1:0", [], "say it with --address"),
        ("127.0.0.1:1", ["--address", "here"], '--address must look like "127.0.0.1:4450"'),
    ],
)
def test_an_address_that_is_not_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], listen: str, words: list[str], told: str
) -> None:
    file = tmp_path / "shares.toml"
    file.write_text(f"[server]\nlisten = ['{listen}']\n[shares.a]\npath = '/'\nguest = true\n")
    assert main(["health", "--config", str(file), *words]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("listen", ["0.0.0.0:{}", "127.0.0.1:1"])
def test_the_address_is_the_configured_one_or_the_one_that_is_said(
    server: TestServer, folder: Path, listen: str
) -> None:
    file = Path(describe(folder.parent, server, PLAIN))
    address = f"127.0.0.1:{server.port}"
    file.write_text(file.read_text().replace(address, listen.format(server.port)))
    words = [] if "0.0.0.0" in listen else ["--address", address]
    assert main(["health", "--config", str(file), *words]) == 0


def test_the_first_user_takes_the_first_share_that_is_for_him(
    server: TestServer, folder: Path
) -> None:
    other = "[users.other]\npassword = 'x'\n"
    file = Path(describe(folder.parent, server, PLAIN + other))
    first = "[shares.first]\npath = '/'\nusers = ['other']\n"
    file.write_text(file.read_text().replace("[shares.share]", f"{first}[shares.share]"))
    assert main(["health", "--config", str(file)]) == 0


def test_a_check_that_goes_well_is_nothing_for_the_log(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "smbd")
    control = folder.parent / "control"
    with serve_in_thread(folder, status_socket=control) as it:
        file = Path(describe(folder.parent, it, PLAIN))
        text = file.read_text().replace("[server]\n", f"[server]\nstatus_socket = '{control}'\n")
        file.write_text(text)
        assert main(["health", "--config", str(file)]) == 0
        assert main(["health", "--config", str(file)]) == 0
        assert [one.message for one in caplog.records] == []
        file.write_text(text.replace("'test'\n", "'wrong'\n"))
        assert main(["health", "--config", str(file)]) == 1
    assert ["login failed" in one.message for one in caplog.records] == [True]
