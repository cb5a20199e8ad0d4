"""Oplocks, leases and durable handles: what CREATE asks and grants, and what breaks say."""

from dataclasses import dataclass
from struct import pack, unpack_from

from smbd.wire.create_contexts import ContextName, Lease, LeaseState, pack_lease, parse_lease
from tests.core.messages import OPLOCK_BREAK, UNASKED

R, H, W = LeaseState.READ_CACHING, LeaseState.HANDLE_CACHING, LeaseState.WRITE_CACHING
NONE, LEVEL_II, EXCLUSIVE, BATCH, BY_LEASE = 0, 1, 8, 9, 0xFF  # OplockLevel

# --- create contexts: (name, data), as `messages.create` takes them ---


def lease(key, state, *, version=2, epoch=0, parent=None):
    """[MS-SMB2] 2.2.13.2.8 and 2.2.13.2.10; goes with the oplock level BY_LEASE."""
    flags = 0 if parent is None else 4
    wanted = Lease(version, key, state, flags, parent or bytes(16), epoch)
    return ContextName.LEASE, pack_lease(wanted)


ANY_LEASE = lease(b"lease key is 16b", R | H | W)


def durable():
    """[MS-SMB2] 2.2.13.2.3."""
    return ContextName.DURABLE_REQUEST, bytes(16)


def durable_v2(create_guid, *, timeout=0, flags=0):
    """[MS-SMB2] 2.2.13.2.11; the timeout in milliseconds."""
    return ContextName.DURABLE_REQUEST_V2, pack("<II8x16s", timeout, flags, create_guid)


def reconnect(file_id):
    """[MS-SMB2] 2.2.13.2.4."""
    return ContextName.DURABLE_RECONNECT, file_id


def reconnect_v2(file_id, create_guid, *, flags=0):
    """[MS-SMB2] 2.2.13.2.12."""
    return ContextName.DURABLE_RECONNECT_V2, file_id + create_guid + pack("<I", flags)


def granted_lease(answer):
    """The Lease of a CREATE response; None without one."""
    data = answer.contexts.get(ContextName.LEASE)
    return None if data is None else parse_lease(memoryview(data))


# --- notifications ([MS-SMB2] 2.2.23) ---


@dataclass(frozen=True)
class OplockBreak:
    level: int
    file_id: bytes


@dataclass(frozen=True)
class LeaseBreak:
    epoch: int
    must_acknowledge: bool
    key: bytes
    current: int
    new: int


def parse_break(notification):
    """What an OPLOCK_BREAK that nobody asked for says."""
    assert (notification.command, notification.message_id) == (OPLOCK_BREAK, UNASKED)
    assert notification.status == notification.tree_id == 0
    size = unpack_from("<H", notification.body)[0]
    if size == 24:
        level, file_id = unpack_from("<2xB5x16s", notification.body)
        return OplockBreak(level, file_id)
    assert size == 44
    epoch, flags, key, current, new = unpack_from("<2xHI16sII", notification.body)
    return LeaseBreak(epoch, bool(flags & 1), key, current, new)
