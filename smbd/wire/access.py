"""Access masks ([MS-SMB2] 2.2.13.1) and what the generic bits mean for files ([MS-DTYP] 2.4.3)."""


class Access:
    """ACCESS_MASK bits; three have a second name for directories."""

    FILE_READ_DATA = 0x00000001
    FILE_LIST_DIRECTORY = 0x00000001
    FILE_WRITE_DATA = 0x00000002
    FILE_ADD_FILE = 0x00000002
    FILE_APPEND_DATA = 0x00000004
    FILE_ADD_SUBDIRECTORY = 0x00000004
    FILE_READ_EA = 0x00000008
    FILE_WRITE_EA = 0x00000010
    FILE_EXECUTE = 0x00000020
    FILE_TRAVERSE = 0x00000020
    FILE_DELETE_CHILD = 0x00000040
    FILE_READ_ATTRIBUTES = 0x00000080
    FILE_WRITE_ATTRIBUTES = 0x00000100
    DELETE = 0x00010000
    READ_CONTROL = 0x00020000
    WRITE_DAC = 0x00040000
    WRITE_OWNER = 0x00080000
    SYNCHRONIZE = 0x00100000
    ACCESS_SYSTEM_SECURITY = 0x01000000
    MAXIMUM_ALLOWED = 0x02000000
    GENERIC_ALL = 0x10000000
    GENERIC_EXECUTE = 0x20000000
    GENERIC_WRITE = 0x40000000
    GENERIC_READ = 0x80000000


FILE_GENERIC_READ = 0x00120089
FILE_GENERIC_WRITE = 0x00120116
FILE_GENERIC_EXECUTE = 0x001200A0
FILE_ALL_ACCESS = 0x001F01FF

_GENERIC = (
    (Access.GENERIC_ALL, FILE_ALL_ACCESS),
    (Access.GENERIC_EXECUTE, FILE_GENERIC_EXECUTE),
    (Access.GENERIC_WRITE, FILE_GENERIC_WRITE),
    (Access.GENERIC_READ, FILE_GENERIC_READ),
)


def map_generic(access: int) -> int:
    """The mask with its GENERIC_* bits replaced by the file rights they stand for."""
    if access < Access.GENERIC_ALL:
        return access  # as most: none of them is set
    for generic, meaning in _GENERIC:
        if access & generic:
            access = access & ~generic | meaning
    return access
