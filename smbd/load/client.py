"""The load client: groups of connections, each with its own work, in one closed loop."""

import os
import select
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Self

from smbd.load.session import SILENCE, SILENT, LoadError, Session, Signing, Target
from smbd.load.stream import Stream
from smbd.load.work import Order, Work

_BLOCK = 65536


@dataclass(frozen=True, slots=True)
class Group:
    """Connections that do the same: each with `work.depth` requests in flight on one file."""

    work: Work
    file: str  # in the share, with backslashes, made if it is missing; of no account to compounds
    connections: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a group in one run."""

    operations: int
    transferred: int  # bytes
    seconds: float  # until its last reply, without the time in which new offsets were made
    interim: int  # STATUS_PENDING replies
    latencies: Sequence[float]  # seconds, from a request's send to the end of its reply


class LoadClient:
    """Some groups of connections to a server, each logged in and with its file open.

    A context manager.  After a LoadError, and after an interrupted run, it can only be closed.
    """

    def __init__(self, target: Target, groups: Iterable[Group], signing: Signing = "off") -> None:
        self._sessions: list[Session] = []
        self._streams: dict[int, Stream] = {}  # by descriptor
        self._groups: list[tuple[Order, list[Stream]]] = []
        self._epoll = select.epoll()
        self._full: set[int] = set()  # descriptors that could not take all that was to be sent
        try:
            for group in groups:
                self._connect(target, group, signing)
        except BaseException:
            self.close()
            raise
        # One connection needs no asking which: the call would be a good part of the cost.
        only = [(fd, select.EPOLLIN) for fd in self._streams]
        self._only = only if len(only) == 1 else None

    def _connect(self, target: Target, group: Group, signing: Signing) -> None:
        order, streams = Order(group.work.offsets), list[Stream]()
        self._groups.append((order, streams))
        for _ in range(group.connections):
            session = Session(target, signing)
            self._sessions.append(session)
            file = session.open(group.file) if group.work.places else b""
            stream = Stream(session, file, group.work, order)
            streams.append(stream)
            self._streams[stream.fileno()] = stream
            self._epoll.register(stream.fileno(), select.EPOLLIN)

    def run(self, seconds: float, *, once: bool = False) -> list[Outcome]:
        """Work for so long, then wait for the last replies; return the results of each group.

        `once`: or until the offsets of one group are used up.  Else they begin anew, and the time
        in which new ones are made is not counted.  A run goes on with the offsets where the one
        before it has left off.  LoadError if the server fails an operation, hangs up, or says
        nothing any more.
        """
        for stream in self._streams.values():
            stream.reset()
        began = perf_counter()
        self._exchange(began + seconds)
        while not once and any(order.used_up for order, _ in self._groups):
            paused = perf_counter()
            if paused >= began + seconds:
                break
            self._renew()
            began += perf_counter() - paused
            self._exchange(began + seconds)
        return [_outcome(streams, began) for _, streams in self._groups]

    def _renew(self) -> None:
        for order, _ in self._groups:
            if order.used_up:
                order.renew()

    def _exchange(self, end: float) -> None:
        """Keep `depth` in flight until then, or until an order is used up; then take the rest."""
        going = True
        for fd in self._streams:
            going = self._send(fd, going=going)
        while going or any(stream.sent for stream in self._streams.values()):
            for fd, event in self._ready():
                if event & ~select.EPOLLOUT:
                    self._streams[fd].receive()
                going = self._send(fd, going=going)
            going = going and perf_counter() < end

    def _send(self, fd: int, *, going: bool) -> bool:
        """New requests, or only what is left of those that are under way; whether to go on."""
        stream = self._streams[fd]
        if going:
            going = stream.top_up()
        else:
            stream.flush()
        if (stream.unsent is not None) != (fd in self._full):
            self._full ^= {fd}
            wanted = select.EPOLLIN | (select.EPOLLOUT if fd in self._full else 0)
            self._epoll.modify(fd, wanted)
        return going

    def _ready(self) -> list[tuple[int, int]]:
        """Descriptors with what can be done with them."""
        if self._only and not self._full:
            return self._only
        found = self._epoll.poll(SILENCE)
        if not found:
            raise LoadError(SILENT)
        return found

    def fill(self, size: int) -> None:
        """Write the file of the first group up to a size; it is in the page cache then."""
        session, stream = self._sessions[0], self._groups[0][1][0]
        block = os.urandom(_BLOCK)
        for offset in range(0, size, _BLOCK):
            session.write(stream.file, offset, block[: size - offset])

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()
        self._epoll.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _outcome(streams: Sequence[Stream], began: float) -> Outcome:
    latencies = [latency for stream in streams for latency in stream.latencies]
    return Outcome(
        operations=len(latencies),
        transferred=sum(stream.transferred for stream in streams),
        seconds=max(stream.last for stream in streams) - began,
        interim=sum(stream.interim for stream in streams),
        latencies=latencies,
    )
