"""`tsmbd status`: asks servers for their state, and prints it as tables."""

import argparse
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smbd.cli.asking import ask_all
from smbd.cli.table import in_bytes, in_seconds, table

# Key in the document, header, how it is written. A column that no row has is left out.
Column = tuple[str, str, Callable[[Any], str]]
# Key, name, how it is written, what it means.
Figure = tuple[str, str, Callable[[Any], str], str]

_WIDTH = 80

# The counters are those of aio.base.Stats; a counter of 0 is left out.
_FIGURES: Sequence[Figure] = (
    ("reads", "reads", str, "completed, of"),
    ("hits", "  at once", str, "from the page cache, without a thread"),
    ("hits_waited", "  slow", str, "of these took more than a millisecond"),
    ("misses", "  missed", str, "were not all in the page cache"),
    ("unknown", "  unknown", str, "nothing tells whether these are cached"),
    ("slept", "  slept", str, "were tried at once, and held up the loop"),
    ("writes", "writes", str, "completed, of"),
    ("writes_inline", "  at once", str, "into the page cache, without a thread"),
    ("writes_deferred", "  deferred", str, "might have waited for the disk"),
    ("stalls", "  stalled", str, "at once, and held up by the kernel"),
    ("oversize", "too long", str, "reads and writes beyond the inline limit"),
    ("fsyncs", "flushes", str, "to the disk"),
    ("switches", "switches", str, "calls that went to a thread and came back"),
    ("seconds", "awaited", in_seconds, "in calls of the engine, all together"),
    ("max_seconds", "longest", in_seconds, "of these calls"),
)
_SESSIONS: Sequence[Column] = (
    ("id", "session", str),
    ("user", "user", str),
    ("client", "client", str),
    ("dialect", "SMB", str),
    ("secured", "secured", str),
    ("trees", "trees", str),
    ("opens", "opens", str),
    ("since", "since", in_seconds),
)
_OPENS: Sequence[Column] = (
    ("share", "share", str),
    ("path", "path", str),
    ("user", "user", str),
    ("access", "access", str),
    ("caching", "cached by", str),
    ("breaking", "break waits", in_seconds),
    ("parked", "kept for", in_seconds),
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
    """Ask every server that is meant, and print each answer."""
    found = 0
    for document in ask_all(arguments, {"ask": "status"}):
        found += 1
        print(json.dumps(document) if arguments.json else report(document))
    return 0 if found else 1


def report(document: Mapping[str, Any]) -> str:
    """Write the whole document for a person."""
    parts = [
        _headline(document),
        *_faults(document),
        *_breaks(document),
        *_local_changes(document),
        *(_share(share) for share in document["shares"]),
    ]
    for key, columns, nothing in (
        ("sessions", _SESSIONS, "nobody is logged in"),
        ("opens", _OPENS, "no file is open"),
        ("locks", _LOCKS, "nothing is locked"),
    ):
        rows = document.get(key)
        if rows is not None:
            shown = [_login(row) for row in rows] if key == "sessions" else rows
            parts.append(_table(columns, shown) if rows else nothing)
    return "\n\n".join(parts)


def _headline(document: Mapping[str, Any]) -> str:
    listen = ", ".join(document.get("listen", ()))
    uptime = in_seconds(document.get("uptime", 0))
    line = f"smbd {document.get('version', '')} on {listen}, up {uptime}, pid {document.get('pid')}"
    return _wrapped(line)


def _faults(document: Mapping[str, Any]) -> Sequence[str]:
    """Write that requests go wrong on purpose, if they do."""
    faults = document.get("faults", ())
    if not faults:
        return ()
    hits = sum(fault["hits"] for fault in faults)
    text = f"requests go wrong on purpose, by {len(faults)} rules, and {hits} have: see"
    return (_wrapped(f"{text} `tsmbd fault list`"),)


def _breaks(document: Mapping[str, Any]) -> Sequence[str]:
    """Write for how many answers of clients others may be waiting, if for any."""
    waiting = document.get("unacknowledged", 0)
    if not waiting:
        return ()
    since = max((row.get("breaking", 0.0) for row in document.get("opens", ())), default=0.0)
    text = f"breaks of leases and oplocks that no client has acknowledged yet: {waiting}"
    return (_wrapped(f"{text}, the oldest told {in_seconds(since)} ago"),)


def _local_changes(document: Mapping[str, Any]) -> Sequence[str]:
    """Write what is known of other processes' changes, if some share has them watched."""
    local = document.get("local_changes", {})
    if not local.get("by"):
        return ()
    shares = ", ".join(share["name"] for share in document["shares"] if share.get("watch"))
    first = f"watched for other programs' changes, by {local['by']}: {shares or 'no share'}"
    second = (
        f"  {local['marks']} files and folders, {local['events']} changes told, "
        f"{local['ours']} of them smbd's own, {local['overflows']} overflows"
    )
    return (f"{_wrapped(first)}\n{_wrapped(second)}",)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def served(document: Mapping[str, Any]) -> str:
    """Write the counters of READs and WRITEs of each share: '' if all are 0.

    It is what `tsmbd serve` shows at its end.
    """
    keys = [key for key, *_ in _FIGURES]
    shares = [share for share in document["shares"] if any(share.get(key) for key in keys)]
    return "\n\n".join(map(_share, shares))


def _share(share: Mapping[str, Any]) -> str:
    """Write a share's figures below one another, each with its meaning."""
    connected, opens = share.get("connections", 0), share.get("opens", 0)
    engine = share.get("engine", "-")
    lines = [f"{share['name']}: {connected} connected, {opens} files open, engine {engine}"]
    if share.get("engine_notes"):
        wrapped = textwrap.wrap(share["engine_notes"], _WIDTH - 2)
        lines += [f"  {line}" for line in wrapped]
    lines += [
        f"  {name:<12} {written(share[key]):>12}  {meaning}{_bytes_of(share, key)}"
        for key, name, written, meaning in _FIGURES
        if share.get(key)
    ]
    if len(lines) == 1:
        lines.append("  nothing was read or written")
    return "\n".join(lines)


def _bytes_of(share: Mapping[str, Any], key: str) -> str:
    count = {"reads": "bytes_read", "writes": "bytes_written"}.get(key)
    if count is None:
        return ""
    written = in_bytes(share.get(count, 0))
    return f" {written}" if " " in written else f" {written} bytes"


def _login(session: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put into one word how a session is kept from others on the way, and by which connections.

    --json has all of it.
    """
    signed = "signed" if session.get("signing", "none") != "none" else "no"
    more = len(session.get("channels", ())) - 1
    client = f"{session.get('client', '')} +{more}" if more > 0 else session.get("client", "")
    return {**session, "secured": "sealed" if session.get("sealed") else signed, "client": client}


def _table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
    present = [column for column in columns if any(column[0] in row for row in rows)]
    return table(
        [title for _, title, _ in present],
        [[written(row[key]) if key in row else "-" for key, _, written in present] for row in rows],
        left=sum(written is str and _is_text(rows, key) for key, _, written in present),
        most=_WIDTH,
    )


def _is_text(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    return any(isinstance(row.get(key), str) for row in rows)
