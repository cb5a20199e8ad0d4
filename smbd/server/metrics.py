"""Figures for Prometheus, over a port of their own: what `smbd status` counts, in its text format.

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
    """The request's first line; what follows says nothing that we want to know."""
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
    """What is counted, in Prometheus' text format."""
    connections = document["connections"]
    lines = [
        *_family("info", "gauge", [({"version": document["version"]}, 1)]),
        *_family("start_time_seconds", "gauge", [({}, document["started"])]),
        *_family("connections", "gauge", [({}, connections["now"])]),
        *_family("connections_without_login", "gauge", [({}, connections["without_login"])]),
        *_family("connections_refused_total", "counter", [({}, connections["refused"])]),
        *_family("logins_failed_total", "counter", [({}, document["failed_logins"])]),
        *_family("sessions", "gauge", [({}, document["sessions"])]),
        *_family("locks", "gauge", [({}, document["locks"])]),
    ]
    # A share that was configured away may have the name of one that took its place.
    shares = [share for share in document["shares"] if not share.get("retired")]
    labels = [{"share": share["name"], "engine": share["engine"]} for share in shares]
    for key, name, kind in _share_figures():
        samples = [(label, share[key]) for label, share in zip(labels, shares, strict=True)]
        lines += _family(f"share_{name}", kind, samples)
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


def _family(name: str, kind: str, samples: list[tuple[dict[str, str], float]]) -> list[str]:
    """All samples of one name, below its type."""
    lines = [f"# TYPE smbd_{name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        lines.append(f"smbd_{name}{{{inside}}} {value}" if inside else f"smbd_{name} {value}")
    return lines


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
