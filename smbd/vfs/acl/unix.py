"""The descriptor of a file that has none stored, from owner, group and mode."""

from smbd.vfs.acl.sids import EVERYONE, group_sid, user_sid
from smbd.wire.access import (
    FILE_ALL_ACCESS,
    FILE_GENERIC_EXECUTE,
    FILE_GENERIC_READ,
    FILE_GENERIC_WRITE,
    Access,
)
from smbd.wire.dtyp import Ace, AceType, Control, SecurityDescriptor

_RIGHTS = (
    (4, FILE_GENERIC_READ),
    (2, FILE_GENERIC_WRITE | Access.DELETE),
    (1, FILE_GENERIC_EXECUTE),
)


def of_unix(uid: int, gid: int, mode: int) -> SecurityDescriptor:
    """Owner, group and DACL as a mode means them.

    The owner has every right: an owner may change the mode, and so take back any that it lacks.
    """
    owner, group = user_sid(uid), group_sid(gid)
    aces = [Ace(AceType.ACCESS_ALLOWED, 0, FILE_ALL_ACCESS, owner)]
    for sid, shift in ((group, 3), (EVERYONE, 0)):
        mask = 0
        for bit, rights in _RIGHTS:
            if mode >> shift & bit:
                mask |= rights
        if mask:
            aces.append(Ace(AceType.ACCESS_ALLOWED, 0, mask, sid))
    return SecurityDescriptor(owner, group, aces, control=Control.DACL_PRESENT)
