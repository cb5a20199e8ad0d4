"""SIDs and self-relative security descriptors ([MS-DTYP] 2.4)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import at_most, unpack_payload


class Control:
    """[MS-DTYP] 2.4.6, Control."""

    OWNER_DEFAULTED = 0x0001
    GROUP_DEFAULTED = 0x0002
    DACL_PRESENT = 0x0004
    DACL_DEFAULTED = 0x0008
    SACL_PRESENT = 0x0010
    SACL_DEFAULTED = 0x0020
    DACL_TRUSTED = 0x0040
    SERVER_SECURITY = 0x0080
    DACL_AUTO_INHERIT_REQUIRED = 0x0100
    SACL_AUTO_INHERIT_REQUIRED = 0x0200
    DACL_AUTO_INHERITED = 0x0400
    SACL_AUTO_INHERITED = 0x0800
    DACL_PROTECTED = 0x1000
    SACL_PROTECTED = 0x2000
    RM_CONTROL_VALID = 0x4000
    SELF_RELATIVE = 0x8000


class AceType:
    """[MS-DTYP] 2.4.4.1, AceType: those that are a mask and a SID, with or without data behind."""

    ACCESS_ALLOWED = 0x00
    ACCESS_DENIED = 0x01
    SYSTEM_AUDIT = 0x02
    SYSTEM_ALARM = 0x03
    ACCESS_ALLOWED_CALLBACK = 0x09
    ACCESS_DENIED_CALLBACK = 0x0A
    SYSTEM_AUDIT_CALLBACK = 0x0D
    SYSTEM_ALARM_CALLBACK = 0x0E
    SYSTEM_MANDATORY_LABEL = 0x11
    SYSTEM_RESOURCE_ATTRIBUTE = 0x12
    SYSTEM_SCOPED_POLICY_ID = 0x13


class AceFlags:
    """[MS-DTYP] 2.4.4.1, AceFlags."""

    OBJECT_INHERIT = 0x01
    CONTAINER_INHERIT = 0x02
    NO_PROPAGATE_INHERIT = 0x04
    INHERIT_ONLY = 0x08
    INHERITED = 0x10
    SUCCESSFUL_ACCESS = 0x40
    FAILED_ACCESS = 0x80


_SID = Struct(
    ">"
    "B"   # Revision, always 1
    "B"   # SubAuthorityCount
    "HI"  # IdentifierAuthority, 48 bits and, alone in all of this, big-endian
)  # fmt: skip
_SUB_AUTHORITY = Struct("<I")
_MOST_SUB_AUTHORITIES = 15
_SID_TEXT = re.compile(r"S-1-(0x[0-9A-Fa-f]{12}|[0-9]{1,10})((?:-[0-9]{1,10}){0,15})", re.ASCII)

_DESCRIPTOR = Struct(
    "<"
    "B"  # Revision, always 1
    "x"  # Sbz1: the resource manager's byte, which we have none of
    "H"  # Control
    "I"  # OffsetOwner
    "I"  # OffsetGroup
    "I"  # OffsetSacl
    "I"  # OffsetDacl
)  # fmt: skip
_ACL = Struct(
    "<"
    "B"   # AclRevision
    "x"   # Sbz1
    "H"   # AclSize
    "H"   # AceCount
    "2x"  # Sbz2
)  # fmt: skip
_ACE = Struct(
    "<"
    "B"  # AceType
    "B"  # AceFlags
    "H"  # AceSize
    "I"  # Mask
)  # fmt: skip
_LARGEST = 0xFFFF  # AclSize and AceSize have 16 bits
# A list of 64 KiB has room for 1,820 ACEs of domain accounts, and for 4,095 of the shortest.
_MOST_ACES = 2048
_ACL_REVISION = 2
# 4 is that of a list that may have object ACEs, 3 of one that may have compound ones: such lists
# are read, such entries are not.
_ACL_REVISIONS = (2, 3, 4)
_ACE_TYPES = frozenset(number for name, number in vars(AceType).items() if name.isupper())


@lru_cache(1024)
def sid_to_bytes(sid: str) -> bytes:
    """[MS-DTYP] 2.4.2.1 -> 2.4.2.2: "S-1-5-32-544" as it stands on the wire."""
    match = _SID_TEXT.fullmatch(sid)
    if not match:
        raise NtError(NtStatus.INVALID_PARAMETER)
    authority = int(match[1], 16 if match[1].startswith("0x") else 10)
    sub_authorities = [int(number) for number in match[2].split("-")[1:]]
    if any(number > 0xFFFFFFFF for number in sub_authorities):
        raise NtError(NtStatus.INVALID_PARAMETER)
    head = _SID.pack(1, len(sub_authorities), authority >> 32, authority & 0xFFFFFFFF)
    return head + b"".join(map(_SUB_AUTHORITY.pack, sub_authorities))


def sid_from_bytes(data: memoryview | bytes) -> str:
    """[MS-DTYP] 2.4.2.2 -> 2.4.2.1; bytes behind the SID are ignored."""
    count = unpack_payload(_SID, memoryview(data))[1]
    end = _sid_size(count)
    if end > len(data):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return _sid_text(bytes(data[:end]))


@lru_cache(1024)  # the same few stand in list after list
def _sid_text(sid: bytes) -> str:
    """The text of a SID; the caller has checked its length."""
    revision, count, high, low = _SID.unpack_from(sid)
    if revision != 1 or count > _MOST_SUB_AUTHORITIES:
        raise NtError(NtStatus.INVALID_PARAMETER)
    authority = f"0x{high:04X}{low:08X}" if high else str(low)
    numbers = (number for (number,) in _SUB_AUTHORITY.iter_unpack(sid[_SID.size :]))
    return "-".join(("S-1", authority, *map(str, numbers)))


def _sid_size(sub_authority_count: int) -> int:
    return _SID.size + sub_authority_count * _SUB_AUTHORITY.size


@dataclass(slots=True)
class Ace:
    """[MS-DTYP] 2.4.4; `data` are the bytes that a callback or attribute ACE has behind its SID."""

    type: int
    flags: int
    mask: int
    sid: str
    data: bytes = b""


@dataclass(slots=True)
class SecurityDescriptor:
    """[MS-DTYP] 2.4.6.  A list that is None is absent, or NULL where `control` says PRESENT."""

    owner: str | None
    group: str | None
    dacl: list[Ace] | None
    sacl: list[Ace] | None = None
    control: int = 0


def _pack_ace(ace: Ace) -> bytes:
    body = sid_to_bytes(ace.sid) + ace.data
    body += bytes(-len(body) % 4)
    if _ACE.size + len(body) > _LARGEST:
        raise NtError(NtStatus.ALLOTTED_SPACE_EXCEEDED)
    return _ACE.pack(ace.type, ace.flags, _ACE.size + len(body), ace.mask) + body


def _pack_acl(aces: list[Ace]) -> bytes:
    body = b"".join(map(_pack_ace, aces))
    if _ACL.size + len(body) > _LARGEST:
        raise NtError(NtStatus.ALLOTTED_SPACE_EXCEEDED)
    return _ACL.pack(_ACL_REVISION, _ACL.size + len(body), len(aces)) + body


def pack_security_descriptor(descriptor: SecurityDescriptor) -> bytes:
    """[MS-DTYP] 2.4.6, self-relative.  The PRESENT bits of lists that are there are set here.

    Raises NtError(ALLOTTED_SPACE_EXCEEDED) for a list of more than 64 KiB.  One that was parsed
    may have been shorter: entries are padded here, and a directory's count twice in its
    directories.
    """
    control = descriptor.control | Control.SELF_RELATIVE
    if descriptor.dacl is not None:
        control |= Control.DACL_PRESENT
    if descriptor.sacl is not None:
        control |= Control.SACL_PRESENT
    parts = (
        None if descriptor.owner is None else sid_to_bytes(descriptor.owner),
        None if descriptor.group is None else sid_to_bytes(descriptor.group),
        None if descriptor.sacl is None else _pack_acl(descriptor.sacl),
        None if descriptor.dacl is None else _pack_acl(descriptor.dacl),
    )
    out = bytearray(_DESCRIPTOR.size)
    offsets = []
    for part in parts:
        offsets.append(0 if part is None else len(out))
        out += part or b""
    _DESCRIPTOR.pack_into(out, 0, 1, control, *offsets)
    return bytes(out)


def _parse_acl(data: memoryview) -> list[Ace]:
    revision, size, count = unpack_payload(_ACL, data)
    if revision not in _ACL_REVISIONS or not _ACL.size <= size <= len(data):
        raise NtError(NtStatus.INVALID_PARAMETER)
    at_most(_MOST_ACES, count)
    acl = bytes(data[:size])
    aces = []
    at = _ACL.size
    for _ in range(count):
        ace = _parse_ace(acl, at)
        aces.append(ace)
        at += _ACE.unpack_from(acl, at)[2]
    return aces


def _parse_ace(acl: bytes, at: int) -> Ace:
    """The entry at `at`; a list may have 4,000 of them, so that this one counts microseconds."""
    if at + _ACE.size + _SID.size > len(acl):
        raise NtError(NtStatus.INVALID_PARAMETER)
    ace_type, flags, size, mask = _ACE.unpack_from(acl, at)
    sid_at = at + _ACE.size
    data_at = sid_at + _sid_size(acl[sid_at + 1])
    end = at + size
    if ace_type not in _ACE_TYPES or data_at > end or end > len(acl):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return Ace(ace_type, flags, mask, _sid_text(acl[sid_at:data_at]), acl[data_at:end])


def _part(data: memoryview, offset: int) -> memoryview | None:
    """The part at `offset`; None for 0."""
    if not offset:
        return None
    if not _DESCRIPTOR.size <= offset <= len(data):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return data[offset:]


def parse_security_descriptor(data: memoryview) -> SecurityDescriptor:
    """[MS-DTYP] 2.4.6, self-relative.  Object ACEs, which no file has, are refused."""
    revision, control, *offsets = unpack_payload(_DESCRIPTOR, data)
    if revision != 1 or not control & Control.SELF_RELATIVE:
        raise NtError(NtStatus.INVALID_PARAMETER)
    owner, group, sacl, dacl = (_part(data, offset) for offset in offsets)
    return SecurityDescriptor(
        None if owner is None else sid_from_bytes(owner),
        None if group is None else sid_from_bytes(group),
        None if dacl is None or not control & Control.DACL_PRESENT else _parse_acl(dacl),
        None if sacl is None or not control & Control.SACL_PRESENT else _parse_acl(sacl),
        control,
    )
