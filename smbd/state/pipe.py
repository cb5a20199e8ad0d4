"""A named pipe that a client has open."""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from smbd.memory import Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.state.holder import Holder
from smbd.state.waits import Place


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
    readers: deque[Place] = field(default_factory=deque)  # READs, each for a message of its own
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

    def wait(self) -> Place:
        """Take the last place in the queue of READs: its turn comes with a message."""
        place = Place(queue=self)
        self.readers.append(place)
        self._wake()
        return place

    def left(self, place: Place) -> None:
        """For Place.give_up."""
        if place in self.readers:
            self.readers.remove(place)
            self._wake()

    def close(self) -> None:
        """All that wait hear that nothing will come."""
        self.closed = True
        self.memory.end()
        for place in tuple(self.readers):
            place.end(NtStatus.PIPE_BROKEN)

    def _wake(self) -> None:
        if self.readers and self.pipe.is_readable:
            self.readers[0].end()
