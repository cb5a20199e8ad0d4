"""`smbd status`: asks a server for what it does, and prints it as tables."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smbd.cli.asking import ask_all
from smbd.cli.table import in_bytes, in_seconds, table

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
    ("hits_waited", "hits waited", str),
    ("slept", "slept", str),
    ("writes", "writes", str),
    ("writes_inline", "inline", str),
    ("switches", "switches", str),
    ("bytes_read", "read", in_bytes),
    ("bytes_written", "written", in_bytes),
    ("seconds", "awaited", in_seconds),
    ("max_seconds", "longest", in_seconds),
    ("engine_notes", "notes", str),
)
_SESSIONS: Sequence[Column] = (
    ("id", "session", str),
    ("user", "user", str),
    ("peer", "peer", str),
    ("dialect", "dialect", str),
    ("signing", "signing", str),
    ("sealed", "sealed", lambda sealed: "yes" if sealed else "no"),
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
_LOCKS: Sequence[Column] = (
    ("share", "share", str),
    ("path", "path", str),
    ("user", "user", str),
    ("kind", "lock", str),
    ("offset", "offset", str),
    ("length", "length", str),
)


def run(arguments: argparse.Namespace) -> int:
    """Ask every server that is meant, and print what each says."""
    found = 0
    for document in ask_all(arguments, {"ask": "status"}):
        found += 1
        print(json.dumps(document) if arguments.json else report(document))
    return 0 if found else 1


def report(document: Mapping[str, Any]) -> str:
    """Write the whole document for a person."""
    parts = [_headline(document), shares_table(document)]
    for key, columns, nothing in (
        ("sessions", _SESSIONS, "nobody is logged in"),
        ("opens", _OPENS, "no file is open"),
        ("locks", _LOCKS, "nothing is locked"),
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
