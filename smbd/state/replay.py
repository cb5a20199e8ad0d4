"""CREATEs that come again: a client has lost the response, or an application has moved.

[MS-SMB2] 3.3.5.9.10 and 3.3.5.9.13.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from smbd.auth import Identity
from smbd.ntstatus import NtError, NtStatus
from smbd.state.open import UNUSED, Open

Key = tuple[bytes, bytes]  # ClientGuid, CreateGuid


@dataclass(slots=True)
class Creations:
    """What became of CREATEs: the Open while it is eligible for replay, None while one is made."""

    _opens: dict[Key, Open | None] = field(default_factory=dict)

    def begin(self, key: Key) -> None:
        """Note that a CREATE is carried out."""
        self._opens[key] = None

    def fail(self, key: Key) -> None:
        """Forget a CREATE that gave no Open."""
        if self._opens.get(key, self) is None:
            del self._opens[key]

    def succeed(self, open_: Open) -> None:
        """Note the Open that a CREATE gave; its `creation` has the key."""
        assert open_.creation is not None, "it is eligible"
        self._opens[open_.creation.key] = open_
        open_.channel_sequence = UNUSED

    def used(self, open_: Open) -> None:
        """A request has used it: only a persistent one stays eligible."""
        if open_.creation is not None:
            open_.channel_sequence = open_.creation.sequence
            if open_.durable is None or not open_.durable.persistent:
                self.forget(open_)

    def forget(self, open_: Open) -> None:
        """Forget an Open that is closed, or has been used: it is not eligible any more."""
        creation, open_.creation = open_.creation, None
        if creation is not None and self._opens.get(creation.key) is open_:
            del self._opens[creation.key]

    def find(self, key: Key, session_id: int, *, replay: bool) -> Open | None:
        """The Open of the CREATE that this one repeats; None if it is the first one.

        NtError: DUPLICATE_OBJECTID for what does not say that it repeats one, or comes by another
        session than that which holds the Open; FILE_NOT_AVAILABLE while the first one is under way,
        or what it waited for is.
        """
        if key not in self._opens:
            return None
        open_ = self._opens[key]
        if not replay:
            raise NtError(NtStatus.DUPLICATE_OBJECTID)
        if open_ is None:
            # The specification knows no such case.  Windows' server has ACCESS_DENIED, which its
            # client hands to the program; this one makes the client ask again (3.2.5.1, note).
            raise NtError(NtStatus.FILE_NOT_AVAILABLE)
        if open_.session_id not in {0, session_id}:
            raise NtError(NtStatus.DUPLICATE_OBJECTID)
        return open_


@dataclass(slots=True)
class Instances:
    """The Opens of applications that may move to another client (Open.AppInstanceId)."""

    _opens: dict[bytes, dict[Open, tuple[bytes, Identity]]] = field(default_factory=dict)
    _ids: dict[Open, bytes] = field(default_factory=dict)

    def add(self, open_: Open, app_instance_id: bytes, client_guid: bytes, user: Identity) -> None:
        """Note that an application has opened a file."""
        self._ids[open_] = app_instance_id
        self._opens.setdefault(app_instance_id, {})[open_] = client_guid, user

    def forget(self, open_: Open) -> None:
        """Forget an Open that is closed."""
        app_instance_id = self._ids.pop(open_, None)
        if app_instance_id is not None:
            opens = self._opens[app_instance_id]
            del opens[open_]
            if not opens:
                del self._opens[app_instance_id]

    def of_others(
        self, app_instance_id: bytes, client_guid: bytes, user: Identity
    ) -> Iterator[Open]:
        """What the same application has open on other clients, as the same account, one by one.

        There may be thousands, and some may close meanwhile.
        """
        for open_, (guid, owner) in list(self._opens.get(app_instance_id, {}).items()):
            if guid != client_guid and owner.is_same_account(user):
                yield open_
