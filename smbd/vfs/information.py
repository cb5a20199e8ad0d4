"""A file's metadata as SMB has it: one statx, and the records in its extended attributes.

The DOSATTRIB record holds what clients have set.  A file without one is shown as ARCHIVE, since
nothing has ever backed it up and since CREATE gives every new file just that, so that creating one
writes no record.  Computed attributes are added to the stored ones at each look: READONLY if even
its owner may not write; HIDDEN if its name begins with a dot, which is how Unix says it, or if the
share's `hide` means it; SPARSE_FILE if it has real holes.  None of that is ever stored: a name or a
mode changes later.
"""

import os
import stat
from dataclasses import dataclass, replace
from typing import NamedTuple

from aio import kernel
from aio.mounted import look_at
from smbd.vfs import change_time as change_times
from smbd.vfs import dosattrib
from smbd.vfs.acl import stored
from smbd.vfs.file import Examined, File
from smbd.vfs.file_systems import FileSystem
from smbd.vfs.records import NO_RECORDS, Records, is_settled, read_records, records_of
from smbd.vfs.visibility import Names
from smbd.wire.dtyp import SecurityDescriptor
from smbd.wire.filetime import filetime_from_unix, filetimes_from_timespecs
from smbd.wire.fscc import FileAttribute, FileInformation

# The attributes that a client may set ([MS-FSCC] 2.6), and SPARSE_FILE, which has its own FSCTL.
STORED_ATTRIBUTES = (
    FileAttribute.READONLY
    | FileAttribute.HIDDEN
    | FileAttribute.SYSTEM
    | FileAttribute.ARCHIVE
    | FileAttribute.TEMPORARY
    | FileAttribute.OFFLINE
    | FileAttribute.NOT_CONTENT_INDEXED
    | FileAttribute.SPARSE_FILE
)
# Less is no hole: small files that live in their inode and compressed ones have few blocks too.
# 64 KiB is also the least that NTFS leaves out of a file.
LEAST_HOLE = 65_536
BLOCK = 512  # st_blocks counts these, whatever the file system's own

WANTED = (  # the number that a mount has where look_at takes it from
    kernel.STATX_BASIC_STATS | kernel.STATX_BTIME | kernel.STATX_MNT_ID | kernel.STATX_MNT_ID_UNIQUE
)
_LARGEST = 0x7FFF_FFFF_FFFF_FFFF  # sizes are signed on the wire ([MS-FSCC] 2.4)


@dataclass(slots=True)
class Ownership:
    """The metadata that a security descriptor is made of."""

    uid: int
    gid: int
    mode: int


@dataclass(slots=True)
class Attributes:
    """The FILE_ATTRIBUTE_* of a file by their origin, and what else its record holds."""

    shown: int  # as clients see them
    stored: int  # as clients have set them
    computed: int  # from the file itself
    cleared: int  # computed ones that a client has taken away
    creation_time: int | None  # FILETIME that a client has set


def information(file: File) -> FileInformation:
    """The metadata of an open file or directory, or of a stream and its file; OSError."""
    of = file.described
    known = _told_of(of, raw_status_of(of.fd)).information
    return known if of is file else _of_stream(known, file)


def last_write_time(file: File) -> int:
    """The FILETIME that `information` has; OSError.

    But for another user's file it is nowhere but in the status.
    """
    status = os.fstat(file.described.fd)
    if status.st_uid != os.geteuid():
        return information(file).last_write_time
    return filetime_from_unix(status.st_mtime_ns)


def information_of_new(file: File) -> FileInformation:
    """The metadata of a file or directory that was made this moment, which has no records yet."""
    seen, file.seen = file.seen, None
    assert seen is not None, "it was looked at when it was made"
    _, status = seen
    return _describe(status, NO_RECORDS, file.path.rpartition("/")[2], _file_system(file, status))


def _of_stream(known: FileInformation, file: File) -> FileInformation:
    """[MS-FSA] 2.1.5.12: a stream's are its size and allocation, and it is no directory."""
    status = os.fstat(file.fd)
    return replace(
        known,
        end_of_file=status.st_size,
        allocation_size=status.st_blocks * BLOCK,
        attributes=known.attributes & ~FileAttribute.DIRECTORY or FileAttribute.NORMAL,
        is_directory=False,
    )


