"""`smbd disconnect` and `smbd status` against a server that really runs."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from impacket.smbconnection import SMBConnection

from smbd.cli import main
from smbd.testing import TestServer, serve_in_thread


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestServer]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "served").mkdir()
    socket = tmp_path / "smbd" / "77.sock"
    with serve_in_thread(tmp_path / "served", status_socket=socket) as it:
        yield it


def log_in(server: TestServer) -> SMBConnection:
    client = SMBConnection(server.host, server.host, sess_port=server.port)
    client.login(server.user, server.password)
    client.connectTree(server.share)
    return client


def test_each_session_that_is_shown_can_be_ended(
    server: TestServer, capsys: pytest.CaptureFixture[str]
) -> None:
    client = log_in(server)
    assert main(["status", "--json"]) == 0
    [session] = json.loads(capsys.readouterr().out)["sessions"]
    assert session["user"] == "test"
    assert main(["disconnect", session["id"]]) == 0
    assert capsys.readouterr().out == f"ended test on {session['client']}\n"
    with contextlib.closing(client), pytest.raises(Exception, match=r"Connection|Error while"):
        client.listPath(server.share, "*")
    assert main(["status"]) == 0
    assert "nobody is logged in" in capsys.readouterr().out


def test_nobody_of_that_name_is_told(
    server: TestServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disconnect", "nobody"]) == 1
    shown = capsys.readouterr()
    assert shown.err == "tsmbd: no session, user or address nobody is connected\n"
    assert shown.out == ""


def test_no_server_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert main(["disconnect", "ann"]) == 1
    assert capsys.readouterr().err == "tsmbd: no server of this user is running\n"
