"""One connection on the hot path: READs or WRITEs in flight, and when each was answered.

It looks at no more of a reply than length, status, credits, message id and count: this process is
to cost less than the server that it loads.  Signatures of replies are not verified: the server is
measured, which signs them all the same.
"""

import os
from socket import MSG_DONTWAIT
from struct import Struct
from time import perf_counter

from smbd.load.sealing import SIZE as TRANSFORM_SIZE
from smbd.load.session import (
    CLOSED,
    CREDITS_ASKED,
    END_OF_FILE,
    FRAME,
    HEADER,
    PENDING,
    READ,
    SIGNATURE_AT,
    SIGNED,
    SILENT,
    WRITE,
    LoadError,
    Session,
)
from smbd.load.work import Order, Work

_CREDIT = 65536  # bytes of payload that one credit pays for
_JOINED = 70000  # frames up to this size, with 64 KiB in them, leave in one send, as a burst
_BURST = 1 << 16  # requests: more than any depth
_BUFFER = 1 << 18
_HEAD = FRAME.size + 72  # of a reply: up to the count that READ and WRITE have at the same place
_SEALED_HEAD = TRANSFORM_SIZE + _HEAD
_REPLY = Struct("<12xI2xH8xQ36xI")  # Status, Credit, MessageId, DataLength or Count
_READ_BODY = Struct("<HBBIQ16sIIIHHB")
_WRITE_BODY = Struct("<HHIQ16sIIHHI")
# The fields that differ from one request to the next, beside the signature; all else is packed
# once.
_U64 = Struct("<Q")
_MESSAGE_ID_AT = FRAME.size + 24
_OFFSET_AT = FRAME.size + HEADER.size + 8  # in READ and WRITE alike
_NO_SIGNATURE = bytes(16)


class Stream:
    """A session, its open file, and its requests in flight.

    A latency is the time from a request's send to the end of its reply.  While credits lack or the
    socket is full the next request is not sent, and that waiting is in no latency.
    """

    def __init__(self, session: Session, file: bytes, work: Work, order: Order) -> None:
        self._session, self._sock = session, session.sock
        self.file, self._work, self._order = file, work, order
        self._charge = (work.size - 1) // _CREDIT + 1
        self._frame = self._first_frame()
        self._burst = _BURST if len(self._frame) <= _JOINED else 1
        self._head = _HEAD if session.sealer is None else _SEALED_HEAD
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._held = 0  # bytes of a reply's head that wait at the buffer's beginning for their rest
        self._missing = 0  # bytes of a long reply still to come, which nobody looks at ...
        self._long_reply = (0, 0, 0, 0)  # ... and what its head said
        self.sent: dict[int, float] = {}  # when a request in flight was sent, by message id
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

    def _first_frame(self) -> bytearray:
        """A request with its head and its payload, for offset 0."""
        work, session = self._work, self._session
        if work.operation == "read":
            command = READ
            body = _READ_BODY.pack(49, 0x50, 0, work.size, 0, self.file, 0, 0, 0, 0, 0, 0)
        else:
            command = WRITE
            body = _WRITE_BODY.pack(49, 0x70, work.size, 0, self.file, 0, 0, 0, 0, 0)
            body += os.urandom(work.size)
        header = HEADER.pack(
            b"\xfeSMB", 64, self._charge, 0, command, CREDITS_ASKED,
            SIGNED if session.signer else 0, 0, 0, 0, session.tree_id, session.session_id,
            _NO_SIGNATURE,
        )  # fmt: skip
        return bytearray(FRAME.pack(len(header) + len(body)) + header + body)

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
        return min(free, self._burst, self._session.credits // self._charge)

    def _frames(self, offsets: list[int]) -> bytearray | bytes:
        if len(offsets) == 1:
            return self._request(offsets[0], perf_counter())
        now = perf_counter()
        return b"".join([bytes(self._request(offset, now)) for offset in offsets])

    def _request(self, offset: int, now: float) -> bytearray | bytes:
        """The frame, overwritten for each request: a payload stays where it is."""
        session, frame = self._session, self._frame
        message_id = session.message_id
        session.message_id += self._charge
        session.credits -= self._charge
        self.sent[message_id] = now
        _U64.pack_into(frame, _MESSAGE_ID_AT, message_id)
        _U64.pack_into(frame, _OFFSET_AT, offset)
        if session.signer is not None:
            signed = slice(SIGNATURE_AT, SIGNATURE_AT + 16)
            frame[signed] = _NO_SIGNATURE
            with memoryview(frame) as view:
                frame[signed] = session.signer(view[FRAME.size :], message_id)
        elif session.sealer is not None:
            sealed = session.sealer.seal(memoryview(frame)[FRAME.size :])
            return FRAME.pack(len(sealed)) + sealed
        return frame

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
        while end - at >= self._head:
            reply = self._head_of_reply(at)
            at += FRAME.size + FRAME.unpack_from(self._buffer, at)[0]
            if at > end:
                self._missing, self._long_reply = at - end, reply
                at = end
            else:
                self._answered(now, *reply)
        self._held = end - at
        self._buffer[: self._held] = self._buffer[at:end]

    def _head_of_reply(self, at: int) -> tuple[int, int, int, int]:
        """Status, credits, message id and count of the reply that begins there in the buffer."""
        sealer = self._session.sealer
        if sealer is None:
            return _REPLY.unpack_from(self._buffer, at)
        plain = sealer.peek(self._view[at + FRAME.size : at + _SEALED_HEAD], _HEAD - FRAME.size)
        return _REPLY.unpack(bytes(FRAME.size) + plain)

    def _answered(self, now: float, status: int, credit: int, message_id: int, count: int) -> None:
        self._session.credits += credit
        if status == PENDING:
            self.interim += 1
            return
        if status:
            why = " (the file is too short: fill it)" if status == END_OF_FILE else ""
            raise LoadError(f"a {self._work.operation} was answered with {status:#010x}{why}")
        self.latencies.append(now - self.sent.pop(message_id))
        self.transferred += count
        self.last = now