def examine(file: File) -> tuple[FileInformation, SecurityDescriptor | None]:
    """`information`, and the descriptor that is stored with the file, if there is one; OSError.

    Of a file that was opened this moment it is what the open has seen.
    """
    of = file.described
    seen, of.seen = of.seen, None
    raw, status = seen or (raw_status_of(of.fd), None)
    known, kept, young = _told_of(of, raw, status)
    of.examined = Examined(raw, known, young)
    descriptor = None if kept is None else stored.parse(kept)
    return (known if of is file else _of_stream(known, file)), descriptor


# What was told of files lately, by their status, their name and the number of the share's folder.
_told: dict[tuple[bytes, str, int], FileInformation] = {}
_MOST_TOLD = 1024  # 1 KB each; the table is emptied then
# The same of files that are not settled, as long as they have no records: clients open a file, and
# then ask for more of it.
_young: dict[tuple[bytes, str, int], FileInformation] = {}
_MOST_YOUNG = 16


class _Told(NamedTuple):
    """What is told of a file."""

    information: FileInformation
    descriptor: bytes | None  # that is stored with it
    young: bool | None  # whether it says so only while it has no records; None: others may come


def _told_of(file: File, raw: bytes, status: kernel.Statx | None = None) -> _Told:
    """What is told of an open file of this status, which may be unpacked already.

    Nobody changes what was told: the next one may get the same.
    """
    name = file.path.rpartition("/")[2]
    key = raw, name, file.root.number
    told = _told.get(key)
    if told is not None:
        return _Told(told, None, young=False)
    status = status or kernel.statx_of(raw)
    settled = is_settled(file, status)
    records = records_of(file, status, settled=settled)
    if records is NO_RECORDS:
        told = _young.get(key)
    if told is None:
        told = _describe(status, records, name, _file_system(file, status))
    young = None
    if records.descriptor is None and records.whole:
        if settled:
            young = False
            if len(_told) >= _MOST_TOLD:
                _told.clear()
            _told[key] = told
        elif records is NO_RECORDS:
            young = True
            if len(_young) >= _MOST_YOUNG:
                _young.clear()
            _young[key] = told
    return _Told(told, records.descriptor, young)


def told_lately(file: File) -> tuple[bytes, FileInformation, bool] | None:
    """The status of a file as it was opened, and what `examine` said of it; once.

    And whether it says so only as long as the file has no extended attributes: one that comes may
    not show in its status.  None if that was not of its status alone.
    """
    examined, file.examined = file.examined, None
    if examined is None or examined.young is None:
        return None
    return examined.raw, examined.information, examined.young


def known_attributes(file: File) -> Attributes:
    """The attributes of an open file or directory, by their origin; OSError."""
    file = file.described
    status = status_of(file.fd)
    record = records_of(file, status, settled=is_settled(file, status)).record
    name = file.path.rpartition("/")[2]
    return Attributes(
        shown=_attributes(status, record, name, file.root.hide),
        stored=_stored(record, is_directory=file.is_directory),
        computed=_computed(status, name, file.root.hide, is_directory=file.is_directory),
        cleared=record.cleared if record else 0,
        creation_time=record.creation_time if record else None,
    )


def ownership(file: File) -> Ownership:
    """Owner, group and mode bits of an open file; OSError."""
    status = os.fstat(file.described.fd)
    return Ownership(status.st_uid, status.st_gid, status.st_mode)


def raw_status(fd: int) -> bytes:
    """All that is shown of an open file, as far as it is known here: its file system is not asked.

    Of a local file nothing is known better than so.  As `kernel.statx_of` takes it; OSError.
    """
    return kernel.raw_statx(fd, flags=kernel.AT_STATX_DONT_SYNC, mask=WANTED)


def raw_status_of(fd: int) -> bytes:
    """The same; but its file system may be asked."""
    return kernel.raw_statx(fd, flags=0, mask=WANTED)


def status_as_known(fd: int) -> kernel.Statx:
    """As `raw_status`, unpacked."""
    return kernel.statx_of(raw_status(fd))


