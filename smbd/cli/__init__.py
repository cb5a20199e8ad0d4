"""The command `tsmbd`, also called `smbd`: it runs the module of one command.

Each command imports what it needs when it is chosen, so that none waits for another's.
"""

import contextlib
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from smbd.cli.arguments import DEFAULT_CONFIG
from smbd.cli.parser import PROGRAM, make_parser

__all__ = ["DEFAULT_CONFIG", "PROGRAM", "UsageError", "complain", "main", "make_parser"]

_BROKEN_PIPE = 141
_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class UsageError(Exception):
    """The command cannot be done as asked; the text is for the user."""


def complain(text: str) -> None:
    """Say on stderr what is wrong: each line has the program's name, but the indented ones.

    A full disk or a closed pipe there ends nothing: a server starts, and its log is dropped.
    """
    try:
        for line in text.splitlines():
            print(line if line[:1].isspace() else f"{PROGRAM}: {line}", file=sys.stderr)
    except (OSError, ValueError):
        _forget(sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 (failed), or 2 (the wrong thing was asked).

    141, as of a program that SIGPIPE ended, says that nobody reads what is printed any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names that a terminal of ASCII cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return _run(argv)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
        return _BROKEN_PIPE
    except OSError as error:
        if error.filename is not None or error.errno not in _CANNOT_WRITE:
            raise
        _write_no_more()
        complain(f"cannot write all output: {error.strerror}")
        return 1


def _forget(stream: TextIO) -> None:
    """Drop unwritten output: Python would try again at the end, and fail with 120."""
    with contextlib.suppress(OSError, ValueError):
        there, nowhere = os.dup(stream.fileno()), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        with contextlib.suppress(OSError):
            stream.flush()
        os.dup2(there, stream.fileno())
        os.close(there)
        os.close(nowhere)


def _write_no_more() -> None:
    """Drop the rest of stdout: Python would try again at the end, and complain."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _run(argv: Sequence[str] | None) -> int:
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.command in {None, "help"}:
        topic = getattr(arguments, "topic", None)
        parser.parse_args([topic, "--help"] if topic else ["--help"])
    from smbd.config import ConfigError  # noqa: PLC0415 -- `smbd --help` does without

    try:
        command = importlib.import_module(f"smbd.cli.{arguments.command}")
        status: int = command.run(arguments)
    except (ConfigError, UsageError) as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return status
