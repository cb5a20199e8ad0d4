"""`tsmbd fault` and `tsmbd serve --fault` against a server that really runs."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from smbd.cli import main
from smbd.cli.fault_help import RULES
from smbd.faults import Rule
from smbd.ntstatus import NtStatus
from smbd.testing import TestServer, serve_in_thread
from tests.cli.test_serving import said, smbd
from tests.server.clients import ImpacketClient, refusal

Shown = pytest.CaptureFixture[str]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestServer]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.bin").write_bytes(b"content")
    with serve_in_thread(tmp_path / "served", status_socket=tmp_path / "smbd" / "7.sock") as it:
        yield it


def test_a_rule_is_added_strikes_is_listed_and_removed(server: TestServer, capsys: Shown) -> None:
    assert main(["fault", "list"]) == 0
    assert capsys.readouterr().out == "nothing goes wrong on purpose\n"
    assert main(["fault", "add", "READ *.bin status=DISK_FULL"]) == 0
    assert main(["fault", "add", "WRITE", "hang"]) == 0
    added = "1: READ *.bin status=DISK_FULL\n2: WRITE hang\n"
    assert capsys.readouterr().out == added
    with ImpacketClient(server) as client:
        assert refusal(client.get, "a.bin") == NtStatus.DISK_FULL
        assert main(["fault", "list"]) == 0
        assert capsys.readouterr().out.splitlines()[1].split() == [
            "1", "1", "1", "0", "READ", "*.bin", "status=DISK_FULL",
        ]  # fmt: skip
        assert main(["status"]) == 0
        assert "requests go wrong on purpose, by 2 rules" in capsys.readouterr().out
        assert main(["fault", "remove", "1"]) == 0
        assert capsys.readouterr().out == "removed 1: READ *.bin status=DISK_FULL, 1 hits\n"
        assert client.get("a.bin") == b"content"
    assert main(["fault", "remove", "1"]) == 1
    assert main(["fault", "remove", "all"]) == 0
    assert main(["fault", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == []


def test_a_wrong_rule_is_told_without_a_server(capsys: Shown) -> None:
    assert main(["fault", "add", "READ statsu=3"]) == 2
    told = 'tsmbd: READ statsu=3: statsu: is no key of a fault; did you mean "status"?\n'
    assert capsys.readouterr().err == told
    assert main(["fault", "remove", "first"]) == 2
    assert 'must be the number of a rule, or "all"' in capsys.readouterr().err


def test_a_rule_meant_for_one_server_reaches_no_other(
    server: TestServer, tmp_path: Path, capsys: Shown
) -> None:
    other = tmp_path / "smbd" / "8.sock"
    with serve_in_thread(tmp_path / "served", status_socket=other):
        assert main(["fault", "add", "hang"]) == 2
        assert "several servers take faults: name one by --socket" in capsys.readouterr().err
        assert main(["fault", "add", "hang", "--socket", str(other)]) == 0
        assert main(["fault", "list", "--socket", str(tmp_path / "smbd" / "7.sock")]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "nothing goes wrong on purpose"


def test_a_server_that_was_started_without_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with smbd("serve", str(tmp_path), "--port", "0") as program:
        said(program, r"^tsmbd serves on")
        for words in (["add", "hang"], ["list"], ["remove", "all"]):
            assert main(["fault", *words]) == 1
            assert "this server takes no faults" in capsys.readouterr().err


def test_one_that_was_started_with_a_rule_takes_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    rules = ("--fault", "READ *.bin after=3 status=DISK_FULL", "--fault", "rate=64k")
    with smbd("serve", str(tmp_path), "--port", "0", *rules) as program:
        said(program, r"^tsmbd serves on")
        assert main(["fault", "add", "ECHO drop"]) == 0
        assert main(["fault", "list"]) == 0
        shown = capsys.readouterr().out
        for rule in ("READ *.bin after=3 status=DISK_FULL", "rate=65536", "ECHO drop=close"):
            assert rule in shown


def test_a_wrong_rule_stops_the_start(tmp_path: Path, capsys: Shown) -> None:
    assert main(["serve", str(tmp_path), "--fault", "READ short=-1"]) == 2
    assert "--fault 'READ short=-1': short: must be a whole number" in capsys.readouterr().err


def test_the_help_names_every_key() -> None:
    for one in fields(Rule):
        if one.init and one.name not in {"command", "path"}:
            assert one.name in RULES
