"""The access check: which rights a descriptor gives a token ([MS-DTYP] 2.5.3.2)."""

from smbd.vfs.acl.sids import OWNER_RIGHTS, Token
from smbd.wire.access import FILE_ALL_ACCESS, Access
from smbd.wire.dtyp import Ace, AceFlags, AceType, SecurityDescriptor

# The owner of an object can always read its descriptor and change its list.
_OWNERS = Access.READ_CONTROL | Access.WRITE_DAC


def allowed(descriptor: SecurityDescriptor, token: Token) -> int:
    """Every right that the token has, as a mask; of two entries that contradict the first holds.

    Entries of other types (audit, conditional) say nothing: a conditional one allows nothing, since
    conditions are not evaluated here.
    """
    if descriptor.dacl is None:
        return FILE_ALL_ACCESS
    owns = token.is_owner(descriptor.owner)
    granted, denied = 0, 0
    limited = False  # an entry for OWNER RIGHTS replaces the rights that owners have anyway
    for ace in descriptor.dacl:
        if ace.flags & AceFlags.INHERIT_ONLY:
            continue
        limited = limited or ace.sid == OWNER_RIGHTS
        if not _means(ace, token, owns=owns):
            continue
        if ace.type == AceType.ACCESS_ALLOWED:
            granted |= ace.mask & ~denied
        elif ace.type in _DENIES:
            denied |= ace.mask & ~granted
    if owns and not limited:
        granted |= _OWNERS
    return granted & FILE_ALL_ACCESS


# A condition that is not evaluated counts as met in an entry that denies: it must let nobody in.
_DENIES = (AceType.ACCESS_DENIED, AceType.ACCESS_DENIED_CALLBACK)


def _means(ace: Ace, token: Token, *, owns: bool) -> bool:
    return ace.sid in token.sids or (owns and ace.sid == OWNER_RIGHTS)
