"""The metadata of a file and of a volume, between vfs and the information classes."""

from dataclasses import dataclass


class FileAttribute:
    """[MS-FSCC] 2.6."""

    READONLY = 0x00000001
    HIDDEN = 0x00000002
    SYSTEM = 0x00000004
    DIRECTORY = 0x00000010
    ARCHIVE = 0x00000020
    NORMAL = 0x00000080
    TEMPORARY = 0x00000100
    SPARSE_FILE = 0x00000200
    REPARSE_POINT = 0x00000400
    COMPRESSED = 0x00000800
    OFFLINE = 0x00001000
    NOT_CONTENT_INDEXED = 0x00002000
    ENCRYPTED = 0x00004000
    INTEGRITY_STREAM = 0x00008000
    NO_SCRUB_DATA = 0x00020000
    RECALL_ON_OPEN = 0x00040000
    PINNED = 0x00080000
    UNPINNED = 0x00100000
    RECALL_ON_DATA_ACCESS = 0x00400000


class FileSystemAttribute:
    """[MS-FSCC] 2.5.1, FileSystemAttributes."""

    CASE_SENSITIVE_SEARCH = 0x00000001
    CASE_PRESERVED_NAMES = 0x00000002
    UNICODE_ON_DISK = 0x00000004
    PERSISTENT_ACLS = 0x00000008
    FILE_COMPRESSION = 0x00000010
    VOLUME_QUOTAS = 0x00000020
    SUPPORTS_SPARSE_FILES = 0x00000040
    SUPPORTS_REPARSE_POINTS = 0x00000080
    SUPPORTS_REMOTE_STORAGE = 0x00000100
    VOLUME_IS_COMPRESSED = 0x00008000
    SUPPORTS_OBJECT_IDS = 0x00010000
    SUPPORTS_ENCRYPTION = 0x00020000
    NAMED_STREAMS = 0x00040000
    READ_ONLY_VOLUME = 0x00080000
    SEQUENTIAL_WRITE_ONCE = 0x00100000
    SUPPORTS_TRANSACTIONS = 0x00200000
    SUPPORTS_HARD_LINKS = 0x00400000
    SUPPORTS_EXTENDED_ATTRIBUTES = 0x00800000
    SUPPORTS_OPEN_BY_FILE_ID = 0x01000000
    SUPPORTS_USN_JOURNAL = 0x02000000
    SUPPORTS_INTEGRITY_STREAMS = 0x04000000
    SUPPORTS_BLOCK_REFCOUNTING = 0x08000000
    SUPPORTS_SPARSE_VDL = 0x10000000


@dataclass(slots=True)
class FileInformation:
    """One file or directory; times are FILETIMEs, sizes are bytes, attributes are FileAttribute's.

    `attributes` goes to the wire as it is: NORMAL stands where no other bit does.
    """

    creation_time: int
    last_access_time: int
    last_write_time: int
    change_time: int
    allocation_size: int
    end_of_file: int
    attributes: int
    number_of_links: int = 1
    index_number: int = 0  # FileId
    volume_id: int = 0
    is_directory: bool = False
    ea_size: int = 0
    reparse_tag: int = 0
    delete_pending: bool = False


@dataclass(slots=True)
class Volume:
    """The file system below a share; the units are allocation units (clusters)."""

    serial_number: int
    creation_time: int
    label: str
    total_units: int
    caller_free_units: int
    free_units: int
    sectors_per_unit: int
    bytes_per_sector: int
    file_system_name: str
    attributes: int
    guid: bytes
    maximum_name_length: int = 255
