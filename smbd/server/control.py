"""The control socket: one line of JSON in, one JSON document out.

A program that can connect may ask everything: the socket's mode, 0600, keeps other users out.
"""

import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import trio

from smbd.server.accepting import talk_to_each

Answer = Callable[[Mapping[str, Any]], AsyncGenerator[bytes, None]]

_LONGEST_QUESTION = 4096
# Seconds for a program to send its question, and to take each piece of the answer: one that hangs
# must not stay for ever.  A command that was asked for is done to its end.
_PATIENCE = 5.0
_MOST_ASKING = 64


async def serve(listener: socket.socket, answer: Answer) -> None:
    """Answer programs at a Unix socket."""

    async def talk(stream: trio.SocketStream) -> None:
        try:
            with trio.move_on_after(_PATIENCE) as asking:
                question = await _question(stream)
            if asking.cancelled_caught:
                return
            async with aclosing(answer(question) if question else _refusal()) as pieces:
                async for piece in pieces:
                    with trio.move_on_after(_PATIENCE) as taking:
                        await stream.send_all(piece)
                    if taking.cancelled_caught:
                        return
        except trio.BrokenResourceError:
            pass  # went away without waiting for the answer

    await talk_to_each("the answer at the control socket", listener, talk, _MOST_ASKING)


async def _refusal() -> AsyncGenerator[bytes, None]:
    yield b'{"error": "not a JSON object"}'


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
