"""Named streams in extended attributes of their file, as Samba's vfs_streams_xattr keeps them.

`user.DosStream.NAME:$DATA` holds the content and one byte more, which is 0: an attribute cannot be
empty everywhere.  Where that byte is 255 the content lies in a file of its own (store.py), whose
name the attribute holds; Samba counts further attributes in it, fifteen at most.  One attribute
says either, so that a single system call leads from the one to the other.
"""

import errno
import os
import re
from typing import NamedTuple

from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import xattrs
from smbd.vfs.file import File
from smbd.vfs.names import fold, stream_to_disk, stream_to_wire

PREFIX = b"user.DosStream."
_TYPE = b":$DATA"
_WHOLE, _ELSEWHERE = b"\0", b"\xff"
_REFERENCE = re.compile(rb"smbd ([0-9a-f]{32})")
_MISSING = frozenset((errno.ENODATA, errno.EOPNOTSUPP))


class Reference(NamedTuple):
    """The content is in the store's file of this name."""

    number: str  # 32 hexadecimal digits


def listed(file: File) -> dict[str, bytes]:
    """The attribute of each of a file's streams, by the stream's name as it was given.

    Raises NtError(OBJECT_NAME_INVALID) where the file system has no such attributes: a volume
    without streams; OSError.
    """
    try:
        attributes = os.listxattr(file.target)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise NtError(NtStatus.OBJECT_NAME_INVALID) from error
        raise
    streams = {}
    for attribute in map(os.fsencode, attributes):
        if attribute.startswith(PREFIX):
            # Samba can be told to leave the type out.
            name = stream_to_wire(attribute.removeprefix(PREFIX).removesuffix(_TYPE))
            if name is not None:
                streams[name] = attribute
    return streams


def find(file: File, stream: str) -> tuple[str, bytes] | None:
    """A stream's name as it was given, and its attribute, by any spelling; None if it is not there.

    Errors as `listed`.
    """
    streams = listed(file)
    attribute = streams.get(stream)
    if attribute is not None:
        return stream, attribute
    folded = fold(stream)
    return next((found for found in streams.items() if fold(found[0]) == folded), None)


def attribute_of(stream: str) -> bytes:
    """The attribute that a stream of this name is to have."""
    return PREFIX + stream_to_disk(stream) + _TYPE


def load(target: int | str, attribute: bytes) -> bytes | Reference | None:
    """What an attribute holds: the content, or where it is; None without one; OSError."""
    try:
        value = os.getxattr(target, attribute)
    except OSError as error:
        if error.errno not in _MISSING:
            raise
        return None
    if value.endswith(_ELSEWHERE):
        found = _REFERENCE.fullmatch(value[:-1])
        if found is not None:
            return Reference(found[1].decode())
    return value[:-1]


def keep(file: File, attribute: bytes, content: bytes) -> None:
    """Make this the content; NtError(DISK_FULL) where a file's attributes have no room; OSError."""
    xattrs.write(file, attribute, content + _WHOLE, NtStatus.DISK_FULL)


def refer(file: File, attribute: bytes, reference: Reference) -> None:
    """Say where the content is; errors as `keep`."""
    value = f"smbd {reference.number}".encode() + _ELSEWHERE
    xattrs.write(file, attribute, value, NtStatus.DISK_FULL)


def remove(file: File, attribute: bytes) -> None:
    """Remove a stream from a file, if it is there; OSError."""
    try:
        os.removexattr(file.target, attribute)
    except OSError as error:
        if error.errno not in _MISSING:
            raise
