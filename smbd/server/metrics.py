"""Figures for Prometheus, over a port of their own: those of `tsmbd status`, in its text format.

A whole HTTP server would be more than one page that never changes needs.
"""

import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import trio

from aio import Stats
from smbd.server.accepting import talk_to_each

Document = Mapping[str, Any]

_LONGEST_REQUEST = 8192
_PATIENCE = 5.0  # seconds, for the request and its answer
_MOST_ASKING = 32  # at a time: each is a descriptor, and anybody may connect


# The meaning of each name.  Those of a share are the keys of its part of the document.
HELP = {
    "info": "The version of the server; always 1.",
    "start_time_seconds": "When the server started, in seconds since 1970.",
    "connections": "Connections now, with a login or without.",
    "connections_without_login": "Connections now on which nobody has logged in yet.",
    "connections_refused_total": "Connections that were closed at once, over one of the limits.",
    "logins_failed_total": "Logins with a wrong name or password.",
    "sessions": "Logins now.",
    "locks": "Byte range locks now.",
    "leases": "Leases of clients now: what they may cache.",
    "parked": "Files kept open now for clients that have lost their connection.",
    "oplocks": "Oplocks of clients now: what they may cache.",
    "breaks_total": "Leases and oplocks that were taken from a client, in part or whole.",
    "breaks_expired_total": "Those of them that the client did not acknowledge in time.",
    "breaks_unacknowledged": "Those of them that the client has yet to acknowledge.",
    "local_marks": "Files and folders that the kernel is asked to tell changes of (watch).",
    "local_events_total": "Changes that the kernel has told of.",
    "local_events_ours_total": "Those of the changes that the server itself has made.",
    "local_overflows_total": "How often more changes came than the kernel keeps for us.",
    "share_connections": "Tree connects to the share now.",
    "share_opens": "Files of the share that are open now.",
    "share_hits": "Reads that were answered at once, from the page cache.",
    "share_hits_waited": "Reads answered at once that took more than a millisecond.",
    "share_misses": "Reads of data that was not all in the page cache.",
    "share_unknown": "Reads of files of which nothing tells whether they are in the page cache.",
    "share_oversize": "Reads and writes too long to be tried at once (inline_limit, dontcache).",
    "share_slept": "Tries in the event loop that took long enough to have slept.",
    "share_writes_inline": "Writes into the page cache that were done at once.",
    "share_writes_deferred": "Writes that were not tried at once: they might have waited.",
    "share_stalls": "Writes done at once that the kernel held up.",
    "share_reads": "Reads completed.",
    "share_writes": "Writes completed.",
    "share_fsyncs": "Flushes of a file to the disk.",
    "share_bytes_read": "Bytes read.",
    "share_bytes_written": "Bytes written.",
    "share_switches": "Calls that went to a worker thread and came back.",
    "share_submits": "System calls that gave requests to a queue of the kernel.",
    "share_submit_seconds": "Seconds in these calls, while the event loop stood still.",
    "share_max_submit_seconds": "Seconds in the longest of these calls.",
    "share_completions": "Requests taken out of a queue of the kernel.",
    "share_wakes": "How often the event loop was woken for completed requests.",
    "share_bounced": "Requests with O_DIRECT that were copied to aligned memory or from it.",
    "share_buffered": "Requests without O_DIRECT although it had been asked for.",
    "share_seconds": "Seconds in calls of the engine, all together.",
    "share_max_seconds": "Seconds in the longest call of the engine.",
}


async def serve(listener: socket.socket, figures: Callable[[], Awaitable[Document]]) -> None:
    """Answer GET /metrics at a listener."""

    async def talk(stream: trio.SocketStream) -> None:
        with trio.move_on_after(_PATIENCE):
            try:
                await stream.send_all(await _response(await _request(stream), figures))
                await stream.send_eof()
                # Closed with something unread, a connection is reset, and the answer is lost.
                while await stream.receive_some():
                    pass
            except trio.BrokenResourceError:
                pass  # went away without waiting for the answer

    await talk_to_each("the answer at the metrics port", listener, talk, _MOST_ASKING)


async def _request(stream: trio.SocketStream) -> bytes:
    """The request's first line; the headers are not needed."""
    received = bytearray()
    while b"\r\n\r\n" not in received and len(received) < _LONGEST_REQUEST:
        chunk = await stream.receive_some()
        if not chunk:
            break
        received += chunk
    return bytes(received.partition(b"\r\n")[0])


async def _response(request: bytes, figures: Callable[[], Awaitable[Document]]) -> bytes:
    match request.split(b" "):
        case [b"GET" | b"HEAD" as method, path, _] if path.partition(b"?")[0] == b"/metrics":
            body = text(await figures()).encode()
            status, kind = "200 OK", "text/plain; version=0.0.4; charset=utf-8"
        case [b"GET" | b"HEAD" as method, _, _]:
            body, status, kind = b"see /metrics\n", "404 Not Found", "text/plain"
        case _:
            method, body = b"GET", b"GET /metrics\n"
            status, kind = "400 Bad Request", "text/plain"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == b"HEAD" else body)


def text(document: Document) -> str:
    """The figures, in Prometheus' text format."""
    connections, local = document["connections"], document["local_changes"]
    values = {
        "info": 1,
        "start_time_seconds": document["started"],
        "connections": connections["now"],
        "connections_without_login": connections["without_login"],
        "connections_refused_total": connections["refused"],
        "logins_failed_total": document["failed_logins"],
        "sessions": document["sessions"],
        "locks": document["locks"],
        "parked": document["parked"],
        "leases": document["leases"],
        "oplocks": document["oplocks"],
        "breaks_total": document["breaks"],
        "breaks_expired_total": document["expired"],
        "breaks_unacknowledged": document["unacknowledged"],
        "local_marks": local["marks"],
        "local_events_total": local["events"],
        "local_events_ours_total": local["ours"],
        "local_overflows_total": local["overflows"],
    }
    lines: list[str] = []
    for name, value in values.items():
        labels = {"version": document["version"]} if name == "info" else {}
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += _family(name, kind, HELP[name], [(labels, value)])
    # A share that was configured away may have the name of one that took its place.
    shares = [share for share in document["shares"] if not share.get("retired")]
    of_shares = [{"share": share["name"], "engine": share["engine"]} for share in shares]
    for key, name, kind in _share_figures():
        samples = [(label, share[key]) for label, share in zip(of_shares, shares, strict=True)]
        lines += _family(f"share_{name}", kind, HELP[f"share_{key}"], samples)
    return "\n".join(lines) + "\n"


def _share_figures() -> Iterator[tuple[str, str, str]]:
    """Key in the document, name here, type."""
    yield "connections", "trees", "gauge"
    yield "opens", "opens", "gauge"
    for field in fields(Stats):
        if field.name in Stats.LARGEST:
            yield field.name, f"engine_{field.name}", "gauge"
        else:
            prefix = "engine_" if field.name == "seconds" else ""
            yield field.name, f"{prefix}{field.name}_total", "counter"


def _family(
    name: str, kind: str, told: str, samples: list[tuple[dict[str, str], float]]
) -> list[str]:
    """All samples of one name, below its meaning and its type."""
    lines = [f"# HELP smbd_{name} {told}", f"# TYPE smbd_{name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        lines.append(f"smbd_{name}{{{inside}}} {value}" if inside else f"smbd_{name} {value}")
    return lines


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
