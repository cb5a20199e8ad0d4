"""OPLOCK_BREAK, for oplocks and for leases ([MS-SMB2] 2.2.23, 2.2.24, 2.2.25)."""

from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import BODY, unpack_body, unpack_payload


class LeaseBreakFlags:
    """[MS-SMB2] 2.2.23.2, Flags."""

    ACK_REQUIRED = 0x01


_STRUCTURE_SIZE = Struct("<H")
_OPLOCK = Struct(
    "<"
    "H"   # StructureSize, always 24
    "B"   # OplockLevel
    "5x"  # Reserved, Reserved2
    "QQ"  # FileId: persistent, volatile
)  # fmt: skip
_LEASE = Struct(
    "<"
    "H"    # StructureSize, always 36
    "2x"   # Reserved
    "I"    # Flags
    "16s"  # LeaseKey
    "I"    # LeaseState
    "8x"   # LeaseDuration
)  # fmt: skip
_LEASE_NOTIFICATION = Struct(
    "<"
    "H"    # StructureSize, always 44
    "H"    # NewEpoch
    "I"    # Flags
    "16s"  # LeaseKey
    "I"    # CurrentLeaseState
    "I"    # NewLeaseState
    "12x"  # BreakReason, AccessMaskHint, ShareMaskHint
)  # fmt: skip


@dataclass(slots=True)
class OplockBreakAcknowledgment:
    """[MS-SMB2] 2.2.24.1."""

    oplock_level: int
    persistent_id: int
    volatile_id: int


@dataclass(slots=True)
class LeaseBreakAcknowledgment:
    """[MS-SMB2] 2.2.24.2."""

    flags: int
    lease_key: bytes
    lease_state: int


def parse_oplock_break_acknowledgment(
    frame: memoryview,
) -> OplockBreakAcknowledgment | LeaseBreakAcknowledgment:
    """[MS-SMB2] 2.2.24; StructureSize tells which of the two it is (3.3.5.22)."""
    structure_size = unpack_payload(_STRUCTURE_SIZE, frame[BODY:])[0]
    if structure_size == _OPLOCK.size:
        return OplockBreakAcknowledgment(*unpack_body(_OPLOCK, frame, structure_size)[1:])
    if structure_size == _LEASE.size:
        return LeaseBreakAcknowledgment(*unpack_body(_LEASE, frame, structure_size)[1:])
    raise NtError(NtStatus.INVALID_PARAMETER)


def pack_oplock_break(oplock_level: int, persistent_id: int, volatile_id: int) -> bytes:
    """[MS-SMB2] 2.2.23.1 and 2.2.25.1: the notification and the response have one form."""
    return _OPLOCK.pack(24, oplock_level, persistent_id, volatile_id)


def pack_lease_break_notification(
    new_epoch: int, flags: int, lease_key: bytes, current_lease_state: int, new_lease_state: int
) -> bytes:
    """[MS-SMB2] 2.2.23.2."""
    return _LEASE_NOTIFICATION.pack(
        44, new_epoch, flags, lease_key, current_lease_state, new_lease_state
    )


def pack_lease_break_response(lease_key: bytes, lease_state: int) -> bytes:
    """[MS-SMB2] 2.2.25.2."""
    return _LEASE.pack(36, 0, lease_key, lease_state)
