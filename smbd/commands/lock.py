"""LOCK ([MS-SMB2] 3.3.5.14): not there yet, and it says so: a lock that is granted but not kept
corrupts data."""

from smbd.commands.reply import never
from smbd.connection import Reply, Request
from smbd.ntstatus import NtError, NtStatus
from smbd.wire.lock import parse_lock_request


def try_now(request: Request) -> Reply | None:
    """Refuse."""
    request.find_open(parse_lock_request(request.frame))
    raise NtError(NtStatus.NOT_SUPPORTED)


run = never
