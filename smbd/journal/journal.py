"""The journal: an entry for each request, when it is answered."""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from smbd.config import dialect_name
from smbd.connection import Connection
from smbd.journal.details import Fields, details_of, result_of
from smbd.journal.entry import Entries, Entry
from smbd.ntstatus import NtStatus, status_name
from smbd.observing import Observer, Subject, subject_of
from smbd.request import Reply, Request
from smbd.wire.header import Flags

MOST = 10_000  # entries that are kept, unless another bound is asked for: some 10 MB

_Take = Callable[[Entry], None]


class _Begun(NamedTuple):
    """A request that has no answer yet."""

    time: float
    clock: float
    subject: Subject
    details: Fields


class Journal(Observer):
    """Makes the entries; `take` gets each of them, in the loop, and must not wait.

    The latest ones are kept, `most` of them.  It should be the first of the observers, behind all
    that change an answer: it then knows what the client got.
    """

    def __init__(self, most: int = MOST, take: _Take = lambda _: None) -> None:
        self._entries: deque[Entry] = deque(maxlen=most)
        self._take = take
        self._number = 0
        self._begun: dict[Connection, dict[Request, _Begun]] = {}
        self._arrived: dict[Connection, tuple[float, float]] = {}

    @property
    def entries(self) -> Entries:
        """Those that are kept."""
        return Entries(tuple(self._entries), self._number - len(self._entries))

    def clear(self) -> None:
        """Forget them; numbers go on."""
        self._entries.clear()

    # --- as an Observer ---

    def received(self, connection: Connection, frame: memoryview) -> None:  # noqa: ARG002
        """Note the time: all requests of a frame have come at once."""
        self._arrived[connection] = time.time(), time.perf_counter()

    def begin(self, request: Request) -> None:
        """Note what it is about, since its command may end what its names come from."""
        connection = _connection_of(request)
        self._begun.setdefault(connection, {}).setdefault(request, self._begin(request))

    def _begin(self, request: Request) -> _Begun:
        now = self._arrived.get(_connection_of(request)) or (time.time(), time.perf_counter())
        return _Begun(*now, subject_of(request), details_of(request))

    def replied(self, request: Request, reply: Reply) -> None:
        """An answer: it is the last one unless it is interim."""
        if reply.status == NtStatus.PENDING:
            return
        found = self._begun.get(_connection_of(request), {}).pop(request, None)
        begun = found or self._begin(request)
        fields = begun.details | result_of(request, reply)
        self._add(request, begun, status_name(reply.status), fields)

    def lost(self, connection: Connection) -> None:
        """What was not answered never will be."""
        self._arrived.pop(connection, None)
        for request, begun in self._begun.pop(connection, {}).items():
            self._add(request, begun, None, begun.details)

    def _add(self, request: Request, begun: _Begun, status: str | None, fields: Fields) -> None:
        self._number += 1
        fields = dict(fields)
        connection = _connection_of(request)
        dialect = connection.negotiated.dialect
        user = begun.subject.user or ("" if request.session is None else request.session.user)
        entry = Entry(
            number=self._number,
            time=begun.time,
            seconds=time.perf_counter() - begun.clock,
            client=connection.client,
            user=user,
            dialect=dialect_name(dialect) if dialect else "",
            signed=bool(request.flags & Flags.SIGNED),
            sealed=request.sealed,
            command=begun.subject.command,
            share=begun.subject.share,
            path=begun.subject.path,
            status=status,
            offset=fields.pop("offset", None),
            length=fields.pop("length", None),
            count=fields.pop("count", None),
            details=fields,
        )
        self._entries.append(entry)
        self._take(entry)


def _connection_of(request: Request) -> Connection:
    connection = request.connection
    assert isinstance(connection, Connection)
    return connection
