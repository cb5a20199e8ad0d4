"""LOGOFF ([MS-SMB2] 3.3.5.6)."""

from smbd.commands.reply import later
from smbd.request import Reply, Request
from smbd.teardown import end_session
from smbd.wire.empty import EMPTY_RESPONSE, parse_empty_request

try_now = later  # closing what the session holds may delete files


async def run(request: Request) -> Reply:
    """End the session; the response is still signed by it."""
    parse_empty_request(request.frame)
    await end_session(request.service, request.live_session(), preserve=True)
    return Reply(EMPTY_RESPONSE)
