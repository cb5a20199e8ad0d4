"""What the server does at the moment, as one JSON document."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from smbd import __version__
from smbd.config import Address, dialect_name
from smbd.crypto import AES_CMAC, AES_GMAC, HMAC_SHA256
from smbd.server.admission import Admission
from smbd.server.peer import Peer
from smbd.service import Service
from smbd.session import Session
from smbd.share import Share
from smbd.state import Open
from smbd.wire.access import Access

_SIGNING = {HMAC_SHA256: "HMAC-SHA256", AES_CMAC: "AES-CMAC", AES_GMAC: "AES-GMAC"}


def document(
    service: Service, peers: Iterable[Peer], admission: Admission, listen: Iterable[Address]
) -> dict[str, Any]:
    """Everything that `smbd status` shows."""
    users = {one.session_id: one.user for one in service.sessions.values()}
    opens = list(service.opens)
    return {
        "version": __version__,
        "pid": os.getpid(),
        "started": service.started,
        "uptime": service.uptime,
        "listen": [str(address) for address in listen],
        "connections": {
            "now": admission.total,
            "without_login": admission.strangers,
            "refused": admission.refused,
        },
        "failed_logins": service.brake.total,
        "shares": [
            *(_share(service, share, opens) for share in service.shares.values()),
            *(_share(service, share, opens) | {"retired": True} for share in service.retired),
        ],
        "sessions": [_session(peer, session) for peer in peers for session in logged_in(peer)],
        "opens": [_open(one, users) for one in opens],
        "locks": [lock for one in opens for lock in _locks(one, users)],
    }


def logged_in(peer: Peer) -> Sequence[Session]:
    """The sessions of a connection, without logins that are still under way."""
    return [one for one in peer.connection.sessions.values() if one.identity is not None]


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
        **({"engine_notes": "; ".join(share.engine.notes)} if share.engine.notes else {}),
        "connections": connections,
        "opens": sum(one.share is share for one in opens),
        **asdict(share.engine.statistics()),
    }


def _session(peer: Peer, session: Session) -> dict[str, Any]:
    connection = peer.connection
    return {
        "id": hex(session.session_id),
        "user": session.user or "anonymous",
        "peer": peer.name,
        "dialect": dialect_name(connection.dialect),
        "signing": _SIGNING[connection.signing_algorithm] if session.has_key else "none",
        "sealed": session.encrypt,
        "trees": len(session.trees),
        "opens": len(session.opens),
        "since": time.monotonic() - session.began,
    }


def _open(open_: Open, users: dict[int, str]) -> dict[str, Any]:
    return {
        "share": open_.share.name,
        "path": open_.file.path,
        "user": users.get(open_.session_id, ""),
        "session": hex(open_.session_id),
        "access": _letters(open_.granted_access),
    }


def _locks(open_: Open, users: dict[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "share": open_.share.name,
            "path": open_.file.path,
            "user": users.get(open_.session_id, ""),
            "offset": lock.offset,
            "length": lock.length,
            "kind": "exclusive" if lock.exclusive else "shared",
        }
        for lock in open_.locks.of(open_)
    ]


def _letters(access: int) -> str:
    """r, w and d for the rights to read, write and delete."""
    letters = (
        ("r", Access.FILE_READ_DATA | Access.FILE_EXECUTE),
        ("w", Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA),
        ("d", Access.DELETE),
    )
    return "".join(letter for letter, rights in letters if access & rights)
