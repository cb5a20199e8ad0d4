"""Who somebody is to a security descriptor: well-known SIDs ([MS-DTYP] 2.4.2.4), and tokens.

The server acts with one Unix identity for every login, which owns what they make: so a login *is*
that identity, S-1-22-1-UID and S-1-22-2-GID as Samba writes users and groups that it knows by
number only (cifs.ko's `cifsacl` and smbcacls read them so).  A SID for each account would make
owners that are not so on disk, and that no client could look up: we serve no LSA.
"""

import os
from dataclasses import dataclass

EVERYONE = "S-1-1-0"
CREATOR_OWNER = "S-1-3-0"
CREATOR_GROUP = "S-1-3-1"
OWNER_RIGHTS = "S-1-3-4"
NETWORK = "S-1-5-2"
AUTHENTICATED_USERS = "S-1-5-11"
SYSTEM = "S-1-5-18"
USERS = "S-1-5-32-545"
GUESTS = "S-1-5-32-546"


@dataclass(frozen=True, slots=True)
class Token:
    """[MS-DTYP] 2.5.2, less privileges, which nobody has: what a login goes by."""

    sids: frozenset[str]
    owner: str  # of what it makes
    group: str


def user_sid(uid: int) -> str:
    """The SID of a Unix user."""
    return f"S-1-22-1-{uid}"


def group_sid(gid: int) -> str:
    """The SID of a Unix group."""
    return f"S-1-22-2-{gid}"


def user_token() -> Token:
    """The token of everybody who has logged in with a name."""
    return _USER


def _user_token() -> Token:
    user, group = user_sid(os.geteuid()), group_sid(os.getegid())
    groups = (group_sid(gid) for gid in os.getgroups())
    known = (EVERYONE, NETWORK, AUTHENTICATED_USERS, USERS)
    return Token(frozenset((user, group, *groups, *known)), user, group)


_USER = _user_token()
# Guests and anonymous ones own what they make as everybody does, since so it is on disk; but a
# descriptor that speaks of its owner does not mean them.
GUEST = Token(frozenset((EVERYONE, NETWORK, GUESTS)), _USER.owner, _USER.group)
