"""Where each request carries its SMB2_FILEID ([MS-SMB2] 2.2.14.1).

The pipeline looks the open up from the command's row, before the command parses anything; the
offsets stand here together so that it needs no parse for that.
"""

from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.header import Command

FILE_ID = Struct(
    "<"
    "Q"  # Persistent
    "Q"  # Volatile
)  # fmt: skip

ANY_FILE_ID = 0xFFFFFFFFFFFFFFFF  # both halves: "the one of the request before" in a compound

FILE_ID_AT = {
    Command.CLOSE: 72,
    Command.FLUSH: 72,
    Command.READ: 80,
    Command.WRITE: 80,
    Command.LOCK: 72,
    Command.IOCTL: 72,
    Command.QUERY_DIRECTORY: 72,
    Command.CHANGE_NOTIFY: 72,
    Command.QUERY_INFO: 88,
    Command.SET_INFO: 80,
}


def parse_file_id(frame: memoryview, command: int) -> tuple[int, int]:
    """(persistent, volatile) of a request whose command is in FILE_ID_AT."""
    at = FILE_ID_AT[command]
    if len(frame) < at + FILE_ID.size:
        raise NtError(NtStatus.INVALID_PARAMETER)
    persistent_id, volatile_id = FILE_ID.unpack_from(frame, at)
    return persistent_id, volatile_id
