"""The header of every response, and the notification of a break ([MS-SMB2] 3.3.4.1, 2.2.23)."""

from smbd.credits import CommandSequenceWindow
from smbd.ntstatus import NtStatus
from smbd.request import HEADROOM, Reply, Request
from smbd.rows import SMB1_NEGOTIATE
from smbd.wire.header import HEADER, HEADER_SIZE, PROTOCOL_ID, Command, Flags

# [MS-SMB2] 2.2.1.2: the MessageId of what no request asked for.
NOTIFICATION_ID = 0xFFFFFFFFFFFFFFFF
_NO_SIGNATURE = bytes(16)
# Asked for each response: a class's name would be looked up each time.
_RESPONSE = Flags.SERVER_TO_REDIR
_ECHOED = Flags.RELATED_OPERATIONS | Flags.PRIORITY_MASK


def fill_header(
    window: CommandSequenceWindow, request: Request, reply: Reply, next_command: int
) -> None:
    """[MS-SMB2] 3.3.4.1; the credits go with the first response, interim or not."""
    flags = _RESPONSE | (request.flags & _ECHOED)
    if request.async_id:
        flags |= Flags.ASYNC_COMMAND
        low, tree_id = request.async_id & 0xFFFFFFFF, request.async_id >> 32
        credits_granted = 0
        if reply.status == NtStatus.PENDING:
            credits_granted = window.grant(request.credit_request)
    else:
        low, tree_id = 0xFEFF, request.tree_id
        credits_granted = window.grant(request.credit_request)
    command = request.command
    if command == SMB1_NEGOTIATE:
        command = Command.NEGOTIATE
    request.status = reply.status
    HEADER.pack_into(
        reply.frame,
        4,
        PROTOCOL_ID,
        HEADER_SIZE,
        request.credit_charge,
        reply.status,
        command,
        credits_granted,
        flags,
        next_command,
        request.message_id,
        low,
        tree_id,
        request.session_id,
        _NO_SIGNATURE,
    )


def notification(body: bytes, session_id: int) -> bytearray:
    """An OPLOCK_BREAK notification, for which no request asked, behind a NetBIOS length of 0."""
    frame = bytearray(HEADROOM) + body
    HEADER.pack_into(
        frame,
        4,
        PROTOCOL_ID,
        HEADER_SIZE,
        0,  # CreditCharge
        NtStatus.SUCCESS,
        Command.OPLOCK_BREAK,
        0,  # credits: it answers nothing
        Flags.SERVER_TO_REDIR,
        0,
        NOTIFICATION_ID,
        0,
        0,  # TreeId
        session_id,
        _NO_SIGNATURE,
    )
    return frame
