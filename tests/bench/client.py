"""The load client: READs or WRITEs in a closed loop over real sessions, and what they cost.

It looks at no more of a reply than length, status, credits, message id and count: this process
is to cost less than the server that it loads. Signatures of replies are not verified: what is
measured is the server, which signs them all the same.
"""

import os
import random
import selectors
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from .measure import Usage, percentile, usage
from .session import (
    CREDITS_ASKED,
    END_OF_FILE,
    FRAME,
    HEADER,
    PENDING,
    READ,
    SIGNATURE_AT,
    SIGNED,
    WRITE,
    LoadError,
    Session,
    Signing,
    Target,
)

Operation = Literal["read", "write"]

_MIB = 1 << 20
_CREDIT = 65536  # bytes of payload that one credit pays for
_JOINED = 65536  # frames up to this size leave in one send, as a burst
_BUFFER = 1 << 18
_HEAD = FRAME.size + 72  # of a reply: up to the count that READ and WRITE have at the same place
_REPLY = struct.Struct("<12xI2xH8xQ36xI")  # Status, Credit, MessageId, DataLength or Count
_READ_BODY = struct.Struct("<HBBIQ16sIIIHHB")
_WRITE_BODY = struct.Struct("<HHIQ16sIIHHI")


@dataclass(frozen=True, slots=True)
class Work:
    """What to do: operations of one size, `depth` of them in flight on each connection."""

    operation: Operation = "read"
    size: int = 4096
    depth: int = 16
    at_random: bool = True
    file_size: int = 64 * _MIB

    @property
    def name(self) -> str:
        """How a table calls it."""
        size = f"{self.size // _MIB} MiB" if self.size >= _MIB else f"{self.size // 1024} KiB"
        order = "random" if self.at_random else "sequential"
        return f"{size} {order} {self.operation}, depth {self.depth}"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured. Latencies are in microseconds, from a request's send to its reply."""

    operations: int
    transferred: int  # bytes
    seconds: float
    interim: int  # STATUS_PENDING replies
    server: Usage | None
    client_cpu: float
    latencies: Sequence[float]  # sorted

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds

    @property
    def megabytes(self) -> float:
        """10^6 bytes a second."""
        return self.transferred / self.seconds / 1e6

    @property
    def server_us(self) -> float:
        """Microseconds of the server's CPU per operation."""
        return self.server.cpu / self.operations * 1e6 if self.server else float("nan")

    @property
    def client_us(self) -> float:
        """Microseconds of this client's CPU per operation."""
        return self.client_cpu / self.operations * 1e6

    @property
    def waits(self) -> float:
        """How often a thread of the server gave up the CPU to wait, per operation."""
        if self.server is None:
            return float("nan")
        return sum(self.server.waits.values()) / self.operations

    def latency(self, share: float) -> float:
        """Return a percentile of the latencies: 0.5 for the median, 1 for the longest."""
        return percentile(self.latencies, share)

    def as_dict(self) -> dict[str, float]:
        """Return the figures under the names that a report gives them."""
        return {
            "operations": self.operations,
            "ops_per_s": round(self.rate),
            "mb_per_s": round(self.megabytes, 1),
            "server_us_per_op": round(self.server_us, 2),
            "server_waits_per_op": round(self.waits, 3),
            "client_us_per_op": round(self.client_us, 2),
            "p50_us": round(self.latency(0.5), 1),
            "p99_us": round(self.latency(0.99), 1),
            "max_us": round(self.latency(1), 1),
            "interim": self.interim,
        }


