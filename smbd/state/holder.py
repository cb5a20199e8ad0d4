"""The holder of an Open or a pipe: the tree connect by which its session has it."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from smbd.memory import Account
from smbd.state.caching import Teller

T_contra = TypeVar("T_contra", contravariant=True)  # Open or PipeOpen


class Holder(Protocol[T_contra]):
    """Open.TreeConnect, and Open.Session behind it, as [MS-SMB2] 3.3.1.10 has them.

    A parked Open has none; the reconnect of a durable handle gives it another one.
    """

    @property
    def session_id(self) -> int:
        """The id of the session."""

    @property
    def claimants(self) -> Sequence[str]:
        """An Open counts for these (OpenTable.check): session, user, client's network."""

    @property
    def account(self) -> Account:
        """The memory account that an Open counts for."""

    @property
    def teller(self) -> Teller:
        """Tells the session's client that an oplock is broken."""

    def enter(self, opened: T_contra, /) -> None:
        """Let the session find an Open or a pipe by its volatile id, until `leave`."""

    def leave(self, opened: T_contra, /) -> None:
        """Let the session find it no more; a second call does nothing."""
