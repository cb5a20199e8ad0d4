"""Security descriptors as QUERY_INFO and SET_INFO have them, and the asking client's token.

[MS-SMB2] 3.3.5.20.3 and 3.3.5.21.3.  What they mean is smbd.vfs.acl's.
"""

from smbd import vfs
from smbd.auth import Identity
from smbd.ntstatus import NtError, NtStatus
from smbd.state import Open
from smbd.vfs import File, acl
from smbd.vfs.acl import Token
from smbd.wire.access import Access
from smbd.wire.dtyp import Control, SecurityDescriptor, pack_security_descriptor
from smbd.wire.query_info import SecurityInformation

_OWNED = SecurityInformation.OWNER | SecurityInformation.GROUP
_ALL = _OWNED | SecurityInformation.DACL | SecurityInformation.SACL
_KEPT = _OWNED | SecurityInformation.DACL
# Which parts need which right ([MS-SMB2] 3.3.5.20.3, 3.3.5.21.3; SECURITY_INFORMATION).
_TO_READ = (
    (
        _KEPT
        | SecurityInformation.LABEL
        | SecurityInformation.ATTRIBUTE
        | SecurityInformation.SCOPE,
        Access.READ_CONTROL,
    ),
    (SecurityInformation.SACL, Access.ACCESS_SYSTEM_SECURITY),
)
_TO_SET = (
    (_OWNED | SecurityInformation.LABEL, Access.WRITE_OWNER),
    (SecurityInformation.DACL | SecurityInformation.ATTRIBUTE, Access.WRITE_DAC),
    (SecurityInformation.SACL | SecurityInformation.SCOPE, Access.ACCESS_SYSTEM_SECURITY),
)
_LISTS = Control.DACL_PRESENT | Control.DACL_AUTO_INHERITED | Control.DACL_PROTECTED


def token_of(identity: Identity | None) -> Token:
    """What a login goes by when descriptors are checked."""
    if identity is None or not identity.is_account:
        return acl.GUEST
    return acl.user_token(identity.user)


def describe(open_: Open, parts: int) -> bytes:
    """The self-relative descriptor of an open file, with the parts asked for.  Blocks.

    Raises NtError(ACCESS_DENIED) without the right to read them.
    """
    parts = _required(open_, parts, _TO_READ)
    whole = _descriptor(open_.file)
    has_dacl = parts & SecurityInformation.DACL
    return pack_security_descriptor(
        SecurityDescriptor(
            whole.owner if parts & SecurityInformation.OWNER else None,
            whole.group if parts & SecurityInformation.GROUP else None,
            whole.dacl if has_dacl else None,
            control=whole.control & _LISTS if has_dacl else 0,
        )
    )


def change(open_: Open, parts: int, new: SecurityDescriptor, token: Token) -> bool:
    """Set parts of the descriptor of an open file; whether there was anything to set.  Blocks.

    Raises NtError: ACCESS_DENIED without the right to, INVALID_OWNER, NOT_SUPPORTED where this
    file system has no place for one and for labels, attributes and policies; OSError.
    """
    parts = _required(open_, parts, _TO_SET)
    if not parts & _KEPT:
        # Nothing that a file here has is named: nothing is stored, as on Windows and Samba.  But
        # a client that brings a label or the like must not believe that it is kept.
        if parts and new.sacl:
            raise NtError(NtStatus.NOT_SUPPORTED)
        return False
    changed = acl.changed(_descriptor(open_.file), new, parts, token)
    if not acl.store(open_.file, changed):
        raise NtError(NtStatus.NOT_SUPPORTED)
    return True


def _required(open_: Open, parts: int, table: tuple[tuple[int, int], ...]) -> int:
    """The parts asked about, once the open has the right to each; BACKUP stands for four."""
    if parts & SecurityInformation.BACKUP:
        parts |= _ALL
    for needing, right in table:
        if parts & needing:
            open_.require(right)
    return parts


def _descriptor(file: File) -> SecurityDescriptor:
    stored = acl.load(file)
    if stored is not None:
        return stored
    owned = vfs.ownership(file)
    return acl.of_unix(owned.uid, owned.gid, owned.mode)
