"""The command line of `tsmbd`: each command with its arguments and their help.

Those of the larger commands are in smbd.cli.arguments.
"""

import argparse
from pathlib import Path
from typing import Any

from smbd import __version__
from smbd.cli.arguments import DEFAULT_CONFIG
from smbd.cli.arguments.compare import add_compare
from smbd.cli.arguments.running import add_disconnect, add_fault, add_health, add_status
from smbd.cli.arguments.serve import add_serve

# Trio's smbd.  Where Samba is installed, `smbd serve DIR` by root starts Samba's daemon, without a
# word and on every address: so each command that is printed has the name that nobody else has.
PROGRAM = "tsmbd"


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="A small SMB2/3 file server that answers reads straight from the page cache.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    add_serve(commands)
    _add_init(commands)
    _add_check(commands)
    add_compare(commands)
    add_status(commands)
    add_disconnect(commands)
    add_fault(commands)
    add_health(commands)
    _add_presets(commands)
    _add_user(commands)
    _add_show(commands)
    help_ = commands.add_parser("help", help="show this, or the options of one command")
    help_.add_argument(
        "topic", metavar="COMMAND", nargs="?", choices=[*commands.choices], help="one of the above"
    )
    return parser


def _add_init(commands: Any) -> None:
    init = commands.add_parser(
        "init",
        help="write a documented shares.toml to begin with",
        description="Write a shares.toml that documents every key with its default. An existing "
        "file stays as it is.",
    )
    init.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=Path,
        help='the file to write (default: ./shares.toml); "-" prints it',
    )


def _add_check(commands: Any) -> None:
    check = commands.add_parser(
        "check",
        help="check shares.toml, its folders and its engines, without serving",
        description="Check a shares.toml, touch every folder in it, and say which engine each "
        "share will really get, and why. The exit status is 1 if it cannot be served as it is.",
    )
    check.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=DEFAULT_CONFIG,
        help="the file to check (default: ./shares.toml)",
    )


def _add_user(commands: Any) -> None:
    user = commands.add_parser(
        "user",
        help="make a user's lines for shares.toml from a password",
        description="Ask for a password, and print the user's lines for shares.toml: the table "
        "[users.NAME] with the password's NT hash.",
    )
    user.add_argument("name", metavar="NAME", help="the user's name")
    user.add_argument("--stdin", action="store_true", help="read the password from standard input")


def _add_presets(commands: Any) -> None:
    presets = commands.add_parser(
        "presets",
        help="list the odd servers that `tsmbd serve --preset` knows",
        description="List the presets of `tsmbd serve --preset NAME`, servers that are odd in one "
        "way each, for those who write clients; or say what one of them sets.",
    )
    presets.add_argument("name", metavar="NAME", nargs="?", help="say all of this one")


def _add_show(commands: Any) -> None:
    shown = commands.add_parser(
        "show",
        help="show the man page, a shell's completion, a unit of systemd, the changelog",
        description="Show a file that an installation may want beside the program: the man page, "
        "the completion of bash or zsh, systemd's unit for a service (with the path of this "
        "program) or for its socket, or what changed from version to version.",
    )
    shown.add_argument(
        "file",
        metavar="FILE",
        choices=("man", "bash", "zsh", "service", "socket", "changelog"),
        help="man, bash, zsh, service, socket or changelog",
    )
