"""Where guests meet: a barrier over TCP, so that two kernels take turns and end together."""

import socket
import threading
import time
from contextlib import suppress
from typing import Self

from .inside.arriving import AGAIN, GONE, OVER

_WAITS = 120.0  # seconds for the slower guest; the other hears that it is gone


class Meeting:
    """A listener on 127.0.0.1 whose clients each name a group, and go on when all have arrived.

    Each arrival is answered to all of the group alike: AGAIN; OVER once the `seconds` that begin
    with the group's first arrival have passed; GONE if one of them has left. A context manager.
    """

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        self._groups: dict[str, _Group] = {}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        with client, client.makefile("rw") as lines, suppress(OSError):
            name = lines.readline()
            with self._lock:
                group = self._groups.setdefault(name, _Group(self._size, self._seconds))
            while lines.readline():
                lines.write(group.arrive())
                lines.flush()
            group.leave()


class _Group:
    """A group's barrier, and the answer that its members have had last."""

    def __init__(self, size: int, seconds: float) -> None:
        self._barrier = threading.Barrier(size, self._decide, _WAITS)
        self._seconds = seconds
        self._began: float | None = None
        self._answer = AGAIN

    def _decide(self) -> None:
        now = time.monotonic()
        self._began = self._began or now
        self._answer = OVER if now - self._began > self._seconds else AGAIN

    def arrive(self) -> str:
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            return GONE
        return self._answer

    def leave(self) -> None:
        if self._answer != OVER:  # else all leave, and some may not have been woken yet
            self._barrier.abort()
