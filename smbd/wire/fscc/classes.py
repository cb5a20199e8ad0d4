"""Numbers of the information classes ([MS-FSCC] 2.4, 2.5), and how an answer meets its buffer."""

from smbd.ntstatus import NtError, NtStatus


class FileClass:
    """[MS-FSCC] 2.4; the names are the specification's without File and Information."""

    DIRECTORY = 1
    FULL_DIRECTORY = 2
    BOTH_DIRECTORY = 3
    BASIC = 4
    STANDARD = 5
    INTERNAL = 6
    EA = 7
    ACCESS = 8
    NAME = 9
    RENAME = 10
    LINK = 11
    NAMES = 12
    DISPOSITION = 13
    POSITION = 14
    FULL_EA = 15
    MODE = 16
    ALIGNMENT = 17
    ALL = 18
    ALLOCATION = 19
    END_OF_FILE = 20
    ALTERNATE_NAME = 21
    STREAM = 22
    PIPE = 23
    PIPE_LOCAL = 24
    PIPE_REMOTE = 25
    MAILSLOT_QUERY = 26
    MAILSLOT_SET = 27
    COMPRESSION = 28
    OBJECT_ID = 29
    QUOTA = 32
    REPARSE_POINT = 33
    NETWORK_OPEN = 34
    ATTRIBUTE_TAG = 35
    TRACKING = 36
    ID_BOTH_DIRECTORY = 37
    ID_FULL_DIRECTORY = 38
    VALID_DATA_LENGTH = 39
    SHORT_NAME = 40
    SFIO_RESERVE = 44
    HARD_LINK = 46
    NORMALIZED_NAME = 48
    ID_GLOBAL_TX_DIRECTORY = 50
    STANDARD_LINK = 54
    REMOTE_PROTOCOL = 55
    ID = 59
    ID_EXTD_DIRECTORY = 60
    DISPOSITION_EX = 64
    RENAME_EX = 65
    CASE_SENSITIVE = 71
    LINK_EX = 72
    ID_64_EXTD_DIRECTORY = 78
    ID_64_EXTD_BOTH_DIRECTORY = 79
    ID_ALL_EXTD_DIRECTORY = 80
    ID_ALL_EXTD_BOTH_DIRECTORY = 81


class FileSystemClass:
    """[MS-FSCC] 2.5; the names are the specification's without FileFs and Information."""

    VOLUME = 1
    LABEL = 2
    SIZE = 3
    DEVICE = 4
    ATTRIBUTE = 5
    CONTROL = 6
    FULL_SIZE = 7
    OBJECT_ID = 8
    DRIVER_PATH = 9
    VOLUME_FLAGS = 10
    SECTOR_SIZE = 11


def _numbers(classes: type) -> frozenset[int]:
    return frozenset(number for name, number in vars(classes).items() if name.isupper())


_FILE_CLASSES = _numbers(FileClass)
_FILE_SYSTEM_CLASSES = _numbers(FileSystemClass)


def is_file_class(number: int) -> bool:
    """Whether [MS-FSCC] has the class.

    A server without it says NOT_SUPPORTED if so, else INVALID_INFO_CLASS ([MS-SMB2] 3.3.5.20.1).
    """
    return number in _FILE_CLASSES


def is_file_system_class(number: int) -> bool:
    """As is_file_class, for [MS-SMB2] 3.3.5.20.2."""
    return number in _FILE_SYSTEM_CLASSES


def truncate(output: bytes, minimum: int, limit: int) -> tuple[int, bytes]:
    """(status, the part of `output` that is sent), for a client with room for `limit` bytes.

    Less room than the class's fixed part is an error, room for a part of the names is a success
    that says BUFFER_OVERFLOW ([MS-SMB2] 3.3.5.20.1); lengths inside stay those of the whole.
    """
    if limit < minimum:
        raise NtError(NtStatus.INFO_LENGTH_MISMATCH)
    if len(output) > limit:
        return NtStatus.BUFFER_OVERFLOW, output[:limit]
    return NtStatus.SUCCESS, output
