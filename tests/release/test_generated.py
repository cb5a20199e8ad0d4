"""Man page and completions are those of today's command line, and what reads them takes them."""

import shutil
import subprocess

import pytest

from smbd.cli import main
from smbd.cli.show import FILES
from tests.release.generate import PACKAGE, generated


@pytest.mark.parametrize("name", ["man", "bash", "zsh"])
def test_it_is_what_the_parser_says_today(name):
    kept = (PACKAGE / FILES[name]).read_text("utf-8")
    assert kept == generated()[name], "make it again: python -m tests.release.generate"


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_printed(name, capsys):
    assert main(["show", name]) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) > 8
    assert "@TSMBD@" not in printed


def test_bash_completes_an_option_of_a_command():
    script = f"""
    source {PACKAGE / FILES["bash"]}
    COMP_WORDS=(tsmbd serve --read) COMP_CWORD=2
    _shtab_tsmbd
    echo "${{COMPREPLY[@]}}"
    """
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "--read-only" in found.stdout.split()


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_man_shows_every_command_and_warns_of_nothing():
    page = PACKAGE / FILES["man"]
    shown = subprocess.run(
        ["man", "--warnings", "-l", page],
        capture_output=True,
        text=True,
        check=True,
        env={"MANWIDTH": "100", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert not shown.stderr
    for command in ("serve", "init", "check", "status", "user"):
        assert f"COMMAND 'tsmbd {command}'" in shown.stdout
