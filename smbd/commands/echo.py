"""ECHO ([MS-SMB2] 3.3.5.17): the peer asks whether we live, with or without a session."""

from smbd.commands.reply import never
from smbd.request import Reply, Request
from smbd.wire.empty import EMPTY_RESPONSE, parse_empty_request


def try_now(request: Request) -> Reply | None:
    """Answer at once."""
    parse_empty_request(request.frame)
    return Reply(EMPTY_RESPONSE)


run = never
