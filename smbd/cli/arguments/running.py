"""The arguments of the commands that ask a running server."""

import argparse
from pathlib import Path
from typing import Any

from smbd.cli.arguments import DEFAULT_CONFIG
from smbd.cli.fault_help import RULES


def add_status(commands: Any) -> None:
    """Add `tsmbd status`."""
    status = commands.add_parser(
        "status",
        help="show the state of the running servers",
        description="Show the sessions, open files, locks and counters of this user's running "
        "servers, or of one.",
    )
    _add_sockets(status)
    status.add_argument("--json", action="store_true", help="print the answer as JSON")


def add_disconnect(commands: Any) -> None:
    """Add `tsmbd disconnect`."""
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


def add_fault(commands: Any) -> None:
    """Add `tsmbd fault`."""
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


def add_health(commands: Any) -> None:
    """Add `tsmbd health`."""
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
