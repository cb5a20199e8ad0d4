"""NTSTATUS values, the two errors that carry a verdict, and the one errno -> NTSTATUS table.

[MS-ERREF] 2.3.1 has the values; [MS-SMB2] 3.3.5 says which one a case gets.
"""

import errno


class NtStatus:
    """NTSTATUS constants, plain ints: `Enum(value)` costs 0.34 us and nobody needs the type."""

    SUCCESS = 0x00000000
    PENDING = 0x00000103
    SOME_NOT_MAPPED = 0x00000107
    NOTIFY_CLEANUP = 0x0000010B
    NOTIFY_ENUM_DIR = 0x0000010C
    BUFFER_OVERFLOW = 0x80000005
    NO_MORE_FILES = 0x80000006
    INVALID_EA_NAME = 0x80000013
    UNSUCCESSFUL = 0xC0000001
    INVALID_INFO_CLASS = 0xC0000003
    INFO_LENGTH_MISMATCH = 0xC0000004
    INVALID_HANDLE = 0xC0000008
    INVALID_PARAMETER = 0xC000000D
    NO_SUCH_DEVICE = 0xC000000E
    NO_SUCH_FILE = 0xC000000F
    INVALID_DEVICE_REQUEST = 0xC0000010
    END_OF_FILE = 0xC0000011
    MORE_PROCESSING_REQUIRED = 0xC0000016
    NO_MEMORY = 0xC0000017
    INVALID_VIEW_SIZE = 0xC000001F
    ACCESS_DENIED = 0xC0000022
    BUFFER_TOO_SMALL = 0xC0000023
    OBJECT_TYPE_MISMATCH = 0xC0000024
    OBJECT_NAME_INVALID = 0xC0000033
    OBJECT_NAME_NOT_FOUND = 0xC0000034
    OBJECT_NAME_COLLISION = 0xC0000035
    OBJECT_PATH_NOT_FOUND = 0xC000003A
    OBJECT_PATH_SYNTAX_BAD = 0xC000003B
    SHARING_VIOLATION = 0xC0000043
    EA_TOO_LARGE = 0xC0000050
    NO_EAS_ON_FILE = 0xC0000052
    EA_CORRUPT_ERROR = 0xC0000053
    FILE_LOCK_CONFLICT = 0xC0000054
    LOCK_NOT_GRANTED = 0xC0000055
    DELETE_PENDING = 0xC0000056
    INVALID_OWNER = 0xC000005A
    PRIVILEGE_NOT_HELD = 0xC0000061
    BAD_IMPERSONATION_LEVEL = 0xC00000A5
    LOGON_FAILURE = 0xC000006D
    NONE_MAPPED = 0xC0000073
    RANGE_NOT_LOCKED = 0xC000007E
    DISK_FULL = 0xC000007F
    ALLOTTED_SPACE_EXCEEDED = 0xC0000099
    INSUFFICIENT_RESOURCES = 0xC000009A
    MEDIA_WRITE_PROTECTED = 0xC00000A2
    PIPE_BUSY = 0xC00000AE
    PIPE_DISCONNECTED = 0xC00000B0
    IO_TIMEOUT = 0xC00000B5
    FILE_IS_A_DIRECTORY = 0xC00000BA
    NOT_SUPPORTED = 0xC00000BB
    NETWORK_NAME_DELETED = 0xC00000C9
    BAD_NETWORK_NAME = 0xC00000CC
    REQUEST_NOT_ACCEPTED = 0xC00000D0
    NOT_SAME_DEVICE = 0xC00000D4
    INVALID_OPLOCK_PROTOCOL = 0xC00000E3
    INTERNAL_ERROR = 0xC00000E5
    DIRECTORY_NOT_EMPTY = 0xC0000101
    NOT_A_DIRECTORY = 0xC0000103
    TOO_MANY_OPENED_FILES = 0xC000011F
    CANCELLED = 0xC0000120
    CANNOT_DELETE = 0xC0000121
    FILE_CLOSED = 0xC0000128
    PIPE_BROKEN = 0xC000014B
    UNEXPECTED_IO_ERROR = 0xC00000E9
    FS_DRIVER_REQUIRED = 0xC000019C
    USER_SESSION_DELETED = 0xC0000203
    NOT_FOUND = 0xC0000225
    DUPLICATE_OBJECTID = 0xC000022A
    NOT_A_REPARSE_POINT = 0xC0000275
    REQUEST_OUT_OF_SEQUENCE = 0xC000042A
    FILE_NOT_AVAILABLE = 0xC0000467
    HASH_NOT_SUPPORTED = 0xC000A100
    INVALID_LOCK_RANGE = 0xC00001A1
    NETWORK_SESSION_EXPIRED = 0xC000035C
    NO_PREAUTH_INTEGRITY_HASH_OVERLAP = 0xC05D0000


