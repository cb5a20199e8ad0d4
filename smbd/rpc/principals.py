"""Names of SIDs, and SIDs of names ([MS-LSAT] 3.1.1.1, the views of the database).

The server knows the predefined and the built-in ones of every Windows, its own accounts, and the
users and groups of Unix, as Samba calls them.
"""

from dataclasses import dataclass

from smbd.rpc.view import ServerView
from smbd.vfs.acl import sids


class Use:
    """SID_NAME_USE ([MS-LSAT] 2.2.13)."""

    USER = 1
    GROUP = 2
    DOMAIN = 3
    ALIAS = 4
    WELL_KNOWN_GROUP = 5
    UNKNOWN = 8


@dataclass(frozen=True, slots=True)
class Principal:
    """A SID, its name and its domain."""

    sid: str
    use: int
    domain: str
    name: str

    @property
    def domain_sid(self) -> str:
        """The SID of the domain; a domain's is its own."""
        return self.sid if self.use == Use.DOMAIN else self.sid.rpartition("-")[0]

    @property
    def relative_id(self) -> int:
        """The number in the domain; of a domain itself all bits are set."""
        return 0xFFFFFFFF if self.use == Use.DOMAIN else int(self.sid.rpartition("-")[2])


_UNIX_USER, _UNIX_GROUP = "Unix User", "Unix Group"
_AUTHORITY, _BUILTIN = "NT AUTHORITY", "BUILTIN"

# [MS-LSAT] 3.1.1.1.1 and 3.1.1.1.2, those that can stand in a file's descriptor.
_KNOWN = (
    *(
        Principal(sid, Use.WELL_KNOWN_GROUP, "", name)
        for sid, name in (
            (sids.EVERYONE, "Everyone"),
            ("S-1-2-0", "LOCAL"),
            (sids.CREATOR_OWNER, "CREATOR OWNER"),
            (sids.CREATOR_GROUP, "CREATOR GROUP"),
            (sids.OWNER_RIGHTS, "OWNER RIGHTS"),
        )
    ),
    *(
        Principal(f"S-1-5-{number}", Use.WELL_KNOWN_GROUP, _AUTHORITY, name)
        for number, name in (
            (1, "DIALUP"),
            (2, "NETWORK"),
            (3, "BATCH"),
            (4, "INTERACTIVE"),
            (6, "SERVICE"),
            (7, "ANONYMOUS LOGON"),
            (9, "ENTERPRISE DOMAIN CONTROLLERS"),
            (10, "SELF"),
            (11, "Authenticated Users"),
            (12, "RESTRICTED"),
            (13, "TERMINAL SERVER USER"),
            (14, "REMOTE INTERACTIVE LOGON"),
            (15, "This Organization"),
            (17, "IUSR"),
            (18, "SYSTEM"),
            (19, "LOCAL SERVICE"),
            (20, "NETWORK SERVICE"),
        )
    ),
    *(
        Principal(f"S-1-5-32-{number}", Use.ALIAS, _BUILTIN, name)
        for number, name in (
            (544, "Administrators"),
            (545, "Users"),
            (546, "Guests"),
            (547, "Power Users"),
            (548, "Account Operators"),
            (549, "Server Operators"),
            (550, "Print Operators"),
            (551, "Backup Operators"),
            (552, "Replicator"),
            (555, "Remote Desktop Users"),
        )
    ),
    Principal("S-1-5", Use.DOMAIN, _AUTHORITY, _AUTHORITY),
    Principal("S-1-5-32", Use.DOMAIN, _BUILTIN, _BUILTIN),
    Principal(sids.UNIX_USERS, Use.DOMAIN, _UNIX_USER, _UNIX_USER),
    Principal(sids.UNIX_GROUPS, Use.DOMAIN, _UNIX_GROUP, _UNIX_GROUP),
)
_BY_SID = {known.sid: known for known in _KNOWN}
_BY_NAME = {known.name.casefold(): known for known in _KNOWN}
_LARGEST_ID = 0xFFFFFFFE  # the largest uid and gid of Linux: one more means "unchanged"


def of_sid(sid: str, view: ServerView) -> Principal | None:
    """The principal of a SID; None if it is unknown here, or hidden from this caller."""
    known = _BY_SID.get(sid)
    if known is not None:
        return known
    if sid == sids.ACCOUNT_DOMAIN:
        return Principal(sid, Use.DOMAIN, machine(view), machine(view))
    domain, _, number = sid.rpartition("-")
    if domain == sids.ACCOUNT_DOMAIN and sid in view.accounts:
        return Principal(sid, Use.USER, machine(view), view.accounts[sid])
    name = view.unix_names.get(sid)
    if domain == sids.UNIX_USERS:
        return Principal(sid, Use.USER, _UNIX_USER, name or number)
    if domain == sids.UNIX_GROUPS:
        return Principal(sid, Use.GROUP, _UNIX_GROUP, name or number)
    return None


def of_name(text: str, view: ServerView) -> Principal | None:
    """The principal of a name: "DOMAIN\\\\name", "name" or "name@domain", in any case."""
    domain, behind, name = text.rpartition("\\")
    if not behind and text.casefold() not in _BY_NAME:
        name, _, domain = text.partition("@")
    domain, name = domain.casefold(), name.casefold()
    known = _BY_NAME.get(name)
    if known is not None and domain in {"", known.domain.casefold()}:
        return known
    if domain in {_UNIX_USER.casefold(), _UNIX_GROUP.casefold()}:
        return _of_unix(domain, name, view)
    if domain not in {"", machine(view).casefold(), view.workgroup.casefold()}:
        return None
    account = of_sid(sids.account_sid(name), view)
    if account is None and not domain and name == machine(view).casefold():
        return of_sid(sids.ACCOUNT_DOMAIN, view)
    return account


def _of_unix(domain: str, name: str, view: ServerView) -> Principal | None:
    prefix = sids.UNIX_USERS if domain == _UNIX_USER.casefold() else sids.UNIX_GROUPS
    for sid, known in view.unix_names.items():
        if known.casefold() == name and sid.rpartition("-")[0] == prefix:
            return of_sid(sid, view)
    if name.isascii() and name.isdecimal() and len(name) < 11 and int(name) <= _LARGEST_ID:
        return of_sid(f"{prefix}-{int(name)}", view)
    return None


def machine(view: ServerView) -> str:
    """The name of the account domain: the server's NetBIOS name, as NTLM has it."""
    return view.name.upper()[:15]
