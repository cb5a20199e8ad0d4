"""A named pipe that a client has open."""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from smbd.memory import Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.state.holder import Holder
from smbd.state.waits import QueueEntry


class MessagePipe(Protocol):
    """What `rpc` gives: bytes in, messages out; see smbd.rpc.Pipe."""

    @property
    def is_readable(self) -> bool:
        """Whether a message waits to be read, or none ever will."""

    @property
    def available(self) -> int:
        """Bytes that wait to be read."""

    @property
    def more(self) -> bool:
        """Whether the last read left a rest of its message."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a client's bytes."""

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes of the first message; b"" when none waits."""

    def transceive(self, data: bytes | bytearray | memoryview, limit: int) -> bytes:
        """Write, and read the answer."""


@dataclass(slots=True, eq=False)
class PipeOpen:
    """[MS-SMB2] 3.3.1.10 for a pipe: no file, no descriptor, no share modes."""

    volatile_id: int
    holder: "Holder[PipeOpen]"
    name: str
    granted_access: int
    pipe: MessagePipe
    # READs, each for a message of its own.
    readers: deque[QueueEntry] = field(default_factory=deque)
    memory: Holding = field(default_factory=Holding)
    closed: bool = False

    def require(self, access: int) -> None:
        """ACCESS_DENIED unless all of `access` was granted."""
        if self.granted_access & access != access:
            raise NtError(NtStatus.ACCESS_DENIED)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a client's bytes; the READ that waits first hears of the answer."""
        try:
            self.pipe.write(data)
        finally:
            self._wake()

    def transceive(self, data: bytes | bytearray | memoryview, limit: int) -> bytes:
        """Write, and read the answer; what is left of it is for the READ that waits first."""
        try:
            return self.pipe.transceive(data, limit)
        finally:
            self._wake()

    def wait(self) -> QueueEntry:
        """Queue a READ, which goes on when it is the first and there is a message."""
        entry = QueueEntry(queue=self)
        self.readers.append(entry)
        self._wake()
        return entry

    def remove(self, entry: QueueEntry) -> None:
        """For QueueEntry.give_up."""
        if entry in self.readers:
            self.readers.remove(entry)
            self._wake()

    def close(self) -> None:
        """End the requests that wait for data: none will come."""
        self.closed = True
        self.memory.end()
        for entry in tuple(self.readers):
            entry.end(NtStatus.PIPE_BROKEN)

    def _wake(self) -> None:
        if self.readers and self.pipe.is_readable:
            self.readers[0].end()
