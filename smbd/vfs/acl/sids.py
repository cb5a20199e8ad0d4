"""SIDs of accounts and of Unix users, well-known SIDs ([MS-DTYP] 2.4.2.4), and tokens.

An account has a SID of its own, by which lists tell users apart, and which `lsarpc` gives names.
The server acts with one Unix identity for every login, and that identity owns each file that a
login creates.  So a token has its SIDs too: S-1-22-1-UID and S-1-22-2-GID as Samba writes users and
groups that it knows by number only (cifs.ko's `cifsacl` and smbcacls read them so).
"""

import grp
import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from smbd.config import relative_id

# The domain of all accounts, whatever the server is called: stored descriptors stay true when their
# files, or the container around them, move to another machine.  Drawn once, by SHA-256.
ACCOUNT_DOMAIN = "S-1-5-21-1775857559-3683489330-2064505483"
UNIX_USERS = "S-1-22-1"
UNIX_GROUPS = "S-1-22-2"
# Owners by number as cifs.ko sets them (`idsfromsid`), and Windows' NFS server: with -UID behind.
_NFS_USERS = "S-1-5-88-1-"

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
    """The identity of a login ([MS-DTYP] 2.5.2), less privileges, which nobody has."""

    sids: frozenset[str]
    owner: str  # of the files that it creates
    group: str

    def is_owner(self, sid: str | None) -> bool:
        """Whether an object of this owner is the login's.

        NFS numbers are those of a client's own users, which this server does not know.  Every login
        may set them, so they mean every login.
        """
        if sid in self.sids:
            return True
        return sid is not None and sid.startswith(_NFS_USERS) and AUTHENTICATED_USERS in self.sids


def user_sid(uid: int) -> str:
    """The SID of a Unix user."""
    return f"{UNIX_USERS}-{uid}"


def group_sid(gid: int) -> str:
    """The SID of a Unix group."""
    return f"{UNIX_GROUPS}-{gid}"


def account_sid(user: str) -> str:
    """The SID of an account by its name, in any case: always the same."""
    return f"{ACCOUNT_DOMAIN}-{relative_id(user)}"


@lru_cache(1024)
def user_token(user: str) -> Token:
    """The token of an account; its group is the server's, since accounts have none."""
    account = account_sid(user)
    known = (EVERYONE, NETWORK, AUTHENTICATED_USERS, USERS)
    return Token(frozenset((account, *_PROCESS, *known)), account, _GROUP)


def _unix_names() -> dict[str, str]:
    """The names of the server's own user and group; others are shown by number.

    Asked once, at the start: a name service on the network may take its time.
    """
    names = {}
    with suppress(KeyError):  # a container may have no line for the user that it runs as
        names[_USER] = pwd.getpwuid(os.geteuid()).pw_name
    with suppress(KeyError):
        names[_GROUP] = grp.getgrgid(os.getegid()).gr_name
    return names


_USER, _GROUP = user_sid(os.geteuid()), group_sid(os.getegid())
_PROCESS = (_USER, _GROUP, *map(group_sid, os.getgroups()))
UNIX_NAMES = _unix_names()
# Files of guests and anonymous clients belong to the server's user, as they do on disk; but the
# owner in a descriptor does not mean guests.
GUEST = Token(frozenset((EVERYONE, NETWORK, GUESTS)), _USER, _GROUP)
