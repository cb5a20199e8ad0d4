"""The payloads of IOCTL: control codes, inputs and outputs ([MS-SMB2] 2.2.31, 2.2.32).

Those of the file system itself are [MS-FSCC] 2.3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import cut, encode, numbers, text, unpack_payload


class Fsctl:
    """[MS-SMB2] 2.2.31, CtlCode, and [MS-FSCC] 2.3."""

    DFS_GET_REFERRALS = 0x00060194
    DFS_GET_REFERRALS_EX = 0x000601B0
    PIPE_WAIT = 0x00110018
    PIPE_PEEK = 0x0011400C
    PIPE_TRANSCEIVE = 0x0011C017
    SRV_REQUEST_RESUME_KEY = 0x00140078
    SRV_ENUMERATE_SNAPSHOTS = 0x00144064
    SRV_COPYCHUNK = 0x001440F2
    SRV_COPYCHUNK_WRITE = 0x001480F2
    SRV_READ_HASH = 0x001441BB
    LMR_REQUEST_RESILIENCY = 0x001401D4
    QUERY_NETWORK_INTERFACE_INFO = 0x001401FC
    VALIDATE_NEGOTIATE_INFO = 0x00140204
    IS_PATHNAME_VALID = 0x0009002C
    GET_COMPRESSION = 0x0009003C
    SET_COMPRESSION = 0x0009C040
    FILESYSTEM_GET_STATISTICS = 0x00090060
    GET_NTFS_VOLUME_DATA = 0x00090064
    SET_OBJECT_ID = 0x00090098
    GET_OBJECT_ID = 0x0009009C
    DELETE_OBJECT_ID = 0x000900A0
    CREATE_OR_GET_OBJECT_ID = 0x000900C0
    SET_REPARSE_POINT = 0x000900A4
    GET_REPARSE_POINT = 0x000900A8
    DELETE_REPARSE_POINT = 0x000900AC
    SET_SPARSE = 0x000900C4
    SET_ZERO_DATA = 0x000980C8
    QUERY_ALLOCATED_RANGES = 0x000940CF
    QUERY_ON_DISK_VOLUME_INFO = 0x0009013C
    FILE_LEVEL_TRIM = 0x00098208
    GET_INTEGRITY_INFORMATION = 0x0009027C
    SET_INTEGRITY_INFORMATION = 0x0009C280
    QUERY_FILE_REGIONS = 0x00090284
    DUPLICATE_EXTENTS_TO_FILE = 0x00098344
    OFFLOAD_READ = 0x00094264
    OFFLOAD_WRITE = 0x00098268


def _refuse_negative(*values: int) -> None:
    """Offsets and lengths are signed on the wire ([MS-FSCC] 2.1.7); a negative one is an error."""
    if min(values) < 0:
        raise NtError(NtStatus.INVALID_PARAMETER)


def _refuse_far(offset: int, length: int) -> None:
    """No range of a file ends beyond what 63 bits can say."""
    if offset + length >= 1 << 63:
        raise NtError(NtStatus.INVALID_PARAMETER)


_VALIDATE_NEGOTIATE = Struct(
    "<"
    "I"    # Capabilities
    "16s"  # Guid
    "H"    # SecurityMode
    "H"    # DialectCount in the request, Dialect in the response
)  # fmt: skip


@dataclass(slots=True)
class ValidateNegotiate:
    """[MS-SMB2] 2.2.31.4: the fields of the client's NEGOTIATE once more."""

    capabilities: int
    guid: bytes
    security_mode: int
    dialects: list[int]


def parse_validate_negotiate(data: memoryview) -> ValidateNegotiate:
    """[MS-SMB2] 2.2.31.4."""
    capabilities, guid, security_mode, count = unpack_payload(_VALIDATE_NEGOTIATE, data)
    dialects = numbers(data, _VALIDATE_NEGOTIATE.size, count)
    return ValidateNegotiate(capabilities, guid, security_mode, dialects)


def pack_validate_negotiate(
    capabilities: int, guid: bytes, security_mode: int, dialect: int
) -> bytes:
    """[MS-SMB2] 2.2.32.6."""
    return _VALIDATE_NEGOTIATE.pack(capabilities, guid, security_mode, dialect)


_NETWORK_INTERFACE = Struct(
    "<"
    "I"     # Next: where the next one begins, from this one's beginning; 0 in the last one
    "I"     # IfIndex
    "I"     # Capability
    "4x"    # Reserved
    "Q"     # LinkSpeed
    "128s"  # SockAddr_Storage
)  # fmt: skip
_SOCKADDR_IN = Struct("<H2x4s8x")  # Family, Port, IPv4Address, Reserved
_SOCKADDR_IN6 = Struct("<H2x4x16s4x")  # Family, Port, FlowInfo, IPv6Address, ScopeId
_INTERNETWORK, _INTERNETWORK_V6 = 0x0002, 0x0017


