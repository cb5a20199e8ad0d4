"""A named pipe that a client has open."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


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
    tree_id: int
    name: str
    granted_access: int
    pipe: MessagePipe
    closed: bool = False

    def close(self) -> None:
        """Whoever waits to read hears that nothing will come."""
        self.closed = True
        if self.pipe.on_readable is not None:
            self.pipe.on_readable()
