"""The program `smbd` as a whole: its commands, its help, its exit status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smbd import __version__
from smbd.cli import main


def smbd(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smbd", *words], capture_output=True, text=True, check=False
    )


def test_python_m_smbd_is_the_program() -> None:
    shown = smbd("--help")
    assert shown.returncode == 0
    for command in ("serve", "check", "status", "user"):
        assert f"    {command} " in shown.stdout
    assert shown.stderr == ""


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"tsmbd {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [["serv"], ["serve", "--port", "65536"], ["serve", "--port", "1", "--listen", "a:1"]],
)
def test_a_wrong_command_line_is_usage_on_stderr(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: tsmbd")


def test_ctrl_c_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("getpass.getpass", interrupted)
    assert main(["user", "ann"]) == 130
    assert capsys.readouterr().err == ""


def test_a_configuration_is_read_without_trio_impacket_or_cffi(tmp_path: Path) -> None:
    # A mistake in shares.toml, and SIGHUP, shall not wait for what only serving needs.
    file = tmp_path / "shares.toml"
    file.write_text("[shares.a]\npath = '/'\nguest = true\n")
    program = (
        "import sys; from smbd.config import load; load(sys.argv[1]); "
        "print({'trio', 'impacket', 'cffi', 'cryptography'} & set(sys.modules))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program, file], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "set()\n"


@pytest.mark.parametrize("words", [[], ["help"], ["help", "serve"], ["--help"]])
def test_no_command_and_help_show_the_help(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("usage: tsmbd serve" if "serve" in words else "usage: tsmbd [-h]")
    assert shown.err == ""


def test_a_reader_that_is_gone_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        shown = subprocess.run(
            [sys.executable, "-m", "smbd", "--help"],
            env={**os.environ, "PYTHONUNBUFFERED": ""},  # argparse hides an error of its write
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (shown.returncode, shown.stderr) == (141, b"")


def test_a_full_disk_is_told_in_a_line() -> None:
    with Path("/dev/full").open("w") as full:
        shown = subprocess.run(
            [sys.executable, "-m", "smbd", "help"],
            env={**os.environ, "PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert shown.stderr == b"tsmbd: cannot write all output: No space left on device\n"
    assert shown.returncode == 1


def test_names_that_a_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "shares.toml"
    file.write_text("[shares.'m\u00fcsik']\npath = '/'\nguest = true\n", encoding="utf-8")
    shown = subprocess.run(
        [sys.executable, "-m", "smbd", "check", "--config", file],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert b"m\\xfcsik: /" in shown.stdout
    assert b"Traceback" not in shown.stderr


def test_a_warning_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    configuration = tmp_path / "shares.toml"
    configuration.write_text(f"[users.a]\npassword = 'b'\n[shares.a]\npath = '{tmp_path}'\n")
    configuration.chmod(0o644)  # which brings a warning
    with Path("/dev/full").open("w") as full:
        checked = subprocess.run(
            [sys.executable, "-m", "smbd", "check", "--config", configuration],
            stdout=subprocess.DEVNULL,
            stderr=full,
            check=False,
        )
    assert checked.returncode == 0