class InterfaceCapability:
    """[MS-SMB2] 2.2.32.5, Capability."""

    RSS = 0x00000001


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """[MS-SMB2] 2.2.32.5: one address of one interface, as 4 or 16 bytes; bits a second."""

    index: int
    capability: int
    link_speed: int
    address: bytes


def pack_network_interfaces(interfaces: Sequence[NetworkInterface], limit: int) -> bytes:
    """[MS-SMB2] 2.2.32.5; BUFFER_TOO_SMALL if they do not all fit into `limit` bytes."""
    size, last = _NETWORK_INTERFACE.size, len(interfaces)
    if last * size > limit:
        raise NtError(NtStatus.BUFFER_TOO_SMALL)
    return b"".join(
        _NETWORK_INTERFACE.pack(
            size if number < last else 0, one.index, one.capability, one.link_speed, _sockaddr(one)
        )
        for number, one in enumerate(interfaces, 1)
    )


def _sockaddr(interface: NetworkInterface) -> bytes:
    """[MS-SMB2] 2.2.32.5.1; no port."""
    if len(interface.address) == 4:
        return _SOCKADDR_IN.pack(_INTERNETWORK, interface.address)
    return _SOCKADDR_IN6.pack(_INTERNETWORK_V6, interface.address)


MOST_CHUNKS = 256  # [MS-SMB2] 3.3.3: Windows' limit, with which clients begin

_COPYCHUNK = Struct(
    "<"
    "24s"  # SourceKey
    "I"    # ChunkCount
    "4x"   # Reserved
)  # fmt: skip
_CHUNK = Struct(
    "<"
    "q"   # SourceOffset
    "q"   # TargetOffset
    "I"   # Length
    "4x"  # Reserved
)  # fmt: skip
_COPYCHUNK_RESPONSE = Struct(
    "<"
    "I"  # ChunksWritten
    "I"  # ChunkBytesWritten
    "I"  # TotalBytesWritten
)  # fmt: skip
_RESUME_KEY = Struct(
    "<"
    "24s"  # ResumeKey
    "I"    # ContextLength
    "4x"   # Context: empty, but Windows and its clients count 32 bytes
)  # fmt: skip


@dataclass(slots=True)
class CopyChunk:
    """[MS-SMB2] 2.2.31.1.1."""

    source_offset: int
    target_offset: int
    length: int


@dataclass(slots=True)
class CopyChunkRequest:
    """[MS-SMB2] 2.2.31.1; the key is the one of SRV_REQUEST_RESUME_KEY."""

    source_key: bytes
    chunks: list[CopyChunk] | None  # None: more than MOST_CHUNKS


def parse_copychunk(data: memoryview) -> CopyChunkRequest:
    """[MS-SMB2] 2.2.31.1; of too many chunks none is looked at."""
    source_key, count = unpack_payload(_COPYCHUNK, data)
    if count > MOST_CHUNKS:
        return CopyChunkRequest(source_key, None)
    end = _COPYCHUNK.size + count * _CHUNK.size
    if end > len(data):
        raise NtError(NtStatus.INVALID_PARAMETER)
    chunks = [CopyChunk(*fields) for fields in _CHUNK.iter_unpack(data[_COPYCHUNK.size : end])]
    for chunk in chunks:
        _refuse_negative(chunk.source_offset, chunk.target_offset)
        _refuse_far(max(chunk.source_offset, chunk.target_offset), chunk.length)
    return CopyChunkRequest(source_key, chunks)


def pack_copychunk(
    chunks_written: int, chunk_bytes_written: int, total_bytes_written: int
) -> bytes:
    """[MS-SMB2] 2.2.32.1; with INVALID_PARAMETER the three are the server's limits."""
    return _COPYCHUNK_RESPONSE.pack(chunks_written, chunk_bytes_written, total_bytes_written)


def pack_resume_key(key: bytes) -> bytes:
    """[MS-SMB2] 2.2.32.3; the key is 24 bytes that mean something to the server only."""
    return _RESUME_KEY.pack(key, 0)


_RANGE = Struct(
    "<"
    "q"  # FileOffset
    "q"  # Length; BeyondFinalZero in FSCTL_SET_ZERO_DATA
)  # fmt: skip


@dataclass(slots=True)
class ZeroData:
    """FSCTL_SET_ZERO_DATA: from `offset` up to, not including, `beyond_final_zero`."""

    offset: int
    beyond_final_zero: int


