"""What the server does at the moment, as one JSON document over a local socket."""

import json
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import trio

from smbd import __version__
from smbd.config import dialect_name, make_runtime_directory, runtime_directory
from smbd.crypto import AES_CMAC, AES_GMAC, HMAC_SHA256
from smbd.server.peer import Peer
from smbd.service import Service
from smbd.share import Share
from smbd.state import Open
from smbd.wire.access import Access

_SIGNING = {HMAC_SHA256: "HMAC-SHA256", AES_CMAC: "AES-CMAC", AES_GMAC: "AES-GMAC"}


def document(service: Service, peers: Iterable[Peer], listen: Iterable[str]) -> dict[str, Any]:
    """Everything that `smbd status` shows."""
    users = {one.session_id: one.user for one in service.sessions.values()}
    opens = list(service.opens)
    return {
        "version": __version__,
        "pid": os.getpid(),
        "uptime": time.time() - service.started,
        "listen": list(listen),
        "shares": [_share(service, share, opens) for share in service.shares.values()],
        "sessions": [session for peer in peers for session in _sessions(peer)],
        "opens": [
            {
                "share": one.share.name,
                "path": one.file.path,
                "user": users.get(one.session_id, ""),
                "access": _letters(one.granted_access),
            }
            for one in opens
        ],
    }


def _share(service: Service, share: Share, opens: list[Open]) -> dict[str, Any]:
    connections = sum(
        tree.share is share
        for session in service.sessions.values()
        for tree in session.trees.values()
    )
    return {
        "name": share.name,
        "path": str(share.config.path),
        "engine": share.engine.name,
        "connections": connections,
        "opens": sum(one.share is share for one in opens),
        **asdict(share.engine.statistics()),
    }


def _sessions(peer: Peer) -> list[dict[str, Any]]:
    connection = peer.connection
    return [
        {
            "id": f"{session.session_id:#x}",
            "user": session.user,
            "peer": connection.peer,
            "dialect": dialect_name(connection.dialect),
            "signing": _SIGNING[connection.signing_algorithm] if session.has_key else "none",
            "trees": len(session.trees),
            "opens": len(session.opens),
            "since": time.time() - session.began,
        }
        for session in connection.sessions.values()
    ]


def _letters(access: int) -> str:
    """r, w and d for the rights to read, write and delete."""
    letters = (
        ("r", Access.FILE_READ_DATA | Access.FILE_EXECUTE),
        ("w", Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA),
        ("d", Access.DELETE),
    )
    return "".join(letter for letter, rights in letters if access & rights)


def listen(path: Path) -> trio.SocketListener:
    """A Unix socket that only this user can reach."""
    if path.parent == runtime_directory():
        make_runtime_directory(path.parent)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(old)
    sock.listen()
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


async def answer(stream: trio.SocketStream, status: dict[str, Any]) -> None:
    """Write the document and end."""
    async with stream:
        await stream.send_all(json.dumps(status).encode())
