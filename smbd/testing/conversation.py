"""What a server and its clients have said: a line for each request, of which the last are kept."""

import time
from collections import deque
from struct import Struct

from smbd.connection import Connection
from smbd.ntstatus import NtStatus
from smbd.observing import Observer, subject_of
from smbd.request import Reply, Request
from smbd.wire.header import Command

_LINES = 1000
_BEGUN = 4096  # requests that wait for their answer; more than one connection may have in work

# Length and Offset, at the same place in both: [MS-SMB2] 2.2.19, 2.2.21.
_AMOUNT, _AMOUNT_AT = Struct("<IQ"), 68
_NAMES = {value: name for name, value in vars(NtStatus).items() if isinstance(value, int)}
_HAVE_AMOUNT = {Command.READ, Command.WRITE}


class Conversation(Observer):
    """The last 1,000 requests and answers of all connections of a server.

    The server's loop writes; any thread may read `text`, also when that loop is stuck.
    """

    def __init__(self) -> None:
        self._lines: deque[tuple[float, str]] = deque(maxlen=_LINES)
        self._begun: dict[Request, tuple[float, str]] = {}

    def text(self, since: float = 0.0) -> str:
        """The lines since a moment of `time.perf_counter`, with the milliseconds from there."""
        lines = list(self._lines)
        told = [f"{(at - since) * 1000:8.1f} ms  {line}" for at, line in lines if at >= since]
        if len(told) == _LINES:
            told.insert(0, f"(the last {_LINES} lines)")
        return "\n".join(told)

    def begin(self, request: Request) -> None:
        """It passed its checks; what it is about is known now, and may not be at its end."""
        if len(self._begun) >= _BEGUN:
            self._begun.clear()
        self._begun[request] = time.perf_counter(), _told(request)

    def replied(self, request: Request, reply: Reply) -> None:
        """It is answered, for good or until later."""
        now = time.perf_counter()
        began, told = self._begun.get(request) or (now, _told(request))
        if reply.status != NtStatus.PENDING:
            self._begun.pop(request, None)
        status = _NAMES.get(reply.status, f"{reply.status:#010x}")
        self._lines.append((now, f"{told}: {status} ({(now - began) * 1000:.1f} ms)"))

    def lost(self, connection: Connection) -> None:
        """A connection has ended, and with it the requests that wait."""
        now = time.perf_counter()
        for request in [one for one in self._begun if one.connection is connection]:
            self._lines.append((now, f"{self._begun.pop(request)[1]}: never answered"))
        self._lines.append((now, f"{connection.client} has gone"))


def _told(request: Request) -> str:
    subject = subject_of(request)
    where = "/".join(part for part in (subject.share, subject.path) if part)
    words = [request.connection.client, subject.user, subject.command, where]
    if request.command in _HAVE_AMOUNT and len(request.frame) >= _AMOUNT_AT + _AMOUNT.size:
        length, offset = _AMOUNT.unpack_from(request.frame, _AMOUNT_AT)
        words.append(f"{length} bytes at {offset}")
    return " ".join(word for word in words if word)
