"""SET_INFO's file information classes: one row each, from class number to parser.

[MS-FSCC] 2.4.  Too short a buffer is INFO_LENGTH_MISMATCH; a longer one is taken ([MS-FSA]
2.1.5.14), a wrong value is INVALID_PARAMETER.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.access import Access
from smbd.wire.bounds import cut, text, unpack_payload
from smbd.wire.fscc.classes import FileClass
from smbd.wire.fscc.ea import parse_full_ea
from smbd.wire.fscc.pipe import parse_pipe


class FileSet(NamedTuple):
    """A row: its parser and the rights that it takes ([MS-SMB2] 3.3.5.21.1)."""

    parse: Callable[[memoryview], object]
    access: int


class DispositionFlags:
    """[MS-FSCC] 2.4.12, FileDispositionInformationEx."""

    DELETE = 0x01
    POSIX_SEMANTICS = 0x02
    FORCE_IMAGE_SECTION_CHECK = 0x04
    ON_CLOSE = 0x08
    IGNORE_READONLY_ATTRIBUTE = 0x10


_BASIC = Struct(
    "<"
    "qqqq"  # CreationTime, LastAccessTime, LastWriteTime, ChangeTime
    "I"     # FileAttributes
    "4x"    # Reserved
)  # fmt: skip
_TARGET = Struct(
    "<"
    "?"   # ReplaceIfExists
    "7x"  # Reserved
    "Q"   # RootDirectory
    "I"   # FileNameLength
)  # fmt: skip
_FLAG = Struct("<?")
_LONG = Struct("<I")
_SIGNED_QUAD = Struct("<q")


@dataclass(slots=True)
class BasicInformation:
    """FileBasicInformation: times of 0 stay as they are, -1 stops their updates, -2 resumes them.

    Attributes of 0 stay as they are.
    """

    creation_time: int
    last_access_time: int
    last_write_time: int
    change_time: int
    attributes: int


def parse_basic(data: memoryview) -> BasicInformation:
    """FileBasicInformation; a time below -2 is refused ([MS-FSA] 2.1.5.14.2)."""
    information = BasicInformation(*unpack_payload(_BASIC, data, NtStatus.INFO_LENGTH_MISMATCH))
    if (
        min(
            information.creation_time,
            information.last_access_time,
            information.last_write_time,
            information.change_time,
        )
        < -2
    ):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return information


@dataclass(slots=True)
class Rename:
    """FileRenameInformation and FileLinkInformation: the new name, from the share's root on."""

    replace: bool
    name: str


def parse_rename(data: memoryview) -> Rename:
    """FILE_RENAME_INFORMATION_TYPE_2, the only form SMB2 has; RootDirectory has to be zero."""
    replace, root_directory, length = unpack_payload(_TARGET, data, NtStatus.INFO_LENGTH_MISMATCH)
    if root_directory:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return Rename(replace, text(cut(data, _TARGET.size, length, _TARGET.size)))


def parse_link(data: memoryview) -> Rename:
    """FILE_LINK_INFORMATION_TYPE_2: field by field the same."""
    return parse_rename(data)


def parse_disposition(data: memoryview) -> bool:
    """FileDispositionInformation: whether the file goes when its last handle does."""
    delete: bool = unpack_payload(_FLAG, data, NtStatus.INFO_LENGTH_MISMATCH)[0]
    return delete


def _parse_long(data: memoryview) -> int:
    value: int = unpack_payload(_LONG, data, NtStatus.INFO_LENGTH_MISMATCH)[0]
    return value


def _parse_size(data: memoryview) -> int:
    size: int = unpack_payload(_SIGNED_QUAD, data, NtStatus.INFO_LENGTH_MISMATCH)[0]
    if size < 0:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return size


def parse_disposition_ex(data: memoryview) -> int:
    """FileDispositionInformationEx: DispositionFlags."""
    return _parse_long(data)


def parse_allocation(data: memoryview) -> int:
    """FileAllocationInformation, in bytes."""
    return _parse_size(data)


def parse_end_of_file(data: memoryview) -> int:
    """FileEndOfFileInformation, in bytes."""
    return _parse_size(data)


def parse_valid_data_length(data: memoryview) -> int:
    """FileValidDataLengthInformation, in bytes."""
    return _parse_size(data)


def parse_position(data: memoryview) -> int:
    """FilePositionInformation, in bytes."""
    return _parse_size(data)


def parse_mode(data: memoryview) -> int:
    """FileModeInformation: some of the CreateOptions."""
    return _parse_long(data)


def parse_short_name(data: memoryview) -> str:
    """FileShortNameInformation: an empty name removes it."""
    length = _parse_long(data)
    return text(cut(data, _LONG.size, length, _LONG.size))


FILE_SETS: dict[int, FileSet] = {
    FileClass.BASIC: FileSet(parse_basic, Access.FILE_WRITE_ATTRIBUTES),
    FileClass.RENAME: FileSet(parse_rename, Access.DELETE),
    FileClass.LINK: FileSet(parse_link, 0),
    FileClass.DISPOSITION: FileSet(parse_disposition, Access.DELETE),
    FileClass.POSITION: FileSet(parse_position, 0),
    FileClass.FULL_EA: FileSet(parse_full_ea, Access.FILE_WRITE_EA),
    FileClass.MODE: FileSet(parse_mode, 0),
    FileClass.ALLOCATION: FileSet(parse_allocation, Access.FILE_WRITE_DATA),
    FileClass.END_OF_FILE: FileSet(parse_end_of_file, Access.FILE_WRITE_DATA),
    FileClass.PIPE: FileSet(parse_pipe, Access.FILE_WRITE_ATTRIBUTES),
    FileClass.VALID_DATA_LENGTH: FileSet(parse_valid_data_length, Access.FILE_WRITE_DATA),
    FileClass.SHORT_NAME: FileSet(parse_short_name, Access.DELETE),
    FileClass.DISPOSITION_EX: FileSet(parse_disposition_ex, Access.DELETE),
}
