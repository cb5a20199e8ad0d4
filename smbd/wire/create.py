"""CREATE ([MS-SMB2] 2.2.13, 2.2.14); its contexts are in create_contexts."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import BODY, cut, text, unpack_body
from smbd.wire.create_contexts import pack_create_contexts, parse_create_contexts
from smbd.wire.fscc.information import FileInformation


class OplockLevel:
    """[MS-SMB2] 2.2.13, RequestedOplockLevel."""

    NONE = 0x00
    LEVEL_II = 0x01
    EXCLUSIVE = 0x08
    BATCH = 0x09
    LEASE = 0xFF


class ImpersonationLevel:
    """[MS-SMB2] 2.2.13, ImpersonationLevel."""

    ANONYMOUS = 0
    IDENTIFICATION = 1
    IMPERSONATION = 2
    DELEGATE = 3


class ShareAccess:
    """[MS-SMB2] 2.2.13, ShareAccess."""

    READ = 0x01
    WRITE = 0x02
    DELETE = 0x04


class CreateDisposition:
    """[MS-SMB2] 2.2.13, CreateDisposition."""

    SUPERSEDE = 0
    OPEN = 1
    CREATE = 2
    OPEN_IF = 3
    OVERWRITE = 4
    OVERWRITE_IF = 5


class CreateOptions:
    """[MS-SMB2] 2.2.13, CreateOptions."""

    DIRECTORY_FILE = 0x00000001
    WRITE_THROUGH = 0x00000002
    SEQUENTIAL_ONLY = 0x00000004
    NO_INTERMEDIATE_BUFFERING = 0x00000008
    SYNCHRONOUS_IO_ALERT = 0x00000010
    SYNCHRONOUS_IO_NONALERT = 0x00000020
    NON_DIRECTORY_FILE = 0x00000040
    CREATE_TREE_CONNECTION = 0x00000080
    COMPLETE_IF_OPLOCKED = 0x00000100
    NO_EA_KNOWLEDGE = 0x00000200
    OPEN_REMOTE_INSTANCE = 0x00000400
    RANDOM_ACCESS = 0x00000800
    DELETE_ON_CLOSE = 0x00001000
    OPEN_BY_FILE_ID = 0x00002000
    OPEN_FOR_BACKUP_INTENT = 0x00004000
    NO_COMPRESSION = 0x00008000
    OPEN_REQUIRING_OPLOCK = 0x00010000
    DISALLOW_EXCLUSIVE = 0x00020000
    RESERVE_OPFILTER = 0x00100000
    OPEN_REPARSE_POINT = 0x00200000
    OPEN_NO_RECALL = 0x00400000
    OPEN_FOR_FREE_SPACE_QUERY = 0x00800000


# [MS-FSCC] 2.4.31: the options that FileModeInformation shows of an open; of these SET_INFO can
# change all but the last.
FILE_MODES = (
    CreateOptions.WRITE_THROUGH
    | CreateOptions.SEQUENTIAL_ONLY
    | CreateOptions.NO_INTERMEDIATE_BUFFERING
    | CreateOptions.SYNCHRONOUS_IO_ALERT
    | CreateOptions.SYNCHRONOUS_IO_NONALERT
    | CreateOptions.DELETE_ON_CLOSE
)
SETTABLE_MODES = FILE_MODES & ~CreateOptions.DELETE_ON_CLOSE


class CreateAction:
    """[MS-SMB2] 2.2.14, CreateAction."""

    SUPERSEDED = 0
    OPENED = 1
    CREATED = 2
    OVERWRITTEN = 3


_REQUEST = Struct(
    "<"
    "H"    # StructureSize, always 57
    "x"    # SecurityFlags
    "B"    # RequestedOplockLevel
    "I"    # ImpersonationLevel
    "16x"  # SmbCreateFlags, Reserved
    "I"    # DesiredAccess
    "I"    # FileAttributes
    "I"    # ShareAccess
    "I"    # CreateDisposition
    "I"    # CreateOptions
    "H"    # NameOffset
    "H"    # NameLength
    "I"    # CreateContextsOffset
    "I"    # CreateContextsLength
)  # fmt: skip
_REQUEST_END = 120
_BARE_END = BODY + 44
_BARE = Struct(
    "<"
    "44s"  # all up to CreateOptions
    "HH"   # NameOffset, NameLength
    "4xI"  # CreateContextsLength
)  # fmt: skip

_RESPONSE = Struct(
    "<"
    "H"     # StructureSize, always 89
    "B"     # OplockLevel
    "x"     # Flags: set by servers that keep reparse points
    "I"     # CreateAction
    "QQQQ"  # CreationTime, LastAccessTime, LastWriteTime, ChangeTime
    "Q"     # AllocationSize
    "Q"     # EndofFile
    "I"     # FileAttributes
    "4x"    # Reserved2
    "QQ"    # FileId: persistent, volatile
    "I"     # CreateContextsOffset
    "I"     # CreateContextsLength
)  # fmt: skip
_BUFFER_AT = 152
_FILE_ID, _FILE_ID_AT, _LATER_AT = Struct("<QQ"), 64, 80


@dataclass(slots=True)
class CreateRequest:
    """[MS-SMB2] 2.2.13; `name` is as the client sent it, relative to the share."""

    requested_oplock_level: int
    impersonation_level: int
    desired_access: int
    file_attributes: int
    share_access: int
    create_disposition: int
    create_options: int
    name: str
    contexts: list[tuple[bytes, memoryview]]


def parse_create_request(frame: memoryview) -> CreateRequest:
    """[MS-SMB2] 2.2.13."""
    (
        _, oplock_level, impersonation_level, desired_access, attributes, share_access,
        disposition, options, name_offset, name_length, contexts_offset, contexts_length,
    ) = unpack_body(_REQUEST, frame, 57)  # fmt: skip
    name = text(cut(frame, name_offset, name_length, _REQUEST_END))
    contexts: list[tuple[bytes, memoryview]] = []
    if contexts_length:
        contexts = parse_create_contexts(cut(frame, contexts_offset, contexts_length, _REQUEST_END))
    return CreateRequest(
        oplock_level, impersonation_level, desired_access, attributes, share_access,
        disposition, options, name, contexts,
    )  # fmt: skip


def split_create_request(frame: memoryview) -> tuple[bytes, str] | None:
    """The same for one without contexts: what `bare_create_request` takes, and the name.

    None: it is none such, or is not whole.
    """
    if len(frame) < _REQUEST_END:
        return None
    body, name_offset, name_length, contexts_length = _BARE.unpack_from(frame, BODY)
    if contexts_length:
        return None
    return body, text(cut(frame, name_offset, name_length, _REQUEST_END))


def bare_create_request(body: bytes) -> CreateRequest:
    """A CREATE whose body begins so, less its name; it has no contexts."""
    return parse_create_request(memoryview(bytes(BODY) + body + bytes(_REQUEST_END - _BARE_END)))


def pack_create_response(
    oplock_level: int,
    create_action: int,
    information: FileInformation,
    persistent_id: int,
    volatile_id: int,
    contexts: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """[MS-SMB2] 2.2.14."""
    chain = pack_create_contexts(contexts) if contexts else b""
    i = information
    return _RESPONSE.pack(
        89, oplock_level, create_action,
        i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.allocation_size, i.end_of_file, i.attributes, persistent_id, volatile_id,
        _BUFFER_AT if chain else 0, len(chain),
    ) + chain  # fmt: skip


def with_file_id(response: bytes, persistent_id: int, volatile_id: int) -> bytes:
    """The same response for another Open."""
    return response[:_FILE_ID_AT] + _FILE_ID.pack(persistent_id, volatile_id) + response[_LATER_AT:]
