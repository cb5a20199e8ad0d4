"""The records in a file's extended attributes: what clients have set, and no status has.

They are read together, at one listing of the attributes, and remembered for as long as the inode
does not change.
"""

import errno
import os
import time
from dataclasses import dataclass

from aio import kernel
from smbd.vfs import change_time as change_times
from smbd.vfs import dosattrib
from smbd.vfs.acl import stored
from smbd.vfs.file import File
from smbd.wire.fscc import LARGEST_EA_VALUE

_USER = "user."
# Clients neither see nor break the records that servers keep in extended attributes.
_HIDDEN_EAS = (
    dosattrib.NAME.lower(),
    stored.NAME.lower(),
    "user.smbd.",
    "user.dosstream.",
    "user.samba_streams",
    "user.samba_pai",
)


def is_client_ea(attribute: str) -> bool:
    """Whether an extended attribute on disk is an EA to clients: "user.NAME", as in Samba."""
    return attribute.startswith(_USER) and not attribute.lower().startswith(_HIDDEN_EAS)


def is_settled(file: File, status: kernel.Statx) -> bool:
    """Whether any change of an open file, its records included, will show in its status."""
    return file.dates_records and time.time_ns() - status.ctime_ns > _SETTLED_NS


@dataclass(slots=True)
class Records:
    """What is in the extended attributes of a file."""

    record: dosattrib.Record | None = None
    change_time: bytes = b""  # smbd.vfs.change_time's
    descriptor: bytes | None = None  # smbd.vfs.acl.stored's
    ea_size: int = 0  # bytes of the EAs that clients have, as a list
    whole: bool = True  # all of them could be read


NO_RECORDS = Records()
# A descriptor that cannot be read might forbid anything: it admits nobody.
_UNKNOWN = Records(descriptor=b"", whole=False)

# By (device, inode, mount): ctime, and the records that the file had then.
_remembered: dict[tuple[int, int, int], tuple[int, Records]] = {}
_MOST_REMEMBERED = 4096  # the table is emptied then
_LARGEST_REMEMBERED = 1024  # bytes of a descriptor
# A second change within one tick of the kernel's clock, 10 ms at most, or within the second that
# ext4's smallest inodes count in, could look the same: what has changed lately is not remembered.
_SETTLED_NS = 2_000_000_000


def records_of(file: File, status: kernel.Statx, *, settled: bool) -> Records:
    """The records of an open file: those of before, if its inode has not changed since.

    `settled` is what `is_settled` says of it.
    To list them takes 1.7 us by way of /proc, and each that is there as much again (measured).
    """
    if not file.dates_records:
        return read_records(file.target, follow_symlinks=True)
    key, changed = (file.device, file.inode, status.mnt_id), status.ctime_ns
    before = _remembered.get(key)
    if before is not None and before[0] == changed:
        return before[1]
    found = read_records(file.target, follow_symlinks=True)
    if settled and found.whole and len(found.descriptor or b"") <= _LARGEST_REMEMBERED:
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        _remembered[key] = changed, found
    return found


def read_records(target: int | str, *, follow_symlinks: bool) -> Records:
    """Read the records in the extended attributes.

    The list is asked for first: for a file without any (the usual case) that answers everything,
    in 1.1 us, where a refused getxattr would take 1.9 us (measured) and answer one question.
    """
    attributes = _names(target, follow_symlinks=follow_symlinks)
    if attributes is None:
        return _UNKNOWN
    if not attributes:
        return NO_RECORDS
    found = Records()
    for attribute in attributes:
        if not attribute.startswith(_USER):
            continue
        if attribute == stored.NAME:
            found.descriptor = _UNKNOWN.descriptor
        try:
            value = os.getxattr(target, attribute, follow_symlinks=follow_symlinks)
        except OSError:  # gone meanwhile, or we may not read it
            found.whole = False
        else:
            _keep(found, attribute, value)
    return found


def _keep(found: Records, attribute: str, value: bytes) -> None:
    if attribute == dosattrib.NAME:
        found.record = dosattrib.parse(value)
    elif attribute == change_times.NAME:
        found.change_time = value
    elif attribute == stored.NAME:
        found.descriptor = value
    elif is_client_ea(attribute) and len(value) <= LARGEST_EA_VALUE:
        # As the list is on the wire ([MS-FSCC] 2.4.16): each entry from a multiple of 4 on
        # with 8 bytes, the name, a NUL, the value.
        name = os.fsencode(attribute[len(_USER) :])
        found.ea_size += -found.ea_size % 4 + 9 + len(name) + len(value)


def _names(target: int | str, *, follow_symlinks: bool) -> list[str] | None:
    """The names of the extended attributes; None where they cannot be known."""
    try:
        return os.listxattr(target, follow_symlinks=follow_symlinks)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return []
        if error.errno != errno.E2BIG:  # more names than the kernel lists
            return None
    there = []
    for attribute in (stored.NAME, dosattrib.NAME, change_times.NAME):
        try:
            os.getxattr(target, attribute, follow_symlinks=follow_symlinks)
        except OSError as error:
            if error.errno == errno.ENODATA:
                continue
        there.append(attribute)
    return there
