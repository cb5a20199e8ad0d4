"""Context handles: a client gets one from a call and shows it in others ([C706] 14.2.16.6)."""

import secrets

from smbd.ntstatus import NtError, NtStatus

HANDLE_SIZE = 20  # ndr_context_handle: attributes, which are 0, and a UUID
NO_HANDLE = bytes(HANDLE_SIZE)

# A client needs one; Explorer was seen with two at once.
_MOST = 64


class HandleError(Exception):
    """A handle that is none of this association: fault nca_s_fault_context_mismatch."""


class Handles:
    """The open handles of one association.

    They stand for nothing but the right to ask: the caller's rights are looked up at each call,
    since a session may be another user's by then.
    """

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: set[bytes] = set()

    def open(self) -> bytes:
        """Give a new handle; NtError(INSUFFICIENT_RESOURCES) for one too many."""
        if len(self._open) >= _MOST:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
        handle = bytes(4) + secrets.token_bytes(16)
        self._open.add(handle)
        return handle

    def require(self, handle: bytes) -> bytes:
        """Give the handle back if it is open, else HandleError."""
        if handle not in self._open:
            raise HandleError
        return handle

    def close(self, handle: bytes) -> None:
        """Forget an open handle."""
        self._open.remove(handle)
