"""The command line of `tsmbd`: each command with its arguments and their help.

It imports nothing but argparse: `tsmbd --help` waits for no command.
"""

import argparse
from pathlib import Path
from typing import Any

from smbd import __version__
from smbd.cli.fault_help import RULES

# Trio's smbd.  Where Samba is installed, `smbd serve DIR` by root starts Samba's daemon, without a
# word and on every address: so each command that is printed has the name that nobody else has.
PROGRAM = "tsmbd"
DEFAULT_CONFIG = Path("shares.toml")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="A small SMB2/3 file server that answers reads straight from the page cache.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_serve(commands)
    _add_init(commands)
    _add_check(commands)
    _add_compare(commands)
    _add_status(commands)
    _add_disconnect(commands)
    _add_fault(commands)
    _add_health(commands)
    _add_presets(commands)
    _add_user(commands)
    _add_show(commands)
    help_ = commands.add_parser("help", help="show this, or the options of one command")
    help_.add_argument(
        "topic", metavar="COMMAND", nargs="?", choices=[*commands.choices], help="one of the above"
    )
    return parser


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="serve shares.toml, or one folder without any configuration",
        description="Serve the shares of shares.toml; or, with DIR, one folder at once: to the "
        "current user, with a new password that is printed, on 127.0.0.1. It prints how each "
        "client mounts a share. Ctrl-C ends it; SIGHUP reads shares.toml again, or ends it too "
        "where there is none.",
    )
    serve.add_argument(
        "directory", metavar="DIR", nargs="?", type=Path, help="serve this folder only"
    )
    serve.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the shares.toml to serve (default: ./shares.toml)",
    )
    where = serve.add_mutually_exclusive_group()
    where.add_argument(
        "--port",
        type=_port,
        metavar="N",
        help="listen on this port (default: 4450, or those in shares.toml); 0 is any free one",
    )
    where.add_argument(
        "--listen",
        action="append",
        metavar="HOST:PORT",
        help="listen on this address (default: 127.0.0.1:4450, or those in shares.toml); may be "
        "given several times",
    )
    serve.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="write address, shares and logins to this file (JSON) once clients can connect; a "
        "FIFO is written to as well",
    )
    serve.add_argument(
        "--die-with-parent",
        action="store_true",
        help="end when the process ends that started this one, as by SIGTERM",
    )
    serve.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="append a line of JSON for each request and its answer: who asked for what, when, and "
        "what came of it; a file that was moved away is made anew",
    )
    serve.add_argument(
        "--capture",
        type=Path,
        metavar="FILE",
        help="write all frames to this pcap file, for Wireshark, and the keys of each login to "
        "FILE.keys: whoever has both reads everything",
    )
    broken = serve.add_argument_group("for the tests of clients")
    broken.add_argument(
        "--fault",
        action="append",
        metavar="RULE",
        help="have requests go wrong, as in 'READ *.bin after=3 status=DISK_FULL'; may be given "
        "several times; `tsmbd fault --help` says what a rule may be",
    )
    broken.add_argument(
        "--faults",
        action="store_true",
        help="take rules from `tsmbd fault` while it runs (with --fault it does anyway)",
    )
    alone = serve.add_argument_group("only with DIR")
    alone.add_argument(
        "--share-name", metavar="NAME", help="the share's name (default: the folder's)"
    )
    alone.add_argument(
        "--user", metavar="NAME", help="the user that may log in (default: the current one)"
    )
    alone.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="read the password from this file (default: a new one, printed)",
    )
    alone.add_argument("--guest", action="store_true", help="let guests in, without a password")
    alone.add_argument("--read-only", action="store_true", help="refuse all changes")
    alone.add_argument(
        "--engine",
        metavar="SPEC",
        help="how files are read and written, as `engine` in shares.toml (default: nowait)",
    )
    alone.add_argument(
        "--signing",
        choices=("required", "enabled"),
        help='"enabled": clients may leave their requests unsigned, which is faster (default: '
        '"required")',
    )
    made = serve.add_argument_group(
        "a folder that is made first", "with DIR, or without: then it is a new one in memory"
    )
    made.add_argument(
        "--content",
        type=Path,
        metavar="FILE.json",
        help='make the files in it: {"folder": {"name.txt": "text"}}; what is there already stays, '
        "and is an error (smbd/content/README.md has the rest)",
    )
    made.add_argument(
        "--memory",
        nargs="?",
        const=True,
        metavar="SIZE",
        help='a folder in memory, full at SIZE, as "64 MiB" (default: the machine\'s memory)',
    )
    made.add_argument(
        "--preset", metavar="NAME", help="a server that is odd in one way: see `tsmbd presets`"
    )


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


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        help="measure every way to read and write files, on this machine's file systems",
        description="Measure each engine, with and without the page-cache probe, alone and behind "
        "the real server, on the file system of DIR (default: the current folder). It prints a "
        "table, and writes all figures to NAME.json and a report to NAME.html. Files of 300 MiB "
        "are made in DIR, and removed. Ctrl-C ends it and keeps what was measured.",
    )
    compare.add_argument(
        "directory", metavar="DIR", nargs="?", type=Path, help="(default: the current folder)"
    )
    compare.add_argument("--quick", action="store_true", help="one short round: within a minute")
    compare.add_argument(
        "--layer",
        choices=("bare", "served"),
        help="only without the server, or only behind it (default: both)",
    )
    compare.add_argument(
        "--engine",
        action="append",
        metavar="NAME",
        help="only this one; may be given several times (default: all)",
    )
    compare.add_argument(
        "--only",
        metavar="PATTERN",
        default="*",
        help='only workloads with such a name, as in "hits 4 KiB*"',
    )
    compare.add_argument(
        "--rounds", type=int, metavar="N", help="so many rounds (default: 3; 1 with --quick)"
    )
    compare.add_argument(
        "--signing",
        choices=("off", "gmac", "cmac"),
        default="off",
        help="how the client signs its requests (default: off)",
    )
    places = compare.add_argument_group("file systems of its own (root)")
    places.add_argument(
        "--file-systems",
        metavar="LIST",
        help="make these, measure on each, remove them: ext4,xfs,btrfs,tmpfs,overlayfs",
    )
    places.add_argument(
        "--slow-disk",
        type=int,
        metavar="IOPS",
        help="make an ext4 that reads so many times a second, and measure on it",
    )
    output = compare.add_argument_group("output")
    output.add_argument(
        "--output",
        metavar="NAME",
        type=Path,
        default=Path("smbd-compare"),
        help="write NAME.json and NAME.html (default: smbd-compare)",
    )
    output.add_argument("--full", action="store_true", help="print every figure")
    output.add_argument(
        "--from",
        dest="document",
        type=Path,
        metavar="FILE",
        help="measure nothing: print and write the report of this NAME.json",
    )


