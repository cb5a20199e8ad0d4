"""The access check: which rights a descriptor gives a token ([MS-DTYP] 2.5.3.2)."""

from smbd.vfs.acl.sids import OWNER_RIGHTS, Token
from smbd.wire.access import FILE_ALL_ACCESS, Access
from smbd.wire.dtyp import Ace, AceFlags, AceType, SecurityDescriptor

# Whoever owns an object can always read its descriptor and change who may use it.
_OWNERS = Access.READ_CONTROL | Access.WRITE_DAC


def allowed(descriptor: SecurityDescriptor, token: Token) -> int:
    """Every right that the token has, as a mask; of two entries that contradict the first holds.

    Entries of other types (audit, conditional) say nothing: what a conditional one would allow is
    not allowed, since conditions are not evaluated here.
    """
    if descriptor.dacl is None:
        return FILE_ALL_ACCESS
    owns = token.is_owner(descriptor.owner)
    granted, denied = 0, 0
    limited = False  # an entry for OWNER RIGHTS takes the place of what owners have anyway
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


# A condition that cannot be evaluated must not open what it was to close.
_DENIES = (AceType.ACCESS_DENIED, AceType.ACCESS_DENIED_CALLBACK)


def _means(ace: Ace, token: Token, *, owns: bool) -> bool:
    return ace.sid in token.sids or (owns and ace.sid == OWNER_RIGHTS)
