"""Output that perhaps nobody reads: the server never waits for it.

A pipe that is full (a log driver that hangs, a stopped `| less`) holds its writer.  So a thread of
its own writes, the lines that wait for it are bounded, and further ones are dropped, with a line
that counts them.
"""

import contextlib
import io
import os
import select
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TextIO

# Bytes that wait for a reader: some 10,000 lines.
_MOST_WAITING = 1 << 20
_LOOK_AGAIN = 0.01  # seconds, for `drain`


class Outlet:
    """One stream.  Used by any thread, and by signal handlers.

    `told` makes the line that stands for so many that were dropped.
    """

    def __init__(self, stream: TextIO | None, told: Callable[[int], str]) -> None:
        self._told = told
        self._stream = stream
        self._fd = _descriptor(stream)
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._lock = threading.RLock()  # a signal's handler may take it where it is held
        self._waiting: SimpleQueue[bytes] = SimpleQueue()
        self._put = self._written = 0  # bytes
        self._dropped = 0  # lines
        if self._fd >= 0:
            threading.Thread(target=self._write_all, name="smbd-output", daemon=True).start()

    def put(self, text: str) -> None:
        """Have a line, or several, written; it never waits."""
        if self._fd < 0:
            if self._stream is not None:  # not a file: a test's
                with contextlib.suppress(OSError, ValueError):
                    self._stream.write(f"{text}\n")
            return
        with self._lock:
            if self._dropped and self._enqueue(self._told(self._dropped)):
                self._dropped = 0
            if self._dropped or not self._enqueue(text):
                self._dropped += 1

    def _enqueue(self, text: str) -> bool:
        line = f"{text}\n".encode(self._encoding, errors="backslashreplace")
        if self._put - self._written + len(line) > _MOST_WAITING:
            return False
        self._put += len(line)
        self._waiting.put(line)
        return True

    def drain(self, patience: float) -> None:
        """Wait, at most `patience` seconds, until all is written."""
        if self._fd < 0:
            return
        end = time.monotonic() + patience
        with self._lock:
            if self._dropped and self._enqueue(self._told(self._dropped)):
                self._dropped = 0
        while self._written < self._put and time.monotonic() < end:
            time.sleep(_LOOK_AGAIN)

    def _write_all(self) -> None:
        while True:
            line = self._waiting.get()
            _write(self._fd, line)
            self._written += len(line)


def _write(fd: int, line: bytes) -> None:
    """Write all of it, however long that takes; lines that cannot be written are lost."""
    while line:
        try:
            line = line[os.write(fd, line) :]
        except BlockingIOError:  # somebody who shares it has made it not block
            select.select((), (fd,), ())
        except OSError:  # a closed pipe, a full disk
            return


def _descriptor(stream: TextIO | None) -> int:
    """The stream's descriptor, after its buffer is written; -1 if it has none."""
    try:
        if stream is None:
            return -1
        with contextlib.suppress(OSError):  # on a full disk: earlier output is lost
            stream.flush()
        return stream.fileno()
    except (io.UnsupportedOperation, OSError, ValueError):  # the last one: it is closed
        return -1
