"""The requests of one connection that are worked on ([MS-SMB2] 3.3.1.7).

That is Connection.RequestList, and of those that have had an interim response
Connection.AsyncCommandList: CANCEL finds a request in either.
"""

from collections.abc import Callable

from smbd.ntstatus import NtStatus
from smbd.request import Reply, Request
from smbd.wire.header import HEADER, Flags


class RequestList:
    """Those of one connection."""

    __slots__ = ("_by_message_id", "_last_async_id", "find_begun", "pending")

    def __init__(self) -> None:
        self.pending: dict[int, Request] = {}  # by AsyncId
        # Finds a request that C has begun by its MessageId, and makes it one that Python goes on
        # with.
        self.find_begun: Callable[[int], Request | None] | None = None
        self._by_message_id: dict[int, Request] = {}
        self._last_async_id = 0

    def started(self, request: Request) -> None:
        """A request is being worked on: CANCEL can find it by its MessageId."""
        self._by_message_id[request.message_id] = request

    def interim(self, request: Request) -> Reply:
        """The interim response STATUS_PENDING ([MS-SMB2] 3.3.4.2), which gives an AsyncId."""
        self._last_async_id += 1
        request.async_id = self._last_async_id
        self.pending[request.async_id] = request
        return Reply.of_error(NtStatus.PENDING)

    def ended(self, request: Request) -> None:
        """A request is answered, or never will be."""
        request.work = None
        self._by_message_id.pop(request.message_id, None)
        self.pending.pop(request.async_id, None)

    def all(self) -> list[Request]:
        """Those that are worked on now, but for what C has begun."""
        return list(self._by_message_id.values())

    def meant_by(self, cancel: Request) -> Request | None:
        """The request that a CANCEL means ([MS-SMB2] 3.3.5.16); None if it is not worked on.

        Never a SESSION_SETUP: its answer may be held back, to slow down the guessing of passwords.
        """
        if cancel.flags & Flags.ASYNC_COMMAND:
            *_, low, high, _, _ = HEADER.unpack_from(cancel.frame)
            found = self.pending.get(low | high << 32)
        else:
            found = self._by_message_id.get(cancel.message_id)
            if found is None and self.find_begun is not None:
                found = self.find_begun(cancel.message_id)
        return None if found is None or found.row.never_async else found
