"""`tsmbd user NAME`: a password becomes the NT hash that shares.toml can hold in its place."""

import argparse
import getpass
import json
import re
import sys

from smbd.cli import UsageError
from smbd.config import user_name_problem

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def run(arguments: argparse.Namespace) -> int:
    """Ask for the password, and print the user's table."""
    wrong = user_name_problem(arguments.name)
    if wrong:
        raise UsageError(f"{json.dumps(arguments.name)}: {wrong}")
    password = _from_stdin() if arguments.stdin else _prompted(arguments.name)
    from smbd.auth import nt_hash  # noqa: PLC0415 -- no other command needs it

    name = arguments.name
    # A JSON string is a TOML basic string.
    key = name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    print(f'[users.{key}]\nnt_hash = "{nt_hash(password).hex()}"')
    if sys.stdout.isatty():
        print("\nPut these lines into shares.toml. The hash is as good as the password.")
    return 0


def _from_stdin() -> str:
    password = sys.stdin.readline().removesuffix("\n")
    if not password:
        raise UsageError("there is no password on standard input")
    return password


def _prompted(name: str) -> str:
    try:
        password = getpass.getpass(f"Password of {name}: ")
        if not password:
            raise UsageError("an empty password lets nobody in")
        if getpass.getpass("Once more: ") != password:
            raise UsageError("the two passwords differ")
    except EOFError:
        raise UsageError("there is no terminal to ask; use --stdin") from None
    return password
