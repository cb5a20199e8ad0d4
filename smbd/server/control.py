"""The control socket: one line of JSON in, one JSON document out.

Whoever may connect may ask everything: the socket's mode, 0600, is what keeps others out.
"""

import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

Answer = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]

_LONGEST_QUESTION = 4096
# Who asks is a program on this machine; one that hangs must not stay for ever.
_PATIENCE = 5.0


async def serve(listener: socket.socket, answer: Answer) -> None:
    """Answer whoever asks at a Unix socket."""

    async def talk(stream: trio.SocketStream) -> None:
        async with stream:
            with trio.move_on_after(_PATIENCE):
                try:
                    question = await _question(stream)
                    reply = await answer(question) if question else {"error": "not a JSON object"}
                    await stream.send_all(json.dumps(reply).encode())
                except trio.BrokenResourceError:
                    pass  # went away without waiting for the answer

    stream_listener = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
    await trio.serve_listeners(talk, [stream_listener])


async def _question(stream: trio.SocketStream) -> Mapping[str, Any] | None:
    """The JSON object of the line that is sent, or None if it is not one."""
    received = bytearray()
    while b"\n" not in received and len(received) < _LONGEST_QUESTION:
        chunk = await stream.receive_some()
        if not chunk:
            break
        received += chunk
    try:
        found = json.loads(received)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
