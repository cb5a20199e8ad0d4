"""TREE_CONNECT ([MS-SMB2] 2.2.9, 2.2.10)."""

from dataclasses import dataclass
from struct import Struct

from smbd.wire.bounds import cut, text, unpack_body


class ShareType:
    """[MS-SMB2] 2.2.10, ShareType."""

    DISK = 0x01
    PIPE = 0x02
    PRINT = 0x03


class ShareFlags:
    """[MS-SMB2] 2.2.10, ShareFlags."""

    MANUAL_CACHING = 0x00000000
    DFS = 0x00000001
    DFS_ROOT = 0x00000002
    AUTO_CACHING = 0x00000010
    VDO_CACHING = 0x00000020
    NO_CACHING = 0x00000030
    RESTRICT_EXCLUSIVE_OPENS = 0x00000100
    FORCE_SHARED_DELETE = 0x00000200
    ALLOW_NAMESPACE_CACHING = 0x00000400
    ACCESS_BASED_DIRECTORY_ENUM = 0x00000800
    FORCE_LEVELII_OPLOCK = 0x00001000
    ENABLE_HASH_V1 = 0x00002000
    ENABLE_HASH_V2 = 0x00004000
    ENCRYPT_DATA = 0x00008000
    IDENTITY_REMOTING = 0x00040000
    COMPRESS_DATA = 0x00100000
    ISOLATED_TRANSPORT = 0x00200000


class ShareCapabilities:
    """[MS-SMB2] 2.2.10, Capabilities."""

    DFS = 0x00000008
    CONTINUOUS_AVAILABILITY = 0x00000010
    SCALEOUT = 0x00000020
    CLUSTER = 0x00000040
    ASYMMETRIC = 0x00000080
    REDIRECT_TO_OWNER = 0x00000100


_REQUEST = Struct(
    "<"
    "H"  # StructureSize, always 9
    "H"  # Flags
    "H"  # PathOffset
    "H"  # PathLength
)  # fmt: skip
_REQUEST_END = 72

_RESPONSE = Struct(
    "<"
    "H"  # StructureSize, always 16
    "B"  # ShareType
    "x"  # Reserved
    "I"  # ShareFlags
    "I"  # Capabilities
    "I"  # MaximalAccess
)  # fmt: skip


@dataclass(slots=True)
class TreeConnectRequest:
    """[MS-SMB2] 2.2.9; `path` is the UNC path, `\\\\server\\share`."""

    flags: int
    path: str


def parse_tree_connect_request(frame: memoryview) -> TreeConnectRequest:
    """[MS-SMB2] 2.2.9.

    With EXTENSION_PRESENT (2.2.9.1) there are tree connect contexts between the fixed part and the
    path.  They carry remoted identities, which only a cluster's nodes send; PathOffset leads past
    them, so the path is found all the same.
    """
    _, flags, offset, length = unpack_body(_REQUEST, frame, 9)
    return TreeConnectRequest(flags, text(cut(frame, offset, length, _REQUEST_END)))


def pack_tree_connect_response(
    share_type: int, share_flags: int, capabilities: int, maximal_access: int
) -> bytes:
    """[MS-SMB2] 2.2.10."""
    return _RESPONSE.pack(16, share_type, share_flags, capabilities, maximal_access)