_NAMES = {value: name for name, value in vars(NtStatus).items() if not name.startswith("_")}


def status_name(status: int) -> str:
    """The specification's name of a status, or its hexadecimal digits."""
    return _NAMES.get(status, f"0x{status:08X}")


class NtError(Exception):
    """The client is told this status, and the connection goes on."""

    def __init__(self, status: int, data: bytes = b"") -> None:
        super().__init__(status)
        self.status = status
        self.data = data  # ErrorData of the ERROR Response ([MS-SMB2] 2.2.2), where a case has any

    def __str__(self) -> str:
        return status_name(self.status)


class ProtocolError(Exception):
    """The client broke framing, sealing or message ids: the connection is dropped.

    `last_words` is a frame that is sent before: for a client that would wait for an answer.
    """

    def __init__(self, why: str, last_words: bytes = b"") -> None:
        super().__init__(why)
        self.last_words = last_words


class HungUpError(ProtocolError):
    """The server hangs up because it was asked to (smbd.faults): the client has broken nothing.

    `reset`: by RST, which takes away what the client has not received yet; else by FIN.
    """

    def __init__(self, why: str, last_words: bytes = b"", *, reset: bool = False) -> None:
        super().__init__(why, last_words)
        self.reset = reset


# EACCES and EPERM both say ACCESS_DENIED; EROFS has a status of its own, which Windows words as
# "the media is write protected".  ENOTDIR in a lookup means that a parent is a file, which is
# OBJECT_PATH_NOT_FOUND to a client ([MS-FSA] 2.1.5.1); a final component that is no directory
# is found by CREATE itself before it comes to an errno.
_FROM_ERRNO = {
    errno.EPERM: NtStatus.ACCESS_DENIED,
    errno.ENOENT: NtStatus.OBJECT_NAME_NOT_FOUND,
    errno.EINTR: NtStatus.CANCELLED,
    errno.EIO: NtStatus.UNEXPECTED_IO_ERROR,
    errno.ENXIO: NtStatus.NO_SUCH_DEVICE,
    errno.EBADF: NtStatus.INVALID_HANDLE,
    errno.EAGAIN: NtStatus.FILE_LOCK_CONFLICT,
    errno.ENOMEM: NtStatus.NO_MEMORY,
    errno.EACCES: NtStatus.ACCESS_DENIED,
    errno.EBUSY: NtStatus.SHARING_VIOLATION,
    errno.EEXIST: NtStatus.OBJECT_NAME_COLLISION,
    errno.EXDEV: NtStatus.NOT_SAME_DEVICE,
    errno.ENODEV: NtStatus.NO_SUCH_DEVICE,
    errno.ENOTDIR: NtStatus.OBJECT_PATH_NOT_FOUND,
    errno.EISDIR: NtStatus.FILE_IS_A_DIRECTORY,
    errno.EINVAL: NtStatus.INVALID_PARAMETER,
    errno.ENFILE: NtStatus.TOO_MANY_OPENED_FILES,
    errno.EMFILE: NtStatus.TOO_MANY_OPENED_FILES,
    errno.ETXTBSY: NtStatus.SHARING_VIOLATION,
    errno.EFBIG: NtStatus.DISK_FULL,
    errno.ENOSPC: NtStatus.DISK_FULL,
    errno.EDQUOT: NtStatus.DISK_FULL,
    errno.EROFS: NtStatus.MEDIA_WRITE_PROTECTED,
    errno.EMLINK: NtStatus.ACCESS_DENIED,
    errno.EPIPE: NtStatus.PIPE_BROKEN,
    errno.ENAMETOOLONG: NtStatus.OBJECT_NAME_INVALID,
    errno.ENOTEMPTY: NtStatus.DIRECTORY_NOT_EMPTY,
    errno.ELOOP: NtStatus.ACCESS_DENIED,
    errno.EOPNOTSUPP: NtStatus.NOT_SUPPORTED,
    errno.ENOSYS: NtStatus.NOT_SUPPORTED,
    errno.ENODATA: NtStatus.NOT_FOUND,
    errno.ESTALE: NtStatus.FILE_CLOSED,
    errno.ETIMEDOUT: NtStatus.IO_TIMEOUT,
}


def status_of_oserror(error: OSError) -> int:
    """The NTSTATUS of an OSError; one that the table lacks is UNEXPECTED_IO_ERROR."""
    return _FROM_ERRNO.get(error.errno or 0, NtStatus.UNEXPECTED_IO_ERROR)
