"""Who may log in, and who has."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from impacket import ntlm


def nt_hash(password: str) -> bytes:
    """NTOWFv1 ([MS-NLMP] 3.3.1): MD4 of the password in UTF-16. As good as the password."""
    return bytes(ntlm.compute_nthash(password))


@dataclass(frozen=True, slots=True)
class Account:
    """A user by name and the NT hash of the password; `repr` shows the name only."""

    name: str
    nt_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a login has found out."""

    user: str  # the account's name as configured; "guest"; "" when anonymous
    domain: str  # as the client sent it, for the log
    session_key: bytes = field(repr=False)  # 16 bytes; b"" of a guest: nothing can be signed
    is_guest: bool = False
    is_anonymous: bool = False


class Accounts:
    """Accounts by name, in any case, with or without a domain behind an @."""

    __slots__ = ("_by_name",)

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._by_name = {account.name.casefold(): account for account in accounts}

    def find(self, user: str) -> Account | None:
        """The account a client means by `user`: "anna", "ANNA" or "anna@any.domain".

        Any domain will do, there as in the domain field: a stand-alone server has one set of
        users, and clients put anything there ("WORKGROUP", their own name, nothing).
        """
        name = user.casefold()
        return self._by_name.get(name) or self._by_name.get(name.rpartition("@")[0])
