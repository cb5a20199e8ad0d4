"""What the commands of SMB2 are, one row each: whatever is asked of a command but how it is done.

[MS-SMB2] 2.2.1.2 numbers them.  `smbd.commands` has what carries each of them out.
"""

from dataclasses import dataclass, replace
from typing import Literal

from smbd.ntstatus import NtStatus
from smbd.wire.header import Command

# An SMB1 NEGOTIATE has no SMB2 header; it becomes a NEGOTIATE with message id 0.  The number is
# none that the 16 bits of a header could say.
SMB1_NEGOTIATE = 0x10072


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What must hold before a command is carried out, and what may happen meanwhile."""

    name: str
    needs_session: bool = True
    needs_tree: bool = True
    opens_connection: bool = False
    unprotected: bool = False  # needs neither a signature nor sealing, whatever the session says
    while_suspended: bool = False  # lets go of something: allowed before a session proves itself
    file_id_at: int = 0  # where its FileId stands, from the header on; 0: it names no file
    of_file: int = 0  # what it is answered if that is a file, or 0
    of_directory: int = 0
    limit: Literal["max_read", "max_write", "max_transact"] | None = None  # of its length
    moves_data: bool = False  # its buffers are as large as its credits say
    plain: bool = False  # most of them may be answered by smbd.plain
    flushes: bool = False  # a thread may do it that C has told
    opens: bool = False  # a file that READs and WRITEs may follow
    tells: bool = False  # what may be predicted of a file (smbd.predicted)
    prompt: bool = (
        False  # mostly answered at once: alone in a frame it may be, before the loop waits
    )
    changes: bool = False  # something that stays: what has begun is done to its end, CANCEL or not
    modifies: bool = False  # data: a ChannelSequence of old fails it ([MS-SMB2] 3.3.5.2.10)
    # An interim response to a login is nothing that the preauth integrity hash knows of, and the
    # answer to a tree connect says the TreeId where the AsyncId would stand.
    never_async: bool = False
    async_in_compound: bool = False  # also where it is not the last one
    # In the middle of a compound it is refused where it would wait for others: its client could
    # not be told that it waits, maybe for ever, nor be given the other answers.  [MS-SMB2]
    # 3.3.5.2.7 leaves the choice.  Windows and Samba have INTERNAL_ERROR, which is for bugs here.
    waits_last: bool = False


_NEGOTIATE = Row(
    name="NEGOTIATE",
    needs_session=False,
    needs_tree=False,
    opens_connection=True,
    unprotected=True,
)

ROWS: dict[int, Row] = {
    SMB1_NEGOTIATE: _NEGOTIATE,
    Command.NEGOTIATE: _NEGOTIATE,
    Command.SESSION_SETUP: Row(
        name="SESSION_SETUP",
        needs_session=False,
        needs_tree=False,
        never_async=True,
    ),
    Command.LOGOFF: Row(name="LOGOFF", needs_tree=False, while_suspended=True, changes=True),
    Command.TREE_CONNECT: Row(
        name="TREE_CONNECT", needs_tree=False, changes=True, never_async=True
    ),
    Command.TREE_DISCONNECT: Row(name="TREE_DISCONNECT", changes=True),
    Command.CREATE: Row(name="CREATE", opens=True, prompt=True, async_in_compound=True),
    Command.CLOSE: Row(
        name="CLOSE", file_id_at=72, while_suspended=True, prompt=True, changes=True
    ),
    Command.FLUSH: Row(name="FLUSH", file_id_at=72, changes=True, flushes=True, prompt=True),
    Command.READ: Row(
        name="READ",
        file_id_at=80,
        of_directory=NtStatus.INVALID_DEVICE_REQUEST,
        limit="max_read",
        plain=True,
        prompt=True,
        moves_data=True,
    ),
    Command.WRITE: Row(
        name="WRITE",
        file_id_at=80,
        of_directory=NtStatus.INVALID_DEVICE_REQUEST,
        limit="max_write",
        plain=True,
        prompt=True,
        moves_data=True,
        changes=True,
        modifies=True,
    ),
    Command.LOCK: Row(
        name="LOCK",
        file_id_at=72,
        of_directory=NtStatus.INVALID_PARAMETER,
        while_suspended=True,
        waits_last=True,
    ),
    Command.IOCTL: Row(
        name="IOCTL",
        file_id_at=72,
        limit="max_transact",
        moves_data=True,
        changes=True,
        modifies=True,
    ),
    Command.CANCEL: Row(name="CANCEL", needs_session=False, needs_tree=False, unprotected=True),
    Command.ECHO: Row(name="ECHO", needs_session=False, needs_tree=False),
    Command.QUERY_DIRECTORY: Row(
        name="QUERY_DIRECTORY",
        file_id_at=72,
        of_file=NtStatus.INVALID_PARAMETER,
        limit="max_transact",
        moves_data=True,
        prompt=True,
    ),
    Command.CHANGE_NOTIFY: Row(
        name="CHANGE_NOTIFY",
        file_id_at=72,
        of_file=NtStatus.INVALID_PARAMETER,
        limit="max_transact",
        waits_last=True,
    ),
    Command.QUERY_INFO: Row(
        name="QUERY_INFO",
        tells=True,
        prompt=True,
        file_id_at=88,
        limit="max_transact",
        moves_data=True,
    ),
    Command.SET_INFO: Row(
        name="SET_INFO",
        prompt=True,
        file_id_at=80,
        limit="max_transact",
        moves_data=True,
        changes=True,
        modifies=True,
    ),
    Command.OPLOCK_BREAK: Row(name="OPLOCK_BREAK"),
}

# Of a number that is no command's.
UNKNOWN = Row(name="unknown")

# On IPC$, where whatever names a file means a pipe: nothing of it stays.
PIPE_ROWS: dict[int, Row] = {
    number: replace(row, changes=False)
    for number, row in ROWS.items()
    if row.file_id_at or number == Command.CREATE
}
