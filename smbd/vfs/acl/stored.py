"""Where descriptors are kept: the extended attribute `user.NTACL`, in Samba's format.

Samba writes security.NTACL, which takes root, unless `acl_xattr:security_acl_name = user.NTACL`
says otherwise.  Its security.NTACL is not read here: the accounts that it names are Samba's, and
nobody could enter a tree that was served by it before.

NDR of librpc/idl/xattr.idl's xattr_NTACL.  Version 1, which is written, is a header and the
descriptor; 2 to 4, which Samba writes, have hashes in between that tell whether the POSIX ACL was
changed since: what Unix forbids is forbidden here whatever the descriptor says.
"""

import errno
import os
from struct import Struct

from smbd.ntstatus import NtError
from smbd.vfs.root import File
from smbd.wire.dtyp import SecurityDescriptor, pack_security_descriptor, parse_security_descriptor

NAME = "user.NTACL"

_HEADER = Struct("<HHI")  # version, union switch, referent of the pointer
_REFERENT = 0x00020000
_HASH_2, _HASH_3 = 16, 2 + 64
_HASH_4 = 8 + 64  # behind a text of its own length: a time and one more hash


def load(file: File) -> SecurityDescriptor | None:
    """The descriptor of an open file; None if there is none, or none that can be read; OSError."""
    try:
        data = os.getxattr(file.target, NAME)
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}:
            raise
        return None
    return parse(data)


def store(file: File, descriptor: SecurityDescriptor) -> None:
    """Keep a descriptor with an open file; OSError (EOPNOTSUPP where there is no place for it)."""
    file.root.check_writable()
    os.setxattr(file.target, NAME, pack(descriptor))


def pack(descriptor: SecurityDescriptor) -> bytes:
    """The extended attribute's value."""
    return _HEADER.pack(1, 1, _REFERENT) + pack_security_descriptor(descriptor)


def parse(data: bytes) -> SecurityDescriptor:
    """The descriptor in an extended attribute.

    One that is damaged admits its owner alone, whoever that was: nobody.
    """
    try:
        return parse_security_descriptor(memoryview(data)[_start(data) :])
    except NtError:
        return SecurityDescriptor(None, None, [])


def _start(data: bytes) -> int:
    """Where the descriptor begins: behind the fixed parts of what its version has."""
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
