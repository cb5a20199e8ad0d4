"""Create contexts: the parts of a CREATE and of its response besides their fixed fields.

[MS-SMB2] 2.2.13.2, 2.2.14.2.  Unknown names stay in the list for the command to ignore.  SecD
holds a security descriptor (dtyp), ExtA a list of FILE_FULL_EA_INFORMATION (fscc).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import chain_entries, cut, unpack_payload


class ContextName:
    """[MS-SMB2] 2.2.13.2, as they stand on the wire; AAPL is Apple's, POSIX the extensions'."""

    EXTENDED_ATTRIBUTES = b"ExtA"
    SECURITY_DESCRIPTOR = b"SecD"
    DURABLE_REQUEST = b"DHnQ"
    DURABLE_RECONNECT = b"DHnC"
    DURABLE_REQUEST_V2 = b"DH2Q"
    DURABLE_RECONNECT_V2 = b"DH2C"
    ALLOCATION_SIZE = b"AlSi"
    MAXIMAL_ACCESS = b"MxAc"
    TIMEWARP = b"TWrp"
    QUERY_ON_DISK_ID = b"QFid"
    LEASE = b"RqLs"
    AAPL = b"AAPL"
    APP_INSTANCE_ID = bytes.fromhex("45BCA66AEFA7F74A9008FA462E144D74")
    APP_INSTANCE_VERSION = bytes.fromhex("B982D0B73B56074FA07B524A8116A010")
    POSIX = bytes.fromhex("93AD25509CB411E7B42383DE968BCD7C")


_CONTEXT = Struct(
    "<"
    "I"   # Next
    "H"   # NameOffset
    "H"   # NameLength
    "2x"  # Reserved
    "H"   # DataOffset
    "I"   # DataLength
)  # fmt: skip


_MOST = 64  # the specification knows sixteen, and none of them makes sense twice
_SHORTEST_NAME = 4  # Windows refuses shorter ones, and lets unknown ones pass


# In a chain: a context's name, and where its data begins and ends.
_Part = tuple[bytes, int, int]


@dataclass(slots=True, frozen=True)
class _Layout:
    """What a chain of contexts has, and has beside the data: that is the same in all alike."""

    parts: list[_Part]
    fixed: Struct
    same: tuple[bytes, ...]


# The layouts that came last, by length and beginning: a client lays out all CREATEs of a kind
# alike.  To go along a chain of three takes 600 of Python's instructions, to compare it 40.
_layouts: dict[tuple[int, bytes], _Layout] = {}
_MOST_LAYOUTS, _LONGEST_LAYOUT = 64, 1024  # the table is emptied then


def parse_create_contexts(data: memoryview) -> list[tuple[bytes, memoryview]]:
    """The chain, in its order; offsets count from the context that has them."""
    key = len(data), bytes(data[: _CONTEXT.size + _SHORTEST_NAME])
    layout = _layouts.get(key)
    if layout is not None and layout.fixed.unpack_from(data) == layout.same:
        parts = layout.parts
    else:
        parts, is_plain = _along(data)
        if is_plain and len(data) <= _LONGEST_LAYOUT:
            if len(_layouts) >= _MOST_LAYOUTS:
                _layouts.clear()
            _layouts[key] = _layout_of(data, parts)
    return [(name, data[start:end]) for name, start, end in parts]


def _along(data: memoryview) -> tuple[list[_Part], bool]:
    """The contexts of a chain; and whether in each the data stands behind the name."""
    parts: list[_Part] = []
    at, is_plain = 0, True
    for context in chain_entries(data, _MOST, align=8, least=_CONTEXT.size):
        _, name_offset, name_length, data_offset, length = unpack_payload(_CONTEXT, context)
        name = bytes(cut(context, name_offset, name_length, _CONTEXT.size))
        if len(name) < _SHORTEST_NAME:
            raise NtError(NtStatus.INVALID_PARAMETER)
        cut(context, data_offset, length, _CONTEXT.size)
        start = at + data_offset if length else 0
        parts.append((name, start, start + length))
        is_plain = is_plain and (not length or data_offset >= name_offset + name_length)
        at += len(context)
    return parts, is_plain


def _layout_of(data: memoryview, parts: list[_Part]) -> _Layout:
    layout, at = "<", 0
    for _, start, end in parts:
        if end:
            layout += f"{start - at}s{end - start}x"
            at = end
    fixed = Struct(f"{layout}{len(data) - at}s")
    return _Layout(parts, fixed, fixed.unpack_from(data))


def pack_create_contexts(contexts: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The chain: name behind the fixed part, data at the next multiple of 8."""
    chain = list(contexts)
    last = len(chain) - 1
    out: list[bytes] = []
    for index, (name, data) in enumerate(chain):
        head, padding = _around(name, len(data), index == last)
        out += head, data, padding
    return b"".join(out)


