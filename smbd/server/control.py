"""The control socket: one line of JSON in, one JSON document out.

Whoever may connect may ask everything: the socket's mode, 0600, is what keeps others out.
"""

import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from smbd.server.accepting import talk_to_each

Answer = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]

_LONGEST_QUESTION = 4096
# Who asks is a program on this machine; one that hangs must not stay for ever.  To ask and to take
# the answer has this time each; what was asked for is done to its end.
_PATIENCE = 5.0
_MOST_ASKING = 64


async def serve(listener: socket.socket, answer: Answer) -> None:
    """Answer whoever asks at a Unix socket."""

    async def talk(stream: trio.SocketStream) -> None:
        try:
            with trio.move_on_after(_PATIENCE) as asking:
                question = await _question(stream)
            if asking.cancelled_caught:
                return
            reply = await answer(question) if question else {"error": "not a JSON object"}
            with trio.move_on_after(_PATIENCE):
                await stream.send_all(json.dumps(reply).encode())
        except trio.BrokenResourceError:
            pass  # went away without waiting for the answer

    await talk_to_each("the answer at the control socket", listener, talk, _MOST_ASKING)


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
    except (ValueError, RecursionError):  # the latter: nested thousands deep
        return None
    return found if isinstance(found, dict) else None
