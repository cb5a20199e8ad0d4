"""EAs: NAME to a client is user.NAME on disk, as in Samba."""

import errno
import os
from collections.abc import Iterable, Sequence

from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import xattrs
from smbd.vfs.busy import changes_records
from smbd.vfs.file import File
from smbd.vfs.records import is_client_ea
from smbd.wire.fscc import LARGEST_EA_VALUE, ExtendedAttribute

_USER = "user."


def list_eas(file: File, limit: int) -> list[ExtendedAttribute]:
    """The EAs of an open file, in the file system's order, to the first that goes beyond `limit`.

    `limit` counts bytes of names and values.  An EA that no client can be told is left out: a value
    of 64 KiB, which other programs may set, has one byte more than its length can say.  Raises
    NtError(EA_TOO_LARGE) for more names than the kernel lists; OSError.
    """
    eas: list[ExtendedAttribute] = []
    file = file.described
    for attribute in filter(is_client_ea, _names(file)):
        value = _value(file, attribute)
        if value is None or len(value) > LARGEST_EA_VALUE:
            continue
        eas.append(ExtendedAttribute(os.fsencode(attribute.removeprefix(_USER)), value))
        limit -= len(eas[-1].name) + len(value)
        if limit < 0:
            break
    return eas


def find_eas(file: File, names: Iterable[bytes]) -> list[ExtendedAttribute]:
    """The EAs of these names, in any case; one that is not there has no value.

    Raises NtError(EA_TOO_LARGE) for a value whose length cannot be said, and as `list_eas`.
    """
    file = file.described
    spelled = _Spelling(_names(file))
    eas = []
    for name in names:
        there = spelled.of(name)
        value = None if there is None else _value(file, there)
        if value is not None and len(value) > LARGEST_EA_VALUE:
            raise NtError(NtStatus.EA_TOO_LARGE)
        eas.append(ExtendedAttribute(name, value or b""))
    return eas


@changes_records
def set_eas(file: File, eas: Sequence[ExtendedAttribute]) -> None:
    """Set EAs, one after the other; an empty value removes one ([MS-FSA] 2.1.5.15.5).

    Raises NtError: ACCESS_DENIED for a name that servers keep to themselves and in a read-only
    share, INVALID_EA_NAME for one that Linux has no room for, EA_TOO_LARGE, NOT_SUPPORTED where
    the file system has none; OSError.  Names are looked at before anything is set.
    """
    file.root.check_writable()
    names = _names(file)
    spelled = _Spelling(names)
    changes = [(_attribute(ea.name, spelled), ea) for ea in eas]
    there = set(names)
    # Beyond that nobody could list them any more.
    room = xattrs.LARGEST_LIST - sum(len(os.fsencode(name)) + 1 for name in names)
    for attribute, ea in changes:
        if not ea.value:
            _remove(file, attribute)
            continue
        if attribute not in there:
            there.add(attribute)
            room -= len(os.fsencode(attribute)) + 1
        if room < 0 or len(ea.value) > LARGEST_EA_VALUE:
            raise NtError(NtStatus.EA_TOO_LARGE)
        xattrs.write(file, attribute, ea.value, NtStatus.EA_TOO_LARGE)


def attributes_of(file: File, eas: Sequence[ExtendedAttribute]) -> list[str]:
    """The extended attributes that these EAs are kept in, or are to be.

    NtError as `set_eas` for names that cannot be; OSError.
    """
    if not eas:
        return []
    file = file.described
    spelled = _Spelling(_names(file))
    return [_attribute(ea.name, spelled) for ea in eas]


class _Spelling:
    """The attributes on disk by EA names, which [MS-FSCC] 2.4.16 compares without case."""

    def __init__(self, attributes: list[str]) -> None:
        self._exact = set(filter(is_client_ea, attributes))
        self._folded: dict[str, str] = {}
        for attribute in filter(is_client_ea, attributes):
            self._folded.setdefault(attribute.upper(), attribute)

    def of(self, name: bytes) -> str | None:
        """The attribute that is meant; None if there is none."""
        attribute = _USER + os.fsdecode(name)
        return attribute if attribute in self._exact else self._folded.get(attribute.upper())


def _attribute(name: bytes, spelled: _Spelling) -> str:
    """The attribute that an EA of this name is kept in, or is to be."""
    attribute = spelled.of(name) or _USER + os.fsdecode(name)
    if not is_client_ea(attribute):
        raise NtError(NtStatus.ACCESS_DENIED)
    if len(os.fsencode(attribute)) > xattrs.LONGEST_NAME:
        raise NtError(NtStatus.INVALID_EA_NAME)
    return attribute


def _names(file: File) -> list[str]:
    try:
        return os.listxattr(file.target)
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise NtError(NtStatus.EA_TOO_LARGE) from error
        if error.errno != errno.EOPNOTSUPP:
            raise
        return []


def _value(file: File, attribute: str) -> bytes | None:
    try:
        return os.getxattr(file.target, attribute)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return None


def _remove(file: File, attribute: str) -> None:
    try:
        os.removexattr(file.target, attribute)
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}:
            raise
