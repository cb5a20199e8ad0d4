"""The file system that a share lies on, as clients ask for it ([MS-FSCC] 2.5)."""

import errno
import os

from aio import kernel
from smbd.vfs import dosattrib
from smbd.vfs.file_systems import FileSystem
from smbd.vfs.lookup import PROC_FDS
from smbd.vfs.names import MAXIMUM_COMPONENT
from smbd.wire.filetime import filetime_from_unix
from smbd.wire.fscc import FileSystemAttribute, Volume

# 512 and not the disk's own: a client only multiplies it with sectors_per_unit.
_BYTES_PER_SECTOR = 512
# Counts are signed on the wire ([MS-FSCC] 2.5.8), and "no limit" is 2^64-1 on some file systems.
_MOST_UNITS = 0x7FFF_FFFF_FFFF_FFFF
_WITHOUT_HARD_LINKS = {0x4D44, 0x2011BAB0}  # vfat, exfat: statfs's f_type


def describe_volume(
    fd: int,
    root: int,
    label: str,
    file_system: FileSystem,
    *,
    read_only: bool,
    streams: bool,
) -> Volume:
    """The volume that an open file (`fd`) of the share with this root is on; OSError.

    The name is "NTFS", as Samba's: Windows programs ask for the name and not for the features.
    """
    space = os.fstatvfs(fd)
    status = kernel.statx("", dir_fd=root, flags=kernel.AT_EMPTY_PATH)
    born = status.ctime_ns if status.btime_ns is None else status.btime_ns
    unit = max(space.f_frsize, _BYTES_PER_SECTOR)
    scale = unit // max(space.f_frsize, 1)
    return Volume(
        serial_number=file_system.volume_id & 0xFFFF_FFFF,
        creation_time=filetime_from_unix(born),
        label=label,
        total_units=min(space.f_blocks // scale, _MOST_UNITS),
        caller_free_units=min(space.f_bavail // scale, _MOST_UNITS),
        free_units=min(space.f_bfree // scale, _MOST_UNITS),
        sectors_per_unit=unit // _BYTES_PER_SECTOR,
        bytes_per_sector=_BYTES_PER_SECTOR,
        file_system_name="NTFS",
        attributes=_attributes(
            fd, read_only=read_only or bool(space.f_flag & os.ST_RDONLY), streams=streams
        ),
        guid=file_system.guid,
        maximum_name_length=min(space.f_namemax, MAXIMUM_COMPONENT),
    )


def _attributes(fd: int, *, read_only: bool, streams: bool) -> int:
    """The features that work: Explorer silently leaves out data for which a volume has none."""
    attributes = FileSystemAttribute.CASE_PRESERVED_NAMES | FileSystemAttribute.UNICODE_ON_DISK
    if read_only:
        attributes |= FileSystemAttribute.READ_ONLY_VOLUME
    if kernel.file_system_type(fd) not in _WITHOUT_HARD_LINKS:
        attributes |= FileSystemAttribute.SUPPORTS_HARD_LINKS
    if has_user_attributes(f"{PROC_FDS}/{fd}"):
        # Sparseness too is a bit that has to be stored (dosattrib.py), and so is a descriptor
        # (acl/).
        attributes |= FileSystemAttribute.SUPPORTS_EXTENDED_ATTRIBUTES
        attributes |= FileSystemAttribute.SUPPORTS_SPARSE_FILES
        attributes |= FileSystemAttribute.PERSISTENT_ACLS
        if streams:
            attributes |= FileSystemAttribute.NAMED_STREAMS
    return attributes


def has_user_attributes(path: str) -> bool:
    """Whether a file system has extended attributes for users, by a file of it.  Blocks."""
    try:
        os.getxattr(path, dosattrib.NAME)
    except OSError as error:
        return error.errno != errno.EOPNOTSUPP  # ENODATA; EACCES for a file that we may not read
    return True
