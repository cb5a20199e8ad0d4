"""NT security descriptors: kept beside a file, inherited from a directory, checked.

A file without a stored one shows its Unix owner, group and mode, and Unix alone checks access.
"""

from smbd.vfs.acl.check import allowed
from smbd.vfs.acl.inherit import of_new
from smbd.vfs.acl.merge import changed
from smbd.vfs.acl.sids import GUEST, UNIX_NAMES, Token, account_sid, user_token
from smbd.vfs.acl.stored import load, store
from smbd.vfs.acl.unix import of_unix

__all__ = [
    "GUEST",
    "UNIX_NAMES",
    "Token",
    "account_sid",
    "allowed",
    "changed",
    "load",
    "of_new",
    "of_unix",
    "store",
    "user_token",
]