class _Stream:
    """One connection on the hot path: a session, its open file, and its requests in flight."""

    def __init__(self, session: Session, file: bytes, seed: int) -> None:
        self.session, self.sock, self.file = session, session.sock, file
        self.random = random.Random(seed)
        self.buffer = bytearray(_BUFFER)
        self.view = memoryview(self.buffer)
        self.held = 0  # bytes of a reply's head that wait at the buffer's beginning for their rest
        self.ignored = 0  # bytes of a reply's payload still to come, which nobody looks at
        self.sent: dict[int, float] = {}  # when a request in flight was sent, by message id
        self.latencies: list[float] = []
        self.done = self.transferred = self.interim = 0

    def begin(self, work: Work) -> None:
        """Take up some work; counts begin at zero."""
        self.work, self.block = work, 0
        self.blocks = max(1, work.file_size // work.size)
        self.charge = (work.size - 1) // _CREDIT + 1
        self.latencies = []
        self.done = self.transferred = self.interim = 0
        # A WRITE's frame, whose head is overwritten for each: the payload stays where it is.
        head = FRAME.size + HEADER.size + _WRITE_BODY.size
        self.frame = bytearray(head) + os.urandom(work.size if work.operation == "write" else 0)

    def offset(self) -> int:
        """Return where the next operation goes."""
        if self.work.at_random:
            return self.random.randrange(self.blocks) * self.work.size
        self.block += 1
        return (self.block - 1) % self.blocks * self.work.size

    def send(self, count: int) -> int:
        """Send up to `count` requests, as the credits allow; return how many."""
        count = min(count, self.session.credits // self.charge)
        make = self._read if self.work.operation == "read" else self._write
        if len(self.frame) > _JOINED:
            for _ in range(count):
                self.sent[self.session.message_id] = time.perf_counter()
                self.sock.sendall(make())
            return count
        now = time.perf_counter()
        frames = []
        for _ in range(count):
            self.sent[self.session.message_id] = now
            frames.append(bytes(make()))
        self.sock.sendall(b"".join(frames))
        return count

    def _header(self, command: int, length: int) -> tuple[bytes, int]:
        """Return the transport's length and an unsigned header, and take its message id."""
        session = self.session
        message_id = session.message_id
        session.message_id += self.charge
        session.credits -= self.charge
        flags = SIGNED if session.signer else 0
        header = HEADER.pack(
            b"\xfeSMB", 64, self.charge, 0, command, CREDITS_ASKED, flags, 0, message_id,
            0, session.tree_id, session.session_id, bytes(16),
        )  # fmt: skip
        return FRAME.pack(length) + header, message_id

    def _read(self) -> bytearray:
        head, message_id = self._header(READ, HEADER.size + _READ_BODY.size)
        offset = self.offset()
        frame = bytearray(head)
        frame += _READ_BODY.pack(49, 0x50, 0, self.work.size, offset, self.file, 0, 0, 0, 0, 0, 0)
        return self._signed(frame, message_id)

    def _write(self) -> bytearray:
        size = self.work.size
        head, message_id = self._header(WRITE, HEADER.size + _WRITE_BODY.size + size)
        self.frame[: len(head)] = head
        _WRITE_BODY.pack_into(
            self.frame, len(head), 49, 0x70, size, self.offset(), self.file, 0, 0, 0, 0, 0
        )
        return self._signed(self.frame, message_id)

    def _signed(self, frame: bytearray, message_id: int) -> bytearray:
        if sign := self.session.signer:
            signature = sign(memoryview(frame)[FRAME.size :], message_id)
            frame[SIGNATURE_AT : SIGNATURE_AT + 16] = signature
        return frame

    def receive(self) -> int:
        """Take what the socket has; return how many operations that completed."""
        count = self.sock.recv_into(self.view[self.held :])
        if not count:
            raise LoadError("the server closed the connection")
        now = time.perf_counter()
        end, at, before = self.held + count, 0, self.done
        while True:
            step = min(self.ignored, end - at)
            self.ignored -= step
            at += step
            if end - at < _HEAD:
                break
            self.ignored = FRAME.size + FRAME.unpack_from(self.buffer, at)[0]
            self._reply(now, *_REPLY.unpack_from(self.buffer, at))
        self.held = end - at
        self.buffer[: self.held] = self.buffer[at:end]
        return self.done - before

    def _reply(self, now: float, status: int, credit: int, message_id: int, count: int) -> None:
        self.session.credits += credit
        if status == PENDING:
            self.interim += 1
            return
        if status:
            why = " (the file is too short: fill it)" if status == END_OF_FILE else ""
            raise LoadError(f"{self.work.name}: a reply has status {status:#010x}{why}")
        self.latencies.append(now - self.sent.pop(message_id))
        self.transferred += count
        self.done += 1


class LoadClient:
    """Some connections to a server, each logged in and with the same file open.

    A context manager. The file is made if it is missing; `fill` gives it content to read.
    """

    def __init__(
        self, target: Target, file: str, connections: int = 1, signing: Signing = "off"
    ) -> None:
        self._streams: list[_Stream] = []
        try:
            for seed in range(connections):
                session = Session(target, signing)
                self._streams.append(_Stream(session, session.open(file), seed))
        except BaseException:
            self.close()
            raise

    def run(self, work: Work, seconds: float, server_pid: int | None = None) -> Figures:
        """Do some work for so long, after a short time of warming up, and return what it cost.

        The CPU time of `server_pid` and its descendants counts as the server's.
        """
        self._loop(work, 0.1 * seconds)
        before = usage(server_pid) if server_pid else None
        began, own = time.perf_counter(), time.process_time()
        self._loop(work, seconds)
        took, own = time.perf_counter() - began, time.process_time() - own
        used = usage(server_pid).since(before) if server_pid and before else None
        latencies = sorted(1e6 * each for stream in self._streams for each in stream.latencies)
        return Figures(
            sum(stream.done for stream in self._streams),
            sum(stream.transferred for stream in self._streams),
            took,
            sum(stream.interim for stream in self._streams),
            used,
            own,
            latencies,
        )

    def _loop(self, work: Work, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            for stream in self._streams:
                stream.begin(work)
                selector.register(stream.sock, selectors.EVENT_READ, stream)
            owed = dict.fromkeys(self._streams, work.depth)
            end = time.perf_counter() + seconds
            alone = self._streams[0] if len(self._streams) == 1 else None
            while any(owed.values()) or any(stream.sent for stream in self._streams):
                for stream, count in owed.items():
                    if count:
                        owed[stream] -= stream.send(count)
                # One connection needs no asking which: the call would be a good part of the cost.
                ready = [alone] if alone else [key.data for key, _ in selector.select()]
                for stream in ready:
                    owed[stream] += stream.receive()
                if time.perf_counter() >= end:
                    owed = dict.fromkeys(self._streams, 0)

    def fill(self, size: int) -> None:
        """Write the file up to a size, so that reads find data there, in the page cache."""
        stream = self._streams[0]
        block = os.urandom(_CREDIT)
        for offset in range(0, size, _CREDIT):
            stream.session.write(stream.file, offset, block[: size - offset])

    def close(self) -> None:
        """Close every connection."""
        for stream in self._streams:
            stream.session.close()
        self._streams = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
