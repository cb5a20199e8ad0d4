"""CHANGE_NOTIFY ([MS-SMB2] 3.3.5.19): not there yet, and it says so; clients then poll."""

from smbd.commands.reply import never
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.wire.change_notify import parse_change_notify_request


def try_now(request: Request) -> Reply | None:
    """Refuse."""
    request.find_open(parse_change_notify_request(request.frame))
    raise NtError(NtStatus.NOT_SUPPORTED)


run = never
