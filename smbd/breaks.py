"""A break as its client is told of it: OPLOCK_BREAK notifications of oplocks and of leases."""

from smbd.state import Break, level_of
from smbd.wire.oplock_break import (
    LeaseBreakFlags,
    pack_lease_break_notification,
    pack_oplock_break,
)


def pack_break(notification: Break) -> bytes:
    """[MS-SMB2] 2.2.23.1 and 2.2.23.2."""
    caching = notification.caching
    if caching.owner is not None:
        owner = caching.owner
        level = level_of(notification.left)
        return pack_oplock_break(level, owner.persistent_id, owner.volatile_id)
    flags = LeaseBreakFlags.ACK_REQUIRED if notification.needs_acknowledgment else 0
    epoch = caching.epoch if caching.version > 1 else 0
    return pack_lease_break_notification(
        epoch, flags, caching.key, notification.held, notification.left
    )
