"""The bytes that one connection makes the server hold: counted, and bounded by `limits.memory`.

Bytes in flight (requests in work, replies not taken) go away by themselves: at the bound the
transport stops reading.  Held bytes (sessions, opens, locks, listings ...) stay until the client
gives them up: at the bound more of them are refused.  They may take three quarters of all, or a
client that holds much would never be read from again, not even its CLOSEs.
"""

from typing import Protocol

from smbd.ntstatus import NtError, NtStatus

# Bytes of Python's objects, with what the allocator adds (`python -m tests.campaign held`).
OPEN = 2816  # with its file's state
PIPE = 4096 + (128 << 10)  # with the calls that may be written before answers are read
SESSION = 2048  # with its first channel
KEYS = 13312  # of a session: most of it is OpenSSL's, for signing and for sealing, and for C
CHANNEL = 4096  # each further one, with its key: 3.1 KB under GMAC
TREE = 320
LOCK = 448
CACHING = 1024  # a lease or an oplock
WATCH = 2048  # of a directory
TASK = 5120  # with its scopes
REQUEST = 1024
REPLY = 128

_DEFAULT = 64 << 20
# Before a login: three logins that were begun, and one or two that are held back.
_UNAUTHENTICATED_LIMIT = 10240
_UNAUTHENTICATED_HELD = 8192


class Account(Protocol):
    """Where the bytes of something are counted."""

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may be held."""

    def hold(self, size: int) -> None:
        """Hold so many bytes more, or fewer; INSUFFICIENT_RESOURCES beyond the bound."""


class MemoryAccount:
    """The bytes that one connection holds; `flight` more may be in flight beside them."""

    __slots__ = ("_limit", "_most_held", "flight", "held")

    def __init__(self, limit: int = _DEFAULT) -> None:
        self.held = 0
        self._limit = limit
        self.open(limit)

    @classmethod
    def unauthenticated(cls) -> "MemoryAccount":
        """The account of a connection without a login."""
        account = cls(_UNAUTHENTICATED_LIMIT)
        account._most_held = _UNAUTHENTICATED_HELD
        return account

    def open(self, limit: int) -> None:
        """The client has logged in: `limit` counts from now on."""
        self._limit = limit
        self._most_held = limit * 3 // 4
        self.flight = limit - self.held

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may be held."""
        return self.held + size <= self._most_held

    def hold(self, size: int) -> None:
        """Hold so many bytes more, or fewer; INSUFFICIENT_RESOURCES beyond the bound."""
        held = self.held + size
        if size > 0 and held > self._most_held:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        self.held = held
        self.flight = self._limit - held

    def add(self, size: int) -> None:
        """Hold so many bytes more, or fewer, regardless of the bound."""
        self.held += size
        self.flight = self._limit - self.held


class Holding:
    """The part of an account that one thing has; it ends with the thing.

    It is an account itself, for what the thing consists of: a session's opens are counted in what
    the session holds, and move with it.
    """

    __slots__ = ("_account", "size")

    def __init__(self, account: Account | None = None, size: int = 0) -> None:
        """Hold `size` bytes; INSUFFICIENT_RESOURCES beyond the bound.  Without account: none."""
        if account is not None:
            account.hold(size)
        self._account = account
        self.size = size

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may be held."""
        return self._account is None or self._account.has_room(size)

    def hold(self, size: int) -> None:
        """Hold so many bytes more, or fewer; INSUFFICIENT_RESOURCES beyond the bound."""
        if self._account is not None:
            self._account.hold(size)
        self.size += size

    grow = hold

    def resize(self, size: int) -> None:
        """Hold `size` bytes in all; INSUFFICIENT_RESOURCES beyond the bound."""
        self.grow(size - self.size)

    def move(self, account: Account | None) -> Account | None:
        """Hold the same in another account, or in nobody's; which one it was in before.

        INSUFFICIENT_RESOURCES, and as before.  Not after `end`.
        """
        if account is not None:
            account.hold(self.size)
        before, self._account = self._account, account
        if before is not None:
            before.hold(-self.size)
        return before

    def end(self) -> None:
        """Hold nothing any more; again is harmless."""
        account, self._account = self._account, None
        if account is not None:
            account.hold(-self.size)
