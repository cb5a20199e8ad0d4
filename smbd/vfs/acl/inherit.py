"""The descriptor of a new file or directory ([MS-DTYP] 2.5.3.4, CreateSecurityDescriptor)."""

from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.acl.merge import kept_control, mapped
from smbd.vfs.acl.sids import CREATOR_GROUP, CREATOR_OWNER, SYSTEM, Token
from smbd.wire.access import FILE_ALL_ACCESS
from smbd.wire.dtyp import Ace, AceFlags, AceType, Control, SecurityDescriptor

_PASSED_ON = AceFlags.OBJECT_INHERIT | AceFlags.CONTAINER_INHERIT | AceFlags.NO_PROPAGATE_INHERIT


def of_new(
    parent: SecurityDescriptor | None,
    given: SecurityDescriptor | None,
    token: Token,
    *,
    directory: bool,
) -> SecurityDescriptor | None:
    """The descriptor of a new file or directory, from its parent's and the creator's own (SecD).

    None where neither gives a list: Unix owner, group and mode then decide.  Raises
    NtError(INVALID_OWNER) for an owner that is not the creator.
    """
    if parent is None and given is None:
        return None
    given = given or SecurityDescriptor(None, None, None)
    owner, group = given.owner or token.owner, given.group or token.group
    if owner != token.owner and not token.is_owner(owner):
        raise NtError(NtStatus.INVALID_OWNER)
    made = SecurityDescriptor(owner, group, None, control=kept_control(given.control))
    made.control |= Control.DACL_PRESENT
    inherited = [] if parent is None else _inherited(parent, made, directory=directory)
    if given.control & Control.DACL_PRESENT:
        if given.dacl is not None:
            protected = given.control & Control.DACL_PROTECTED
            made.dacl = mapped(given.dacl) + ([] if protected else inherited)
        return made
    if parent is None:
        return None  # its owner is the creator already, and the rest is Unix's
    if parent.control & Control.DACL_AUTO_INHERITED:
        made.control |= Control.DACL_AUTO_INHERITED
    # Without an entry to inherit the creator's token gives the list, by its default.
    made.dacl = inherited or [
        Ace(AceType.ACCESS_ALLOWED, 0, FILE_ALL_ACCESS, sid) for sid in (owner, SYSTEM)
    ]
    return made


def _inherited(
    parent: SecurityDescriptor, made: SecurityDescriptor, *, directory: bool
) -> list[Ace]:
    # Entries are marked as inherited only where the directory's own list is (AUTO_INHERITED).
    mark = AceFlags.INHERITED if parent.control & Control.DACL_AUTO_INHERITED else 0
    creators = {CREATOR_OWNER: made.owner, CREATOR_GROUP: made.group}
    aces = []
    for ace in parent.dacl or ():
        applies = ace.flags & (AceFlags.CONTAINER_INHERIT if directory else AceFlags.OBJECT_INHERIT)
        passes = directory and not ace.flags & AceFlags.NO_PROPAGATE_INHERIT
        handed_down = ace.flags & _PASSED_ON if passes else 0
        sid = creators.get(ace.sid) or ace.sid
        if applies and handed_down and sid != ace.sid:
            # For the creator of this directory, and once more for those of what will be in it.
            aces.append(Ace(ace.type, mark, ace.mask, sid, ace.data))
            only = AceFlags.INHERIT_ONLY
            aces.append(Ace(ace.type, handed_down | only | mark, ace.mask, ace.sid, ace.data))
        elif applies:
            aces.append(Ace(ace.type, handed_down | mark, ace.mask, sid, ace.data))
        elif handed_down & AceFlags.OBJECT_INHERIT:
            only = AceFlags.INHERIT_ONLY
            aces.append(Ace(ace.type, handed_down | only | mark, ace.mask, ace.sid, ace.data))
    return aces
