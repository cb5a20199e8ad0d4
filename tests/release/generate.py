"""Man page and completions from the command line's parser: python -m tests.release.generate

They lie in the package, so that nobody needs the two libraries that make them.
"""

import argparse
import os
from importlib.resources import files
from pathlib import Path
from unittest.mock import patch

import shtab
from argparse_manpage.manpage import Manpage

from smbd.cli import make_parser
from smbd.cli.show import FILES

PACKAGE = Path(str(files("smbd")))


def generated() -> dict[str, str]:
    """The text of each file, by its name in `tsmbd show`."""
    # 80 columns wherever it is made, and no date: the text changes with the parser alone.
    with patch.dict(os.environ, {"COLUMNS": "80", "SOURCE_DATE_EPOCH": "0"}):
        return {
            "man": _man(),
            "bash": shtab.complete(_with_completions(make_parser()), "bash"),
            "zsh": shtab.complete(_with_completions(make_parser()), "zsh"),
        }


def _man() -> str:
    page = Manpage(make_parser())
    page.manual, page.date = "smbd", ""
    # A name without a description is what `apropos` cannot find.
    text = str(page).replace(".SH NAME\ntsmbd\n", ".SH NAME\ntsmbd \\- an SMB file server\n", 1)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _with_completions(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _with_completions(command)
        elif action.type is Path or action.metavar in {"FILE", "DIR", "PATH"}:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
    return parser


def main() -> None:
    """Write them."""
    for name, text in generated().items():
        path = PACKAGE / FILES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(path)


if __name__ == "__main__":
    main()
