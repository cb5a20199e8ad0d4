"""SMB2_FILEID ([MS-SMB2] 2.2.14.1), alone.

A request that goes on in a task is held to its open before its command parses anything again: so it
is read from where the command's row says that it stands.
"""

from struct import Struct

from smbd.ntstatus import NtError, NtStatus

FILE_ID = Struct(
    "<"
    "Q"  # Persistent
    "Q"  # Volatile
)  # fmt: skip


def parse_file_id(frame: memoryview, at: int) -> tuple[int, int]:
    """(persistent, volatile); `at` is where it stands in this request's message."""
    if len(frame) < at + FILE_ID.size:
        raise NtError(NtStatus.INVALID_PARAMETER)
    persistent_id, volatile_id = FILE_ID.unpack_from(frame, at)
    return persistent_id, volatile_id
