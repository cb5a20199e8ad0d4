"""The number of each user in security descriptors: a relative identifier ([MS-DTYP] 2.4.2)."""

from hashlib import sha256

_FIRST = 1000  # those below are Windows' own accounts and groups: Administrator is 500
_RANGE = 1 << 31


def relative_id(user: str) -> int:
    """The RID of a user: 1000 and more, 31 bits of a hash of the name, in which case is nothing.

    A hash, and no counter that a file would have to keep: it is the same after a restart, on
    another machine, and in any order of the users in shares.toml.  Of 1,000 users, two have one
    number with a chance of 1 in 4,300: the configuration says so (`load`).
    """
    digest = sha256(user.casefold().encode("utf-8", "surrogatepass")).digest()
    return _FIRST + int.from_bytes(digest[:8], "little") % _RANGE
