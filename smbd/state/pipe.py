"""A named pipe that a client has open."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from smbd.memory import Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.state.holder import Holder
from smbd.state.line import Line


class MessagePipe(Protocol):
    """What `rpc` gives: bytes in, messages out; see smbd.rpc.Pipe."""

    on_readable: Callable[[], None] | None

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
    readers: Line = field(default_factory=Line)  # READs that wait, each for a message of its own
    memory: Holding = field(default_factory=Holding)
    closed: bool = False

    def require(self, access: int) -> None:
        """ACCESS_DENIED unless all of `access` was granted."""
        if self.granted_access & access != access:
            raise NtError(NtStatus.ACCESS_DENIED)

    def close(self) -> None:
        """The READ that waits first hears that nothing will come, and the next one after it."""
        self.closed = True
        self.memory.end()
        if self.pipe.on_readable is not None:
            self.pipe.on_readable()
