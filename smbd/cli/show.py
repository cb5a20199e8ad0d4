"""`tsmbd show`: the files that an installation may want beside the program."""

import argparse
import shlex
import shutil
import sys
from importlib.resources import files
from pathlib import Path

from smbd.cli import PROGRAM, UsageError

# Their paths in the package.  tests/release/generate.py makes man page and completions.
FILES = {
    "man": "cli/share/man/man1/tsmbd.1",
    "bash": "cli/share/bash-completion/completions/tsmbd",
    "zsh": "cli/share/zsh/site-functions/_tsmbd",
    "service": "cli/share/systemd/tsmbd.service",
    "socket": "cli/share/systemd/tsmbd.socket",
    "changelog": "CHANGELOG.md",
}


def run(arguments: argparse.Namespace) -> int:
    """Print the file."""
    text = files("smbd").joinpath(FILES[arguments.file]).read_text("utf-8")
    if arguments.file == "service":
        text = text.replace("@TSMBD@", _program())
    print(text, end="")
    return 0


def _program() -> str:
    """The command by which systemd starts this installation: of whole paths, quoted as it reads."""
    found = shutil.which(sys.argv[0]) or shutil.which(PROGRAM)
    words = [str(Path(found).absolute())] if found else [sys.executable, "-m", "smbd"]
    if any(set(word) & set("\"'\\%$\n") for word in words):
        raise UsageError(f"{shlex.join(words)}: systemd takes no such path; install it elsewhere")
    return " ".join(f'"{word}"' if " " in word else word for word in words)
