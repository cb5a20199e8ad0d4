"""The arguments of `tsmbd serve`."""

import argparse
from pathlib import Path
from typing import Any


def add_serve(commands: Any) -> None:
    """Add `tsmbd serve`."""
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


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)
