"""Security descriptors made from what Unix knows: owner, group and mode.

The SIDs are those that Samba gives to users and groups it knows by number only: S-1-22-1-UID
and S-1-22-2-GID.  cifs.ko's `cifsacl` and smbcacls read them so.
"""

from smbd import vfs
from smbd.state import Open
from smbd.wire.access import (
    FILE_ALL_ACCESS,
    FILE_GENERIC_EXECUTE,
    FILE_GENERIC_READ,
    FILE_GENERIC_WRITE,
    Access,
)
from smbd.wire.dtyp import Ace, AceType, Control, SecurityDescriptor, pack_security_descriptor
from smbd.wire.query_info import SecurityInformation

_EVERYONE = "S-1-1-0"
_RIGHTS = (
    (4, FILE_GENERIC_READ),
    (2, FILE_GENERIC_WRITE | Access.DELETE),
    (1, FILE_GENERIC_EXECUTE),
)


def describe(open_: Open, parts: int) -> bytes:
    """The self-relative security descriptor of an open file, with the parts asked for."""
    _require(open_, parts)
    owned = vfs.ownership(open_.file)
    owner, group = f"S-1-22-1-{owned.uid}", f"S-1-22-2-{owned.gid}"
    # The owner may change mode and attributes whatever the mode says.
    aces = [Ace(AceType.ACCESS_ALLOWED, 0, FILE_ALL_ACCESS, owner)]
    for sid, shift in ((group, 3), (_EVERYONE, 0)):
        mask = 0
        for bit, rights in _RIGHTS:
            if owned.mode >> shift & bit:
                mask |= rights
        if mask:
            aces.append(Ace(AceType.ACCESS_ALLOWED, 0, mask, sid))
    return pack_security_descriptor(
        SecurityDescriptor(
            owner if parts & SecurityInformation.OWNER else None,
            group if parts & SecurityInformation.GROUP else None,
            aces if parts & SecurityInformation.DACL else None,
            control=Control.DACL_PRESENT if parts & SecurityInformation.DACL else 0,
        )
    )


def _require(open_: Open, parts: int) -> None:
    """[MS-SMB2] 3.3.5.20.3: reading security is READ_CONTROL, auditing is another right."""
    wanted = SecurityInformation.OWNER | SecurityInformation.GROUP | SecurityInformation.DACL
    if parts & wanted:
        open_.require(Access.READ_CONTROL)
    if parts & SecurityInformation.SACL:
        open_.require(Access.ACCESS_SYSTEM_SECURITY)
