"""OPLOCK_BREAK acknowledgments ([MS-SMB2] 3.3.5.22): none is due, since no oplock is granted."""

from smbd.commands.reply import never
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.wire.oplock_break import (
    OplockBreakAcknowledgment,
    parse_oplock_break_acknowledgment,
)


def try_now(request: Request) -> Reply | None:
    """Tell the client that nothing is being broken."""
    message = parse_oplock_break_acknowledgment(request.frame)
    if isinstance(message, OplockBreakAcknowledgment):
        request.find_open(message)
        raise NtError(NtStatus.INVALID_OPLOCK_PROTOCOL)
    raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)  # 3.3.5.22.2: no such lease


run = never