def _add_status(commands: Any) -> None:
    status = commands.add_parser(
        "status",
        help="show the state of the running servers",
        description="Show the sessions, open files, locks and counters of this user's running "
        "servers, or of one.",
    )
    _add_sockets(status)
    status.add_argument("--json", action="store_true", help="print the answer as JSON")


def _add_disconnect(commands: Any) -> None:
    disconnect = commands.add_parser(
        "disconnect",
        help="end a login, all of a user, or the connections of an address",
        description="End one login, all of a user, or the connections of an address. A client may "
        "come back: to keep a user out, change shares.toml and send the server SIGHUP first.",
    )
    disconnect.add_argument(
        "who", metavar="SESSION|USER|ADDRESS", help="as `tsmbd status` shows it"
    )
    _add_sockets(disconnect)


def _add_fault(commands: Any) -> None:
    fault = commands.add_parser(
        "fault",
        help="have requests to a running server go wrong, for the tests of its clients",
        description="Have requests go wrong by rules, on a server that was started with --faults "
        "or --fault: any other takes none.",
        epilog=RULES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = fault.add_subparsers(dest="action", metavar="add|list|remove", required=True)
    add = actions.add_parser(
        "add",
        help="add a rule, and print its number",
        description="Add a rule, and print its number.",
        epilog=RULES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("rule", metavar="RULE", nargs="+", help="the rule, in one word or in several")
    _add_sockets(add)
    shown = actions.add_parser(
        "list", help="show all rules, and how many requests went wrong by each"
    )
    _add_sockets(shown)
    shown.add_argument("--json", action="store_true", help="print the answer as JSON")
    remove = actions.add_parser("remove", help="remove a rule; what it holds back goes on")
    remove.add_argument("which", metavar="NUMBER|all", help="as `tsmbd fault list` shows it")
    _add_sockets(remove)


def _add_sockets(command: Any) -> None:
    command.add_argument(
        "--socket", type=Path, metavar="PATH", help="only the server at this socket"
    )
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="only the server at the status_socket of this shares.toml",
    )


def _add_health(commands: Any) -> None:
    health = commands.add_parser(
        "health",
        help="log in as a client does; the exit status is 0 if that works",
        description="Connect to the server that shares.toml describes, log in as its first user "
        "(as a guest if there is none), and open a share. For a container's HEALTHCHECK.",
    )
    health.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=DEFAULT_CONFIG,
        help="the server's shares.toml (default: ./shares.toml)",
    )
    health.add_argument(
        "--address", metavar="HOST:PORT", help="where the server is (default: as configured)"
    )
    health.add_argument(
        "--timeout",
        type=int,
        metavar="SECONDS",
        default=5,
        help="wait so long for each answer (default: 5)",
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


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)
