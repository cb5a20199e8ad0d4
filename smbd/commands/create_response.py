"""The response to a CREATE that has succeeded ([MS-SMB2] 2.2.14)."""

from smbd.fsa.opening import Found
from smbd.request import Reply, Request
from smbd.state import Open, level_of
from smbd.wire.create import OplockLevel, pack_create_response


def respond(
    request: Request, open_: Open, found: Found, level: int, contexts: list[tuple[bytes, bytes]]
) -> Reply:
    """Tell the client of its Open, which a related request may go on with."""
    request.open = open_
    return Reply(
        pack_create_response(
            level,
            found.action,
            found.information,
            open_.persistent_id,
            open_.volatile_id,
            contexts,
        )
    )


def granted_level(open_: Open) -> int:
    """OplockLevel: what the client may cache."""
    caching = open_.caching
    if caching is None:
        return OplockLevel.NONE
    return level_of(caching.held) if caching.is_oplock else OplockLevel.LEASE
