"""The accounts that may log in, and the identity that a login proves."""

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
    """The outcome of a login."""

    user: str  # the account's name as configured; "guest"; "" when anonymous
    domain: str  # as the client sent it, for the log
    session_key: bytes = field(repr=False)  # 16 bytes; b"" of a guest: nothing can be signed
    is_guest: bool = False
    is_anonymous: bool = False

    @property
    def is_account(self) -> bool:
        """Whether a password proved an account.  A guest and an anonymous client prove nothing."""
        return not (self.is_guest or self.is_anonymous)

    def is_same_account(self, other: "Identity") -> bool:
        """Whether both are one account.  A guest is not the account that is named "guest"."""
        same_name = self.user.casefold() == other.user.casefold()
        return self.is_account and other.is_account and same_name

    def adds_nothing_to(self, first: "Identity") -> bool:
        """Whether a session that began as `first` may go on as this.

        The same account may, and an identity with fewer rights: a guest has fewer than an account,
        an anonymous client has fewer than a guest.
        """
        if self.is_account:
            return self.is_same_account(first)
        return self.is_anonymous or not first.is_anonymous


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
