"""`smbd user` makes the lines of a user from a password, which it never shows."""

import io
from pathlib import Path

import pytest

from smbd import config
from smbd.cli import main

# [MS-NLMP] 4.2.2.1.2: the NT hash of "Password".
HASH = "a4f49c406510bdcab6824ee7c30fd852"


def answers(monkeypatch: pytest.MonkeyPatch, *passwords: str) -> None:
    given = iter(passwords)
    monkeypatch.setattr("getpass.getpass", lambda _: next(given))


def test_the_password_is_asked_for_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, "Password", "Password")
    assert main(["user", "ann"]) == 0
    assert capsys.readouterr().out == f'[users.ann]\nnt_hash = "{HASH}"\n'


@pytest.mark.parametrize("name", ["ann", "Ann B. \u00fc'", "a.b"])
def test_the_lines_are_ready_for_shares_toml(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Password\n"))
    assert main(["user", name, "--stdin"]) == 0
    file = tmp_path / "shares.toml"
    file.write_text(f"{capsys.readouterr().out}[shares.a]\npath = '/'\n")
    [user] = config.load(file).users
    assert user.name == name
    assert user.nt_hash == bytes.fromhex(HASH)


@pytest.mark.parametrize("name", ["", " ann", "LAN\\ann", "a/b", "n" * 65])
def test_a_name_that_nobody_could_log_in_by_is_refused_before_the_password(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["user", name]) == 2
    assert "a user's name has 1 to 64 printable characters" in capsys.readouterr().err


def test_two_different_passwords_make_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, "one", "other")
    assert main(["user", "ann"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "tsmbd: the two passwords differ\n"


def test_an_empty_password_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, "")
    assert main(["user", "ann"]) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert main(["user", "ann", "--stdin"]) == 2
    assert capsys.readouterr().err == (
        "tsmbd: an empty password lets nobody in\ntsmbd: there is no password on standard input\n"
    )


def test_without_a_terminal_the_other_way_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", closed)
    assert main(["user", "ann"]) == 2
    assert capsys.readouterr().err == "tsmbd: there is no terminal to ask; use --stdin\n"


def test_a_person_is_told_what_to_do_with_the_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, "Password", "Password")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["user", "ann"]) == 0
    assert "Put these lines into shares.toml." in capsys.readouterr().out
