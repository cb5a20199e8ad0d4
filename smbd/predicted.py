"""What a client will ask of a file that it has opened: C answers it, as READs (smbd.plain).

A client that fetches small files opens each, queries it, reads it and closes it, one after the
other.  The answer to the QUERY_INFO is made while the client still has that to its CREATE, and C
gives it if statx says then what it said here.  A CLOSE with which nothing goes but a descriptor is
answered by C, and carried out behind that: no request can come between.

Only the last open is so, and only READs, QUERY_INFOs and CLOSEs that commands could have answered
at once.
"""

import logging
from struct import Struct
from typing import Any

from smbd import vfs
from smbd.closing import close_apart, close_at_once
from smbd.commands import query_info
from smbd.connection import Connection
from smbd.events import about
from smbd.known_opens import MAY_CLOSE, MAY_TELL
from smbd.native import LONGEST_PREDICTED, Core
from smbd.request import Request
from smbd.state import Open
from smbd.wire.fscc import FileQuery
from smbd.wire.header import HEADER_SIZE
from smbd.wire.query_info import QueryInfoRequest

_log = logging.getLogger("smbd")

_PREDICTED = Struct(
    "<"
    "256s"  # status
    "24s"   # asked
    "II"    # asked_size, mask
    "II"    # young, size
    "I"     # times
)  # fmt: skip
_ASKED = slice(HEADER_SIZE, HEADER_SIZE + 24)  # of a QUERY_INFO, up to its FileId
_LONGEST = 65536  # bytes that it may ask for, for one credit
# So many answers in a row that nobody asks for: then the next are not made.
_MOST_UNASKED = 4


class Predicted:
    """The last open of one connection, and what its client may be told of it."""

    __slots__ = (
        "_apart", "_asked", "_asked_size", "_made", "_memory", "_message", "_path", "_predicted",
        "_query", "_service", "_unasked", "_volatile_id", "number",
    )  # fmt: skip

    def __init__(self, core: Core, burst: Any, connection: Connection) -> None:
        self._service, self._apart = connection.service, connection.apart
        self._predicted = burst.predicted = core.ffi.new("struct predicted *")
        self._memory = core.ffi.buffer(self._predicted)
        self._query: FileQuery | None = None  # what clients ask; None: nothing that is known
        self._message: QueryInfoRequest | None = None
        self._asked, self._asked_size = b"", 0
        self._unasked = 0
        self._made = False  # there is an answer
        self._path = ""  # of the open that it is about ...
        self._volatile_id = 0
        self.number = -1  # ... which C knows by that; -1: there is none

    def learn(self, request: Request) -> None:
        """A QUERY_INFO alone in its frame was answered at once: the next may ask for the same."""
        frame = request.frame
        asked = bytes(frame[_ASKED])
        if self._query is not None and asked == self._asked and len(frame) == self._asked_size:
            return
        known = query_info.quick_query(request)
        if known is None or known[1].input or known[1].output_buffer_length > _LONGEST:
            return
        self._query, self._message = known
        self._asked, self._asked_size, self._unasked = asked, len(frame), 0

    def opened(self, open_: Open, number: int) -> None:
        """Its client has the answer to a CREATE: of a file that C knows by this number."""
        self.number, self._volatile_id = number, open_.volatile_id
        if self._made:
            self._unasked = 0 if self._predicted.times else self._unasked + 1
            self._made = False
            if self._unasked >= _MOST_UNASKED:
                self._query = None
        query, message = self._query, self._message
        if query is None or message is None or open_.granted_access & query.access != query.access:
            return
        known = None if open_.file.asks_others else vfs.told_lately(open_.file)
        if known is not None:
            raw, information, young = known
            status, body = query_info.answer_of(open_, information, query, message)
            if not status and len(body) <= LONGEST_PREDICTED:
                _PREDICTED.pack_into(
                    self._memory, 0,
                    raw, self._asked, self._asked_size, vfs.WANTED, young, len(body), 0,
                )  # fmt: skip
                self._memory[_PREDICTED.size : _PREDICTED.size + len(body)] = body
                self._made, self._path = True, open_.file.path

    def ways(self, open_: Open) -> int:
        """What C may answer of an open now: MAY_TELL, MAY_CLOSE; as the commands would."""
        link = open_.link  # None: no table has it yet, and nobody else has its file
        if (
            open_.volatile_id != self._volatile_id
            or (link is not None and link.state.pending_deletions)
            or open_.kept_write_time is not None
        ):
            return 0
        found = 0
        if self._made and not open_.position and open_.file.path == self._path:
            found = MAY_TELL
        # commands.close, and closing.closes_quickly
        if not (
            open_.users
            or open_.delete_on_close
            or open_.durable is not None
            or open_.unreported
            or (link is not None and link.state.writers)
            or open_.file.asks_others
        ):
            found |= MAY_CLOSE
        return found

    def closed(self, open_: Open) -> None:
        """C has answered its CLOSE."""
        self.number = -1
        try:
            if self._apart is not None and self._apart.ends(open_):
                close_apart(open_)
            else:
                close_at_once(self._service, open_)
        except OSError as error:  # its client is told no more
            share, path = open_.share.name, open_.file.path
            extra = about("close failed", share=share)
            _log.error("%s: %s: while it was closed: %s", share, path, error.strerror, extra=extra)