def status_of(fd: int) -> kernel.Statx:
    """All that is shown of an open file; its file system may be asked.  OSError."""
    return kernel.statx(b"", dir_fd=fd, flags=kernel.AT_EMPTY_PATH, mask=WANTED)


def _file_system(file: File, status: kernel.Statx) -> FileSystem:
    known = file.root.file_systems.known(file.device, status.mnt_id)
    return known or file.root.file_systems.learn(file.fd, look_at(file.fd))


def _describe(
    status: kernel.Statx, records: Records, name: str, file_system: FileSystem
) -> FileInformation:
    access_time, creation_time, change_time, write_time = filetimes_from_timespecs(status.times)
    if not status.mask & kernel.STATX_BTIME:
        # Without a birth time the oldest time there is, as Samba has it.
        creation_time = min(write_time, change_time, access_time)
    record = records.record
    if record is not None:
        creation_time = record.creation_time or creation_time
    if records.change_time:
        change_time = change_times.still_valid(records.change_time, status.ctime_ns) or change_time
        others = change_times.kept(records.change_time)
        if others is not None:
            access_time = others.access if others.atime_ns == status.atime_ns else access_time
            write_time = others.write if others.mtime_ns == status.mtime_ns else write_time
    is_directory = stat.S_ISDIR(status.mode)
    return FileInformation(  # by position: by name it takes half as long again
        creation_time,
        access_time,
        write_time,
        change_time,
        0 if is_directory else min(status.blocks * BLOCK, _LARGEST),
        0 if is_directory else min(status.size, _LARGEST),
        _attributes(status, record, name, file_system.hide),
        1 if is_directory else status.nlink,
        file_system.file_id(status.ino),
        file_system.volume_id,
        is_directory,
        records.ea_size,
    )


def _attributes(
    status: kernel.Statx, record: dosattrib.Record | None, name: str, hide: Names | None
) -> int:
    is_directory = stat.S_ISDIR(status.mode)
    attributes = _computed(status, name, hide, is_directory=is_directory)
    attributes |= _stored(record, is_directory=is_directory)
    if record is not None:
        attributes &= ~record.cleared
    if is_directory:
        attributes |= FileAttribute.DIRECTORY
    return attributes or FileAttribute.NORMAL


def _stored(record: dosattrib.Record | None, *, is_directory: bool) -> int:
    if record is None or record.attributes is None:
        return 0 if is_directory else FileAttribute.ARCHIVE
    return record.attributes & STORED_ATTRIBUTES


def _computed(status: kernel.Statx, name: str, hide: Names | None, *, is_directory: bool) -> int:
    hidden = name[:1] == "." or (hide is not None and hide.mean(name))
    attributes = FileAttribute.HIDDEN if hidden else 0
    if is_directory:
        return attributes
    if not status.mode & stat.S_IWUSR:
        attributes |= FileAttribute.READONLY
    if status.size - status.blocks * BLOCK >= LEAST_HOLE:
        attributes |= FileAttribute.SPARSE_FILE
    return attributes


def plain_attributes(name: str, mode: int, size: int) -> int:
    """Those of an entry of such a name, mode and size that has neither blocks nor records."""
    fields = dict.fromkeys(kernel.Statx._fields, 0)
    status = kernel.Statx(**{**fields, "mode": mode, "size": size})
    return _attributes(status, None, name, None)


def hidden_by_name(file: File) -> bool:
    """Whether a file is HIDDEN only by its name, which begins with a dot or which `hide` means.

    OSError.
    """
    file = file.described
    name, hide = file.path.rpartition("/")[2], file.root.hide
    if not (name.startswith(".") or (hide is not None and hide.mean(name))):
        return False
    record = read_records(file.target, follow_symlinks=True).record
    return not _stored(record, is_directory=file.is_directory) & FileAttribute.HIDDEN


def information_at(
    status: kernel.Statx, target: str | None, name: str, file_system: FileSystem
) -> FileInformation:
    """The metadata of a directory entry that is not open; `status` is statx's with WANTED.

    `target` is a path that leads to it, where a symbolic link is not followed; None if it is known
    to have no extended attributes.
    """
    records = NO_RECORDS if target is None else read_records(target, follow_symlinks=False)
    return _describe(status, records, name, file_system)
