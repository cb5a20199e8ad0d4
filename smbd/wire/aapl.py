"""Apple's extensions: the create context "AAPL", and directory entries with what Finder shows.

Source: Apple's own client (SMBClient, kernel/netsmb/smb_2.h) and its "Time Machine over SMB
Specification".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import unpack_payload
from smbd.wire.fscc import FileInformation
from smbd.wire.fscc.directory import HEAD, Layout, pack_entries

_SERVER_QUERY, _RESOLVE_ID = 1, 2  # CommandCode


class Reported:
    """RequestBitmap and ReplyBitmap of a server query."""

    SERVER_CAPS = 0x01
    VOLUME_CAPS = 0x02
    MODEL_INFO = 0x04


class ServerCaps:
    """The capabilities of the server, and of the client."""

    READ_DIR_ATTR = 0x01
    OSX_COPYFILE = 0x02
    UNIX_BASED = 0x04
    NFS_ACE = 0x08
    READ_DIR_ATTR_V2 = 0x10
    HIFI = 0x20


class VolumeCaps:
    """The capabilities of the volume."""

    RESOLVE_ID = 0x01
    CASE_SENSITIVE = 0x02
    FULL_SYNC = 0x04


_COMMAND = Struct("<I4x")
_QUERY = Struct(
    "<"
    "8x"  # CommandCode, Reserved
    "Q"   # RequestBitmap
    "Q"   # ClientCapabilities
)  # fmt: skip
_ID = Struct(
    "<"
    "8x"  # CommandCode, Reserved
    "Q"   # FileId
)  # fmt: skip
_QUERY_REPLY = Struct(
    "<"
    "I4x"  # CommandCode, Reserved
    "Q"    # ReplyBitmap; what it has bits for follows in the order of the bits
)  # fmt: skip
_CAPS = Struct("<Q")
_ID_REPLY = Struct(
    "<"
    "I4x"  # CommandCode, Reserved
    "I"    # the NTSTATUS of the search
    "I"    # length of the path that follows
)  # fmt: skip


@dataclass(slots=True)
class ServerQuery:
    """kAAPL_SERVER_QUERY: bits of Reported and of ServerCaps."""

    request_bitmap: int
    client_capabilities: int


@dataclass(slots=True)
class ResolveId:
    """kAAPL_RESOLVE_ID: the path of a file by its FileId."""

    file_id: int


def parse_aapl(data: memoryview) -> ServerQuery | ResolveId | None:
    """None for a command that is not known; INVALID_PARAMETER for another length than a known's."""
    (command,) = unpack_payload(_COMMAND, data)
    if command == _SERVER_QUERY:
        return ServerQuery(*_whole(_QUERY, data))
    if command == _RESOLVE_ID:
        return ResolveId(*_whole(_ID, data))
    return None


def _whole(fixed: Struct, data: memoryview) -> tuple[int, ...]:
    if len(data) != fixed.size:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return fixed.unpack_from(data)


def pack_server_query_reply(
    query: ServerQuery, server_capabilities: int, volume_capabilities: int
) -> bytes:
    """The capabilities that were asked for, and no model: that is for Macs to tell."""
    bitmap = query.request_bitmap & (Reported.SERVER_CAPS | Reported.VOLUME_CAPS)
    reply = _QUERY_REPLY.pack(_SERVER_QUERY, bitmap)
    if bitmap & Reported.SERVER_CAPS:
        reply += _CAPS.pack(server_capabilities)
    if bitmap & Reported.VOLUME_CAPS:
        reply += _CAPS.pack(volume_capabilities)
    return reply


def pack_resolve_id_refusal(status: int) -> bytes:
    """No path, and the NTSTATUS that says why."""
    return _ID_REPLY.pack(_RESOLVE_ID, status, 0)


# --- QUERY_DIRECTORY for a client that has been told READ_DIR_ATTR ---


@dataclass(slots=True)
class ReadDirInformation(FileInformation):
    """A directory entry with what Finder would otherwise ask about each file on its own."""

    maximal_access: int = 0
    resource_fork_size: int = 0
    finder_info: bytes = bytes(16)  # as `compress_finder_info` makes it
    mode: int = 0  # st_mode


_READ_DIR = Struct(
    HEAD +
    "I"    # MaxAccess, in the place of EaSize
    "2x"   # ShortNameLength, Reserved
    "Q"    # RsrcForkLen, in the place of ShortName, and ...
    "16s"  # ... CompressedFinderInfo
    "H"    # UnixMode, in the place of Reserved2
    "Q"    # FileId
)  # fmt: skip


def _pack(step: int, file_index: int, i: ReadDirInformation, name_length: int) -> bytes:
    return _READ_DIR.pack(
        step, file_index, i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.end_of_file, i.allocation_size, i.attributes, name_length, i.maximal_access,
        i.resource_fork_size, i.finder_info, i.mode, i.index_number,
    )  # fmt: skip


_LAYOUT = Layout(_READ_DIR.size, _pack)
READ_DIR_SIZE = _READ_DIR.size  # of an entry without its name


def pack_read_dir_entries(
    entries: Iterable[tuple[str, ReadDirInformation, int]], limit: int
) -> tuple[bytearray, int]:
    """FileIdBothDirectoryInformation in Apple's layout; as fscc.pack_directory_entries."""
    return pack_entries(_LAYOUT, entries, limit)


# The stream AFP_AfpInfo: "AFP", version, backup time, and the 32 bytes of Finder info.
_AFP_INFO_SIZE, _FINDER_INFO_AT = 60, 16
_FINDER_INFO = Struct(
    ">"
    "8s"   # type and creator of a file; the window of a folder
    "H"    # FinderFlags
    "10x"  # Location, and what is of no use any more
    "I"    # DateAdded
    "H"    # ExtendedFinderFlags
    "6x"
)  # fmt: skip
_COMPRESSED = Struct(">8sHHI")  # big-endian as everything of Finder's


def compress_finder_info(afp_info: bytes, *, directory: bool) -> bytes:
    """CompressedFinderInfo of what the stream AFP_AfpInfo holds; zeros where that is nothing."""
    if len(afp_info) < _AFP_INFO_SIZE:
        return bytes(_COMPRESSED.size)
    kind, flags, added, extended = _FINDER_INFO.unpack_from(afp_info, _FINDER_INFO_AT)
    return _COMPRESSED.pack(bytes(8) if directory else kind, flags, extended, added)
