"""Security descriptors as QUERY_INFO and SET_INFO have them, and who asks.

[MS-SMB2] 3.3.5.20.3 and 3.3.5.21.3.  What they mean is smbd.vfs.acl's.
"""

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus
from smbd.session import Session
from smbd.state import Open
from smbd.vfs import File, acl
from smbd.vfs.acl import Token
from smbd.wire.access import Access
from smbd.wire.dtyp import Control, SecurityDescriptor, pack_security_descriptor
from smbd.wire.query_info import SecurityInformation

_OWNED = SecurityInformation.OWNER | SecurityInformation.GROUP
# Integrity labels and central policies ask for lists that no file here has: nothing is in them.
_READ_CONTROL = _OWNED | SecurityInformation.DACL | SecurityInformation.LABEL
_LISTS = Control.DACL_PRESENT | Control.DACL_AUTO_INHERITED | Control.DACL_PROTECTED


def token_of(session: Session) -> Token:
    """What a login goes by when descriptors are checked."""
    identity = session.identity
    if identity is None or identity.is_guest or identity.is_anonymous:
        return acl.GUEST
    return acl.user_token()


def describe(open_: Open, parts: int) -> bytes:
    """The self-relative descriptor of an open file, with the parts asked for.  Blocks.

    Raises NtError(ACCESS_DENIED) without the right to read them.
    """
    if parts & _READ_CONTROL:
        open_.require(Access.READ_CONTROL)
    if parts & SecurityInformation.SACL:
        open_.require(Access.ACCESS_SYSTEM_SECURITY)
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


def change(open_: Open, parts: int, new: SecurityDescriptor, token: Token) -> None:
    """Set parts of the descriptor of an open file.  Blocks.

    Raises NtError: ACCESS_DENIED without the right to, INVALID_OWNER, NOT_SUPPORTED where this
    file system has no place for one; OSError.
    """
    if parts & (_OWNED | SecurityInformation.LABEL):
        open_.require(Access.WRITE_OWNER)
    if parts & SecurityInformation.DACL:
        open_.require(Access.WRITE_DAC)
    if parts & SecurityInformation.SACL:
        open_.require(Access.ACCESS_SYSTEM_SECURITY)
    changed = acl.changed(_descriptor(open_.file), new, parts, token)
    if not acl.store(open_.file, changed):
        raise NtError(NtStatus.NOT_SUPPORTED)


def _descriptor(file: File) -> SecurityDescriptor:
    stored = acl.load(file)
    if stored is not None:
        return stored
    owned = vfs.ownership(file)
    return acl.of_unix(owned.uid, owned.gid, owned.mode)
