"""LOCK ([MS-SMB2] 2.2.26); its response is empty.EMPTY_RESPONSE."""

from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import BODY, at_most, unpack_body

# cifs.ko sends as many as fit into 4 KiB, 166; Windows sends one.
_MOST = 256


class LockFlags:
    """[MS-SMB2] 2.2.26.1, Flags."""

    SHARED = 0x01
    EXCLUSIVE = 0x02
    UNLOCK = 0x04
    FAIL_IMMEDIATELY = 0x10


_REQUEST = Struct(
    "<"
    "H"   # StructureSize, always 48
    "H"   # LockCount
    "I"   # LockSequenceNumber (4 bits), LockSequenceIndex (28 bits)
    "QQ"  # FileId: persistent, volatile
)  # fmt: skip
_ELEMENT = Struct(
    "<"
    "Q"   # Offset
    "Q"   # Length
    "I"   # Flags
    "4x"  # Reserved
)  # fmt: skip


@dataclass(slots=True)
class LockElement:
    """[MS-SMB2] 2.2.26.1."""

    offset: int
    length: int
    flags: int


@dataclass(slots=True)
class LockRequest:
    """[MS-SMB2] 2.2.26; `lock_sequence` is number and index in one, as on the wire."""

    lock_sequence: int
    persistent_id: int
    volatile_id: int
    locks: list[LockElement]

    @property
    def sequence(self) -> tuple[int, int]:
        """LockSequenceIndex and LockSequenceNumber."""
        return self.lock_sequence >> 4, self.lock_sequence & 0xF


def parse_lock_request(frame: memoryview) -> LockRequest:
    """[MS-SMB2] 2.2.26; a request for no lock at all is refused (3.3.5.14)."""
    _, count, lock_sequence, persistent_id, volatile_id = unpack_body(_REQUEST, frame, 48)
    at_most(_MOST, count)
    start = BODY + _REQUEST.size
    end = start + count * _ELEMENT.size
    if not count or end > len(frame):
        raise NtError(NtStatus.INVALID_PARAMETER)
    locks = [LockElement(*fields) for fields in _ELEMENT.iter_unpack(frame[start:end])]
    return LockRequest(lock_sequence, persistent_id, volatile_id, locks)