def parse_zero_data(data: memoryview) -> ZeroData:
    """[MS-FSCC] 2.3, FSCTL_SET_ZERO_DATA Request."""
    offset, beyond = unpack_payload(_RANGE, data)
    _refuse_negative(offset, beyond - offset)
    return ZeroData(offset, beyond)


def parse_set_sparse(data: memoryview) -> bool:
    """[MS-FSCC] 2.3, FSCTL_SET_SPARSE Request; no input means TRUE."""
    return not data or data[0] != 0


def parse_query_allocated_ranges(data: memoryview) -> tuple[int, int]:
    """[MS-FSCC] 2.3, FSCTL_QUERY_ALLOCATED_RANGES Request: (offset, length)."""
    offset, length = unpack_payload(_RANGE, data)
    _refuse_negative(offset, length)
    _refuse_far(offset, length)
    return offset, length


def pack_allocated_ranges(ranges: Iterable[tuple[int, int]], limit: int) -> tuple[bytes, bool]:
    """As many (offset, length) as `limit` bytes hold, and whether that was all.

    [MS-FSCC] 2.3, FSCTL_QUERY_ALLOCATED_RANGES Reply.  Not all is BUFFER_OVERFLOW, none though
    there is one is BUFFER_TOO_SMALL ([MS-FSA] 2.1.5.10).
    """
    out = bytearray()
    for offset, length in ranges:
        if len(out) + _RANGE.size > limit:
            return bytes(out), False
        out += _RANGE.pack(offset, length)
    return bytes(out), True


_PIPE_WAIT = Struct(
    "<"
    "Q"  # Timeout, in 100 ns
    "I"  # NameLength
    "?"  # TimeoutSpecified
    "x"  # Padding
)  # fmt: skip


@dataclass(slots=True)
class PipeWait:
    """FSCTL_PIPE_WAIT; the timeout is in 100 ns, None where the server chooses."""

    name: str
    timeout: int | None


def parse_pipe_wait(data: memoryview) -> PipeWait:
    """[MS-FSCC] 2.3, FSCTL_PIPE_WAIT Request."""
    timeout, length, specified = unpack_payload(_PIPE_WAIT, data)
    name = text(cut(data, _PIPE_WAIT.size, length, _PIPE_WAIT.size))
    return PipeWait(name, timeout if specified else None)


_SNAPSHOTS = Struct(
    "<"
    "I"  # NumberOfSnapShots
    "I"  # NumberOfSnapShotsReturned
    "I"  # SnapShotArraySize
)  # fmt: skip
_SNAPSHOTS_LEAST = 16


def pack_snapshots(tokens: Sequence[str], limit: int) -> bytes:
    """[MS-SMB2] 2.2.32.2: the tokens ("@GMT-..."), or only their number where they do not fit.

    A client asks twice: with 16 bytes to learn the size, then with that.  Fewer than 16 are refused
    (3.3.5.15.1).
    """
    if limit < _SNAPSHOTS_LEAST:
        raise NtError(NtStatus.INVALID_PARAMETER)
    array = encode("".join(f"{token}\0" for token in tokens) + "\0")
    if _SNAPSHOTS.size + len(array) > limit:
        return _SNAPSHOTS.pack(len(tokens), 0, len(array)).ljust(_SNAPSHOTS_LEAST, b"\0")
    answer = _SNAPSHOTS.pack(len(tokens), len(tokens), len(array)) + array
    return answer.ljust(_SNAPSHOTS_LEAST, b"\0")


_COMPRESSION_FORMAT = Struct("<H")
_OBJECT_ID = Struct(
    "<"
    "16s"  # ObjectId
    "16s"  # BirthVolumeId
    "16s"  # BirthObjectId
    "16x"  # DomainId
)  # fmt: skip


def pack_compression_format(compression_format: int) -> bytes:
    """[MS-FSCC] 2.3, FSCTL_GET_COMPRESSION Reply; 0 is "not compressed"."""
    return _COMPRESSION_FORMAT.pack(compression_format)


def parse_compression_format(data: memoryview) -> int:
    """[MS-FSCC] 2.3, FSCTL_SET_COMPRESSION Request."""
    compression_format: int = unpack_payload(_COMPRESSION_FORMAT, data)[0]
    return compression_format


def pack_object_id(object_id: bytes, volume_id: bytes) -> bytes:
    """FILE_OBJECTID_BUFFER type 1 of a file that is where it was born: both ids are the same."""
    return _OBJECT_ID.pack(object_id, volume_id, object_id)
