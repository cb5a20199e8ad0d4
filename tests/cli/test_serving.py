"""The program really serves: it says so, answers `smbd status`, and ends in order."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from smbd.cli import main
from smbd.cli.troubles import told
from tests.server.clients import PypiClient

HERE = Path(__file__).parents[2]


@contextmanager
def smbd(*words: str, cwd: Path = HERE) -> Iterator[subprocess.Popen[str]]:
    """The program in a process of its own; it is gone at the end of the block."""
    program = subprocess.Popen(
        [sys.executable, "-m", "smbd", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        try:
            yield program
        finally:
            program.kill()


def said(program: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """The first line that the program prints from now on that matches."""
    assert program.stdout
    for line in program.stdout:
        if found := re.search(pattern, line):
            return found
    assert program.stderr
    raise AssertionError(program.stderr.read())


def test_a_folder_is_served_until_a_signal_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "music").mkdir()
    with smbd("serve", str(tmp_path / "music"), "--user", "ann", "--port", "0") as program:
        port = int(said(program, r"^tsmbd serves on 127\.0\.0\.1:(\d+)$")[1])
        assert said(program, rf"smbclient //127\.0\.0\.1/music -p {port} -U ann$")
        assert said(program, r"^The password of ann is \S+$")
        with socket.create_connection(("127.0.0.1", port)):
            pass
        assert main(["status", "--json"]) == 0
        [share] = json.loads(capsys.readouterr().out)["shares"]
        assert share["name"] == "music"
        assert share["engine"] == "nowait+threads"
        assert main(["status"]) == 0
        assert "nobody is logged in" in capsys.readouterr().out

        program.send_signal(signal.SIGTERM)
        rest, errors = program.communicate()
        assert program.returncode == 0, errors
        assert "hits" not in rest, "nothing was served"
        assert "Traceback" not in errors
    assert main(["status"]) == 1, "its socket is gone"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with smbd("serve", str(tmp_path), "--listen", address) as program:
            _, errors = program.communicate()
    assert program.returncode == 1
    assert errors == f"tsmbd: {address}: Address already in use\n"


def test_shares_toml_is_served_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    text = (
        "[server]\nlisten = ['127.0.0.1:0']\nlog_format = 'json'\n"
        "[users.me]\npassword_file = 'pw'\ngenerate = true\n"
        "[shares.files]\npath = 'files'\ncreate = true\n"
    )
    (tmp_path / "shares.toml").write_text(text)
    with smbd("serve", cwd=tmp_path) as program:
        made = [json.loads(said(program, '"event": "made"').string) for _ in range(2)]
        assert made[0]["message"].startswith("made the folder")
        began = json.loads(said(program, '"event": "started"').string)
        assert began["shares"] == ["files"]
        assert began["message"].startswith("tsmbd serves on 127.0.0.1:")
        port = int(began["listen"][0].rpartition(":")[2])
        assert (tmp_path / "files").is_dir()
        with socket.create_connection(("127.0.0.1", port)):
            pass
        (tmp_path / "shares.toml").write_text(f"[server]\nannounce = 'nas:445'\n{text[9:]}")
        program.send_signal(signal.SIGHUP)
        assert "//nas/files" in said(program, '"event": "reloaded"').string
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate()
    assert program.returncode == 0
    for line in errors.splitlines():
        told = json.loads(line)
        assert told["message"]
        assert told["event"]


def test_a_port_that_another_server_of_ours_has_is_told_with_its_pid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "music").mkdir()
    with smbd("serve", str(tmp_path / "music"), "--port", "0") as first:
        port = said(first, r"^tsmbd serves on 127\.0\.0\.1:(\d+)$")[1]
        with smbd("serve", str(tmp_path), "--port", port) as second:
            _, errors = second.communicate()
        assert f"by another tsmbd (pid {first.pid}), which serves music" in errors
    assert second.returncode == 1


def test_an_address_that_there_is_not_is_named(tmp_path: Path) -> None:
    with smbd("serve", str(tmp_path), "--listen", "no.invalid:4450") as program:
        _, errors = program.communicate()
    assert program.returncode == 1
    # Where C is built for the first time, the log says so before.
    assert re.search(r"(?m)^tsmbd: no\.invalid:4450: ", errors)


def test_a_port_for_root_alone_is_told_with_what_helps() -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "0.0.0.0:445")
    shown = told(error)
    assert shown.startswith("0.0.0.0:445: Permission denied; a port below 1024 needs root")
    assert "ip_unprivileged_port_start=445" in shown


def test_a_folder_in_memory_is_made_as_a_file_says_and_its_preset(tmp_path: Path) -> None:
    (tmp_path / "content.json").write_text('{"a": {"b.txt": "text"}}')
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    words = ["--content", f"{tmp_path}/content.json", "--preset", "old-nas", "--user", "ann"]
    with smbd("serve", *words, f"--password-file={tmp_path}/password", "--port=0") as program:
        port = int(said(program, r"^tsmbd serves on 127\.0\.0\.1:(\d+)$")[1])
        server = SimpleNamespace(
            host="127.0.0.1", port=port, share="share", user="ann", password="secret"
        )
        with PypiClient(server) as client:
            assert client.connection.dialect == 0x0202
            assert client.get("a\\b.txt") == b"text"
        program.send_signal(signal.SIGTERM)
        program.communicate()
        assert program.returncode == 0
