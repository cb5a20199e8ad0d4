"""Where descriptors are kept: the extended attribute `user.NTACL`, in Samba's format.

Samba writes security.NTACL, which takes root, unless `acl_xattr:security_acl_name = user.NTACL`
says otherwise.  Its security.NTACL is not read here: the accounts that it names are Samba's, and
nobody could enter a tree that was served by it before.

NDR of librpc/idl/xattr.idl's xattr_NTACL.  Version 1, which is written here, is a header and the
descriptor; its offsets count from the beginning of the whole.  Versions 2 to 4, which Samba writes,
have hashes in between that tell whether the POSIX ACL was changed since.  Here they are not
compared: a right that Unix denies is denied under any descriptor.
"""

import errno
import os
from struct import Struct, error

from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import xattrs
from smbd.vfs.file import File
from smbd.wire.dtyp import SecurityDescriptor, pack_security_descriptor, parse_security_descriptor

NAME = "user.NTACL"

_HEADER = Struct("<HHI")  # version, union switch, referent of the pointer
_REFERENT = 0x00020000
_OFFSETS_AT = 4
_OFFSETS = Struct("<IIII")  # of owner, group, SACL and DACL; 0: there is none
_HASH_2, _HASH_3 = 16, 2 + 64
_HASH_4 = 8 + 64  # behind a text of its own length: a time and one more hash


def load(file: File) -> SecurityDescriptor | None:
    """The descriptor of an open file; None if there is none; OSError.

    One that may not be read is as one that is damaged: see `parse`.
    """
    file = file.described
    try:
        data = os.getxattr(file.target, NAME)
    except OSError as refusal:
        if refusal.errno in {errno.ENODATA, errno.EOPNOTSUPP}:
            return None
        # A file that may not be read: Linux says so whether or not there is one.
        if refusal.errno != errno.EACCES:
            raise
        return parse(b"") if NAME in os.listxattr(file.target) else None
    return parse(data)


def store(file: File, descriptor: SecurityDescriptor) -> bool:
    """Keep a descriptor with an open file; False where the file system cannot hold one.

    Raises NtError(ALLOTTED_SPACE_EXCEEDED) for one that is too large for the file system; OSError.
    """
    file = file.described
    file.root.check_writable()
    try:
        xattrs.write(file, NAME, pack(descriptor), NtStatus.ALLOTTED_SPACE_EXCEEDED)
    except OSError as refusal:
        if refusal.errno != errno.EOPNOTSUPP:
            raise
        return False
    return True


def pack(descriptor: SecurityDescriptor) -> bytes:
    """The extended attribute's value."""
    packed = bytearray(pack_security_descriptor(descriptor))
    _move(packed, _HEADER.size)
    return _HEADER.pack(1, 1, _REFERENT) + packed


def parse(data: bytes) -> SecurityDescriptor:
    """The descriptor in an extended attribute.

    A damaged one admits nobody: it has no owner and an empty list.
    """
    try:
        start = _start(data)
        packed = bytearray(data[start:])
        _move(packed, -start)
        return parse_security_descriptor(memoryview(packed))
    except (NtError, error):
        return SecurityDescriptor(None, None, [])


def _move(packed: bytearray, by: int) -> None:
    """Have the offsets of a self-relative descriptor count from elsewhere."""
    offsets = [offset and offset + by for offset in _OFFSETS.unpack_from(packed, _OFFSETS_AT)]
    _OFFSETS.pack_into(packed, _OFFSETS_AT, *offsets)


def _start(data: bytes) -> int:
    """Where the descriptor begins: behind the fixed parts of its version."""
    version = int.from_bytes(data[:2], "little")
    if version == 1:
        return _HEADER.size
    at = _HEADER.size + 4  # the second pointer
    if version == 2:
        return at + _HASH_2
    at += _HASH_3
    if version == 4:
        at = data.find(b"\0", at) + 1
        at += -at % 4 + _HASH_4
    return at + -at % 4
