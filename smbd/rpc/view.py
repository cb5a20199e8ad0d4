"""The facts about this server that one caller may be told, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field


class ShareType:
    """[MS-SRVS] 2.2.2.4."""

    DISKTREE = 0x00000000
    IPC = 0x00000003
    SPECIAL = 0x80000000


UNLIMITED = 0xFFFFFFFF  # SHI_USES_UNLIMITED


@dataclass(frozen=True, slots=True)
class ShareView:
    """One share ([MS-SRVS] 2.2.4.26)."""

    name: str
    comment: str = ""
    path: str = ""  # as clients may see it: it need not be the real one, nor tell where that is
    type: int = ShareType.DISKTREE
    hidden: bool = False  # answered for by name, never listed
    current_uses: int = 0  # tree connects
    max_uses: int = UNLIMITED
    flags: int = 0  # SHI1005_FLAGS_*, [MS-SRVS] 2.2.4.29
    security_descriptor: bytes = b""  # self-relative; empty: none is told


@dataclass(frozen=True, slots=True)
class ServerView:
    """The server, as one caller may see it at one moment.

    `shares` has no IPC$: each caller is connected to it, and it is added where shares are listed.
    """

    name: str
    workgroup: str
    comment: str
    version: tuple[int, int]
    shares: tuple[ShareView, ...]
    now: float  # Unix seconds
    uptime: float  # seconds
    sessions: int = 0
    guest: bool = False  # a guest or anonymous: is told names and comments only
    user: str = ""  # the caller's account; "guest"; "" when anonymous
    accounts: Mapping[str, str] = field(default_factory=dict)  # the users' names by SID
    unix_names: Mapping[str, str] = field(default_factory=dict)  # likewise; few

    def every_share(self) -> tuple[ShareView, ...]:
        """The shares and IPC$, hidden ones too."""
        comment = f"IPC Service ({self.comment})" if self.comment else "IPC Service"
        kind = ShareType.IPC | ShareType.SPECIAL
        return (*self.shares, ShareView("IPC$", comment, type=kind))
