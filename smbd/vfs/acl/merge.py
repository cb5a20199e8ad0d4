"""The descriptor that SET_INFO makes of the old one and the parts that it sets."""

from dataclasses import replace

from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.acl.sids import Token
from smbd.wire.access import map_generic
from smbd.wire.dtyp import Ace, Control, SecurityDescriptor
from smbd.wire.query_info import SecurityInformation

_INHERITS = Control.DACL_AUTO_INHERITED | Control.DACL_AUTO_INHERIT_REQUIRED


def changed(
    old: SecurityDescriptor, new: SecurityDescriptor, parts: int, token: Token
) -> SecurityDescriptor:
    """`old` with the owner, group and DACL of `new` as far as `parts` names them.

    Raises NtError(INVALID_OWNER) for an owner other than the caller, or for none ([MS-FSA]
    2.1.5.17); there is no privilege here to give files away.
    """
    made = replace(old)
    if parts & SecurityInformation.OWNER:
        if new.owner is None or (new.owner != old.owner and not token.is_owner(new.owner)):
            raise NtError(NtStatus.INVALID_OWNER)
        made.owner = new.owner
    if parts & SecurityInformation.GROUP and new.group is not None:
        made.group = new.group
    if parts & SecurityInformation.DACL:
        # One that is not there counts as NULL, which gives everybody everything, as on Windows.
        made.dacl = None if new.dacl is None else mapped(new.dacl)
        made.control = kept_control(new.control) | Control.DACL_PRESENT
    return made


def mapped(aces: list[Ace]) -> list[Ace]:
    """Entries with the generic rights spelled out, as Windows keeps them."""
    return [replace(ace, mask=map_generic(ace.mask)) for ace in aces]


def kept_control(control: int) -> int:
    """The bits that stay of the Control that a client sends.

    AUTO_INHERITED counts only together with the request for it ([MS-DTYP] 2.4.6, note on DI): a
    client that knows nothing of inheritance hands back the bits that it has read.
    """
    kept = control & Control.DACL_PROTECTED
    if control & _INHERITS == _INHERITS:
        kept |= Control.DACL_AUTO_INHERITED
    return kept