@lru_cache(maxsize=64)
def _around(name: bytes, length: int, last: bool) -> tuple[bytes, bytes]:
    """What stands before and behind the data of a context."""
    data_offset = _CONTEXT.size + len(name) + -len(name) % 8
    padding = 0 if last else -(data_offset + length) % 8
    following = 0 if last else data_offset + length + padding
    at = data_offset if length else 0
    head = _CONTEXT.pack(following, _CONTEXT.size, len(name), at, length)
    return (head + name).ljust(data_offset, b"\0"), bytes(padding)


_QWORD = Struct("<Q")
_MAXIMAL_ACCESS = Struct(
    "<"
    "I"  # QueryStatus
    "I"  # MaximalAccess
)  # fmt: skip
_ON_DISK_ID = Struct(
    "<"
    "Q"    # DiskFileId
    "Q"    # VolumeId
    "16x"  # Reserved
)  # fmt: skip


def parse_maximal_access(data: memoryview) -> int | None:
    """[MS-SMB2] 2.2.13.2.5: the timestamp of the client's cached copy, if it sends one."""
    if not data:
        return None
    timestamp: int = unpack_payload(_QWORD, data)[0]
    return timestamp


def pack_maximal_access(status: int, access: int) -> bytes:
    """[MS-SMB2] 2.2.14.2.5."""
    return _MAXIMAL_ACCESS.pack(status, access)


def pack_query_on_disk_id(index_number: int, volume_id: int) -> bytes:
    """[MS-SMB2] 2.2.14.2.9."""
    return _ON_DISK_ID.pack(index_number, volume_id)


def parse_allocation_size(data: memoryview) -> int:
    """[MS-SMB2] 2.2.13.2.6, in bytes."""
    size: int = unpack_payload(_QWORD, data)[0]
    if size >= 1 << 63:  # a LARGE_INTEGER, which is signed
        raise NtError(NtStatus.INVALID_PARAMETER)
    return size


def parse_timewarp(data: memoryview) -> int:
    """[MS-SMB2] 2.2.13.2.7, a FILETIME."""
    timestamp: int = unpack_payload(_QWORD, data)[0]
    return timestamp


class LeaseState:
    """[MS-SMB2] 2.2.13.2.8, LeaseState."""

    NONE = 0x00
    READ_CACHING = 0x01
    HANDLE_CACHING = 0x02
    WRITE_CACHING = 0x04


class LeaseFlags:
    """[MS-SMB2] 2.2.13.2.10 and 2.2.14.2.10, Flags."""

    BREAK_IN_PROGRESS = 0x02
    PARENT_LEASE_KEY_SET = 0x04


_LEASE = Struct(
    "<"
    "16s"  # LeaseKey
    "I"    # LeaseState
    "I"    # LeaseFlags
    "8x"   # LeaseDuration
)  # fmt: skip
_LEASE_V2 = Struct(
    "<"
    "16sII8x"  # as in version 1
    "16s"      # ParentLeaseKey
    "H"        # Epoch
    "2x"       # Reserved
)  # fmt: skip


@dataclass(slots=True)
class Lease:
    """[MS-SMB2] 2.2.13.2.8 (version 1) and 2.2.13.2.10 (version 2); the response has the same."""

    version: int
    key: bytes
    state: int
    flags: int = 0
    parent_key: bytes = b""
    epoch: int = 0


