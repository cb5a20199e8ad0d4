"""`smbd status`: asks a server's socket for its one JSON document, and prints it as tables."""

import argparse
import json
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from smbd.cli import UsageError
from smbd.cli.table import in_bytes, in_seconds, table
from smbd.config import load, runtime_directory

# A server that is asked answers at once; one that hangs shall not hang us.
_PATIENCE = 5.0

# Key in the document, header, how it is written. A column that no row has is left out.
Column = tuple[str, str, Callable[[Any], str]]

# The counters are those of aio.base.Stats.
_SHARES: Sequence[Column] = (
    ("name", "share", str),
    ("engine", "engine", str),
    ("connections", "trees", str),
    ("opens", "opens", str),
    ("reads", "reads", str),
    ("hits", "hits", str),
    ("misses", "misses", str),
    ("unknown", "unknown", str),
    ("slept", "slept", str),
    ("writes", "writes", str),
    ("writes_inline", "inline", str),
    ("switches", "switches", str),
    ("bytes_read", "read", in_bytes),
    ("bytes_written", "written", in_bytes),
    ("seconds", "awaited", in_seconds),
    ("max_seconds", "longest", in_seconds),
)
_SESSIONS: Sequence[Column] = (
    ("user", "user", str),
    ("peer", "peer", str),
    ("dialect", "dialect", str),
    ("signing", "signing", str),
    ("trees", "trees", str),
    ("opens", "opens", str),
    ("since", "since", in_seconds),
)
_OPENS: Sequence[Column] = (
    ("share", "share", str),
    ("path", "path", str),
    ("user", "user", str),
    ("access", "access", str),
)


def run(arguments: argparse.Namespace) -> int:
    """Ask every server that is meant, and print what each says."""
    found = 0
    for path in _sockets(arguments):
        try:
            text = ask(path)
        except OSError as error:
            if arguments.socket:
                raise UsageError(f"{path}: {error.strerror or error}") from None
            continue  # left by a server that was killed
        found += 1
        print(text.rstrip("\n") if arguments.json else report(json.loads(text)))
    if not found:
        print("no server of this user is running", file=sys.stderr)
    return 0 if found else 1


def _sockets(arguments: argparse.Namespace) -> list[Path]:
    if arguments.socket:
        return [arguments.socket]
    if arguments.config:
        path = load(arguments.config).server.status_socket
        if path is None:
            raise UsageError(f'{arguments.config}: status_socket = "" tells nobody anything')
        if path.parent != runtime_directory():
            return [path]
    return sorted(runtime_directory().glob("*.sock"))


def ask(path: Path) -> str:
    """Return the document of the server at a socket; OSError if none answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(str(path))
        received = bytearray()
        while chunk := connection.recv(65536):
            received += chunk
    return received.decode()


def report(document: Mapping[str, Any]) -> str:
    """Write the whole document for a person."""
    parts = [_headline(document), shares_table(document)]
    for key, columns, nothing in (
        ("sessions", _SESSIONS, "nobody is logged in"),
        ("opens", _OPENS, "no file is open"),
    ):
        rows = document.get(key)
        if rows is not None:
            parts.append(_table(columns, rows) if rows else nothing)
    return "\n\n".join(parts)


def _headline(document: Mapping[str, Any]) -> str:
    listen = ", ".join(document.get("listen", ()))
    uptime = in_seconds(document.get("uptime", 0))
    return f"smbd {document.get('version', '')} on {listen}, up {uptime}, pid {document.get('pid')}"


def shares_table(document: Mapping[str, Any]) -> str:
    """Write what each share's clients have done: also what `smbd serve` shows at its end."""
    return _table(_SHARES, document["shares"])


def _table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
    present = [column for column in columns if any(column[0] in row for row in rows)]
    return table(
        [title for _, title, _ in present],
        [[written(row[key]) if key in row else "-" for key, _, written in present] for row in rows],
        left=sum(written is str and _is_text(rows, key) for key, _, written in present),
    )


def _is_text(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    return any(isinstance(row.get(key), str) for row in rows)
