"""TREE_DISCONNECT ([MS-SMB2] 3.3.5.8)."""

from smbd.commands.reply import later
from smbd.request import Reply, Request
from smbd.teardown import end_tree
from smbd.wire.empty import EMPTY_RESPONSE, parse_empty_request

try_now = later  # closing what was opened through the tree may delete files


async def run(request: Request) -> Reply:
    """End the tree connect and its opens."""
    parse_empty_request(request.frame)
    await end_tree(request.service, request.live_tree())
    return Reply(EMPTY_RESPONSE)