def parse_lease(data: memoryview) -> Lease:
    """The version is told by the length: 32 or 52 bytes."""
    if len(data) == _LEASE.size:
        return Lease(1, *_LEASE.unpack_from(data))
    if len(data) == _LEASE_V2.size:
        return Lease(2, *_LEASE_V2.unpack_from(data))
    raise NtError(NtStatus.INVALID_PARAMETER)


def pack_lease(lease: Lease) -> bytes:
    """[MS-SMB2] 2.2.14.2.10, 2.2.14.2.11."""
    if lease.version == 1:
        return _LEASE.pack(lease.key, lease.state, lease.flags)
    return _LEASE_V2.pack(lease.key, lease.state, lease.flags, lease.parent_key, lease.epoch)


class DurableFlags:
    """[MS-SMB2] 2.2.13.2.11, Flags."""

    PERSISTENT = 0x02


_DURABLE_REQUEST = Struct("<16x")
_DURABLE_RECONNECT = Struct(
    "<"
    "QQ"  # FileId: persistent, volatile
)  # fmt: skip
_DURABLE_V2 = Struct(
    "<"
    "I"    # Timeout, in milliseconds
    "I"    # Flags
    "8x"   # Reserved
    "16s"  # CreateGuid
)  # fmt: skip
_DURABLE_V2_RESPONSE = Struct(
    "<"
    "I"  # Timeout
    "I"  # Flags
)  # fmt: skip
_DURABLE_V2_RECONNECT = Struct(
    "<"
    "QQ"   # FileId: persistent, volatile
    "16s"  # CreateGuid
    "I"    # Flags
)  # fmt: skip


def parse_durable_request(data: memoryview) -> None:
    """[MS-SMB2] 2.2.13.2.3: 16 reserved bytes."""
    unpack_payload(_DURABLE_REQUEST, data)


def parse_durable_reconnect(data: memoryview) -> tuple[int, int]:
    """[MS-SMB2] 2.2.13.2.4: the FileId, (persistent, volatile)."""
    persistent_id, volatile_id = unpack_payload(_DURABLE_RECONNECT, data)
    return persistent_id, volatile_id


def pack_durable_response() -> bytes:
    """[MS-SMB2] 2.2.14.2.3: 8 reserved bytes."""
    return bytes(8)


@dataclass(slots=True)
class DurableV2:
    """[MS-SMB2] 2.2.13.2.11; the timeout is in milliseconds, 0 leaves it to the server."""

    timeout: int
    flags: int
    create_guid: bytes


def parse_durable_v2_request(data: memoryview) -> DurableV2:
    """[MS-SMB2] 2.2.13.2.11."""
    return DurableV2(*unpack_payload(_DURABLE_V2, data))


def pack_durable_v2_response(timeout: int, flags: int) -> bytes:
    """[MS-SMB2] 2.2.14.2.12."""
    return _DURABLE_V2_RESPONSE.pack(timeout, flags)


@dataclass(slots=True)
class DurableV2Reconnect:
    """[MS-SMB2] 2.2.13.2.12."""

    persistent_id: int
    volatile_id: int
    create_guid: bytes
    flags: int


def parse_durable_v2_reconnect(data: memoryview) -> DurableV2Reconnect:
    """[MS-SMB2] 2.2.13.2.12."""
    return DurableV2Reconnect(*unpack_payload(_DURABLE_V2_RECONNECT, data))


_APP_INSTANCE_ID = Struct(
    "<"
    "H"    # StructureSize, always 20
    "2x"   # Reserved
    "16s"  # AppInstanceId
)  # fmt: skip


def parse_app_instance_id(data: memoryview) -> bytes:
    """[MS-SMB2] 2.2.13.2.13."""
    size, app_instance_id = unpack_payload(_APP_INSTANCE_ID, data)
    if size != _APP_INSTANCE_ID.size:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return bytes(app_instance_id)
