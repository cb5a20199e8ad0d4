"""What is written behind the loop's back: lines of a journal, packets of a capture."""

import contextlib
import json
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any

# Bytes that wait for the disk, and no more of them: what comes then is dropped, and counted.
_MOST_WAITING = 16 << 20
_PATIENCE = 5.0  # seconds for the last ones, at the end


class Appender:
    """Appends to a file, in a thread of its own: a disk that hangs holds nobody.

    A file that somebody has renamed or removed (logrotate) is made anew.
    """

    def __init__(self, path: Path, start: bytes = b"") -> None:
        """`start` begins every file that is made; OSError if there can be none."""
        self.path = path.absolute()
        self.dropped = 0  # pieces
        self._start = start
        self._fd = self._open()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0  # that wait
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="smbd.journal", daemon=True)
        self._thread.start()

    def put(self, piece: bytes, *, counts: bool = True) -> bool:
        """Have it written; False if too much waits already.  Never waits for the disk.

        `counts`: among the dropped ones then.
        """
        with self._changed:
            if self._bytes + len(piece) > _MOST_WAITING:
                self.dropped += counts
                return False
            self._waiting.append(piece)
            self._bytes += len(piece)
            self._changed.notify()
        return True

    def close(self) -> None:
        """Write what waits, as far as that goes within five seconds.  Blocks."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_PATIENCE)

    def _open(self) -> int:
        # There are names of users and files in it: they are nobody else's business.
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not os.fstat(fd).st_size and self._start:
            os.write(fd, self._start)
        return fd

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                pieces, self._waiting = [*self._waiting], deque()
                self._bytes = 0
                closing = self._closing
            if pieces:
                self._write(b"".join(pieces))
            elif closing:
                os.close(self._fd)
                return

    def _write(self, data: bytes) -> None:
        """Write all of it; what a full disk does not take is lost."""
        with contextlib.suppress(OSError):
            if not self._is_there():
                fd = self._open()
                os.close(self._fd)
                self._fd = fd
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]

    def _is_there(self) -> bool:
        try:
            named = self.path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._fd)
        return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)


class Lines:
    """A file of JSON objects, one a line."""

    def __init__(self, path: Path) -> None:
        """OSError if it cannot be appended to."""
        self._appender = Appender(path)
        self._told = 0

    def put(self, fields: dict[str, Any]) -> None:
        """Append one; in front of it stands how many were dropped since the last one."""
        dropped = self._appender.dropped
        missing = _line({"dropped": dropped - self._told})
        if dropped != self._told and self._appender.put(missing, counts=False):
            self._told = dropped
        self._appender.put(_line(fields))

    def close(self) -> None:
        """Write what waits.  Blocks for five seconds at most."""
        self._appender.close()


def _line(fields: dict[str, Any]) -> bytes:
    return f"{json.dumps(fields)}\n".encode()
