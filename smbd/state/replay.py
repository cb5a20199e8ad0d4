"""CREATEs that a client may send again, having lost the response ([MS-SMB2] 3.3.5.9.10)."""

from dataclasses import dataclass, field

from smbd.ntstatus import NtError, NtStatus
from smbd.state.open import UNUSED, Open

Key = tuple[bytes, bytes]  # ClientGuid, CreateGuid


@dataclass(slots=True)
class Creations:
    """What became of CREATEs: the Open while it is eligible for replay, None while one is made."""

    _opens: dict[Key, Open | None] = field(default_factory=dict)

    def begin(self, key: Key) -> None:
        """A CREATE is carried out."""
        self._opens[key] = None

    def fail(self, key: Key) -> None:
        """It gave no Open."""
        if self._opens.get(key, self) is None:
            del self._opens[key]

    def succeed(self, open_: Open) -> None:
        """It gave an Open, whose `creation` says how it is known."""
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
        """It is not eligible any more: it is closed, or has been used."""
        creation, open_.creation = open_.creation, None
        if creation is not None and self._opens.get(creation.key) is open_:
            del self._opens[creation.key]

    def find(self, key: Key, session_id: int, *, replay: bool) -> Open | None:
        """The Open of the CREATE that this one repeats; None if it is the first one.

        NtError: DUPLICATE_OBJECTID for what does not say that it repeats one, or comes by another
        session than that which holds the Open; ACCESS_DENIED while the first one is under way.
        """
        if key not in self._opens:
            return None
        open_ = self._opens[key]
        if not replay:
            raise NtError(NtStatus.DUPLICATE_OBJECTID)
        if open_ is None:
            # As Windows; Samba has FILE_NOT_AVAILABLE.  The specification knows no such case.
            raise NtError(NtStatus.ACCESS_DENIED)
        if open_.session_id not in {0, session_id}:
            raise NtError(NtStatus.DUPLICATE_OBJECTID)
        return open_
