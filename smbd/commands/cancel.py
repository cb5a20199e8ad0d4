"""CANCEL ([MS-SMB2] 3.3.5.16): ends a request that is being worked on; has no response."""

from smbd.commands.reply import NO_REPLY, never
from smbd.request import Reply, Request


def try_now(request: Request) -> Reply | None:
    """Cancel what it means, if that still runs."""
    target = request.connection.find_running(request)
    if target is not None:
        target.cancel()
    return NO_REPLY


run = never
