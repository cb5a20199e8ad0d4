"""One connection on the hot path: operations in flight, and when each was answered.

It looks at no more of a reply than length, status, credits, message id and count: this process is
to cost less than the server that it loads.  Signatures of replies are not verified: the server is
measured, which signs them all the same.
"""

from socket import MSG_DONTWAIT
from struct import Struct
from time import perf_counter

from smbd.load.requests import Requests
from smbd.load.sealing import SIZE as TRANSFORM_SIZE
from smbd.load.session import (
    CLOSED,
    END_OF_FILE,
    FRAME,
    PENDING,
    SILENT,
    LoadError,
    Session,
)
from smbd.load.work import Order, Work

_JOINED = 70000  # frames up to this size, with 64 KiB in them, leave in one send, as a burst
_BURST = 1 << 16  # requests: more than any depth
_BUFFER = 1 << 18
# Of a reply's header: Status, Credit, NextCommand, MessageId; and the count that READ and WRITE
# have at the same place, DataLength or Count.
_REPLY = Struct("<8xI2xH4xIQ36xI")


class Stream:
    """A session, its open file, and its requests in flight.

    A latency is the time from a request's send to the end of its reply.  While credits lack or the
    socket is full the next request is not sent, and that waiting is in no latency.
    """

    def __init__(self, session: Session, file: bytes, work: Work, order: Order) -> None:
        self._session, self._sock = session, session.sock
        self.file, self._work, self._order = file, work, order
        self._requests = Requests(session, file, work)
        self._credits = self._requests.credits  # of one operation
        self._burst = _BURST if self._requests.longest <= _JOINED else 1
        # Of a reply, before it can be looked at.
        self._head = FRAME.size + (TRANSFORM_SIZE if session.sealer else 0) + _REPLY.size
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._held = 0  # bytes of a reply's head that wait at the buffer's beginning for their rest
        self._missing = 0  # bytes of a long reply still to come, which nobody looks at ...
        self._long_reply = (0, 0, 0, 0, 0)  # ... and what its head said
        self.sent: dict[int, float] = {}  # when an operation left, by its last message's id
        self.unsent: memoryview | None = None  # bytes for which the socket was too full
        self.reset()

    def reset(self) -> None:
        """Counts begin at zero."""
        self.latencies: list[float] = []  # seconds
        self.transferred = self.interim = 0
        self.last = 0.0  # when the last operation was done

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._sock.fileno()

    # --- out ---

    def top_up(self) -> bool:
        """Send requests until `depth` are in flight, as credits and the socket allow.

        False when the offsets are used up.
        """
        order = self._order
        while self.flush() and (room := self._room()) and not order.used_up:
            offsets = order.take(room)
            if offsets:
                self._send(self._frames(offsets))
        return not order.used_up

    def flush(self) -> bool:
        """Send the bytes for which the socket was too full; whether all are gone."""
        if self.unsent is not None:
            self._send(self.unsent)
        return self.unsent is None

    def _room(self) -> int:
        """How many requests may leave at once now."""
        free = self._work.depth - len(self.sent)
        return min(free, self._burst, self._session.credits // self._credits)

    def _frames(self, offsets: list[int]) -> bytearray | bytes:
        now = perf_counter()
        if len(offsets) == 1:
            return self._request(offsets[0], now)
        return b"".join([bytes(self._request(offset, now)) for offset in offsets])

    def _request(self, offset: int, now: float) -> bytearray | bytes:
        session, requests = self._session, self._requests
        message_id = session.message_id
        session.message_id += self._credits
        session.credits -= self._credits
        self.sent[message_id + requests.last] = now
        return requests.frame(offset, message_id)

    def _send(self, data: bytearray | bytes | memoryview) -> None:
        """Never waits: replies, and other connections, would wait too."""
        try:
            count = self._sock.send(data, MSG_DONTWAIT)
        except BlockingIOError:
            count = 0
        except ConnectionError:
            raise LoadError(CLOSED) from None
        self.unsent = memoryview(data)[count:] if count < len(data) else None

    # --- in ---

    def receive(self) -> None:
        """Wait for bytes of the socket, and count the operations that they complete."""
        try:
            count = self._sock.recv_into(self._view[self._held :])
        except BlockingIOError:
            raise LoadError(SILENT) from None
        except ConnectionError:
            count = 0
        if not count:
            raise LoadError(CLOSED)
        now = perf_counter()
        end, at = self._held + count, 0
        if self._missing:
            at = min(self._missing, end)
            self._missing -= at
            if not self._missing:
                self._answered(now, *self._long_reply)
        compounds = not self._work.places
        while end - at >= self._head:
            begin = at + FRAME.size
            after = begin + FRAME.unpack_from(self._buffer, at)[0]
            if after > end and compounds:
                break
            if compounds:
                self._answered_together(now, begin, after)
            elif after > end:
                self._missing, self._long_reply = after - end, self._first(begin)
            else:
                self._answered(now, *self._first(begin))
            at = min(after, end)
        self._held = end - at
        self._buffer[: self._held] = self._buffer[at:end]

    def _first(self, begin: int) -> tuple[int, int, int, int, int]:
        """The head of a reply whose message, or what seals it, begins there."""
        if self._session.sealer is None:
            return _REPLY.unpack_from(self._buffer, begin)
        sealed = self._view[begin : begin + TRANSFORM_SIZE + _REPLY.size]
        return _REPLY.unpack(self._session.sealer.peek(sealed, _REPLY.size))

    def _answered_together(self, now: float, begin: int, end: int) -> None:
        """A frame with some or all of a compound's replies; a server may cut them as it likes."""
        message: bytes | memoryview = self._view[begin:end]
        if self._session.sealer is not None:
            message = self._session.sealer.open(message)
        at, following = 0, 1
        while following:
            reply = _REPLY.unpack_from(message, at)
            following = reply[2]
            self._answered(now, *reply)
            at += following

    def _answered(
        self, now: float, status: int, credit: int, _following: int, message_id: int, count: int
    ) -> None:
        self._session.credits += credit
        if status == PENDING:
            self.interim += 1
            return
        if status:
            why = " (the file is too short: fill it)" if status == END_OF_FILE else ""
            raise LoadError(f"a {self._work.operation} was answered with {status:#010x}{why}")
        began = self.sent.pop(message_id, None)
        if began is None:
            return  # a part of a compound whose last is still to come
        self.latencies.append(now - began)
        self.transferred += count
        self.last = now
