"""A client's end of a named pipe in message mode ([MS-SMB2] 3.3.5.9.1 leaves the rest to us).

What is written is a stream of PDUs, however it is cut; each PDU of an answer is a message.  A read
gets no more than the rest of one message.
"""

from collections import deque
from collections.abc import Callable

from smbd.ntstatus import NtError, NtStatus
from smbd.rpc.association import Association
from smbd.rpc.pdu import HEADER_SIZE, PduError, parse_header
from smbd.rpc.srvsvc import SRVSVC
from smbd.rpc.view import ServerView
from smbd.rpc.wkssvc import WKSSVC

_SERVICES = {"srvsvc": SRVSVC, "wkssvc": WKSSVC}

# One write: more than 64 KiB would be more fragments than a request may have.
_LARGEST_WRITE = 65536
# Answers that a client may leave unread before it has to read some: what it asks for with a few
# bytes can be long.
_MOST_UNREAD = 65536


def is_pipe(name: str) -> bool:
    """Whether a pipe of this name can be opened (CREATE, FSCTL_PIPE_WAIT); without "\\\\"."""
    return name.lower() in _SERVICES


def open_pipe(name: str, look: Callable[[], ServerView]) -> "Pipe | None":
    """Open a pipe by its name, without "\\\\"; None if there is no such pipe.

    `look` is asked at every call, so that a client that keeps its pipe sees what changes.
    """
    service = _SERVICES.get(name.lower())
    if service is None:
        return None
    return Pipe(Association(service, f"\\PIPE\\{name.lower()}", look))


class Pipe:
    """Bytes from one client, and answers that wait for it.

    Nothing here waits: whoever must wait for an answer sets `on_readable`, which is called each
    time that messages have come, or none ever will.
    """

    __slots__ = ("_association", "_broken", "_cut", "_received", "_taken", "_unread", "on_readable")

    def __init__(self, association: Association) -> None:
        self._association = association
        self._received = bytearray()  # less than one PDU
        self._unread: deque[bytes] = deque()
        self._taken = 0  # bytes of the first message that are read
        self._cut = False
        self._broken = False
        self.on_readable: Callable[[], None] | None = None

    @property
    def available(self) -> int:
        """Bytes that wait to be read, in all messages."""
        return sum(map(len, self._unread)) - self._taken

    @property
    def more(self) -> bool:
        """Whether the last read left a rest of its message: BUFFER_OVERFLOW."""
        return self._cut

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a client's bytes, and answer every PDU that is complete.

        PIPE_DISCONNECTED once the client has left the protocol, INVALID_PARAMETER for more than
        64 KiB at once, PIPE_BUSY while too many answers are unread.
        """
        if self._broken:
            raise NtError(NtStatus.PIPE_DISCONNECTED)
        if len(data) > _LARGEST_WRITE:
            raise NtError(NtStatus.INVALID_PARAMETER)
        if self.available > _MOST_UNREAD:
            raise NtError(NtStatus.PIPE_BUSY)
        self._received += data
        before = len(self._unread)
        try:
            self._answer_received()
        except PduError:
            self._break()
            raise NtError(NtStatus.PIPE_DISCONNECTED) from None
        finally:
            if self.on_readable is not None and (self._broken or len(self._unread) > before):
                self.on_readable()

    def read(self, limit: int) -> bytes:
        """Give up to `limit` bytes of the first message; b"" when none waits (yet).

        PIPE_DISCONNECTED when none waits and none will come.
        """
        if not self._unread:
            self._cut = False
            if self._broken:
                raise NtError(NtStatus.PIPE_DISCONNECTED)
            return b""
        message = self._unread[0]
        data = message[self._taken : self._taken + limit]
        self._taken += len(data)
        self._cut = self._taken < len(message)
        if not self._cut:
            self._unread.popleft()
            self._taken = 0
        return data

    def transceive(self, data: bytes | bytearray | memoryview, limit: int) -> bytes:
        """FSCTL_PIPE_TRANSCEIVE ([MS-FSCC] 2.3.51): a write, and a read of what it is answered.

        PIPE_BUSY if an earlier answer is unread: it would be taken for this one.
        """
        if self._unread:
            raise NtError(NtStatus.PIPE_BUSY)
        self.write(data)
        return self.read(limit)

    def _answer_received(self) -> None:
        received = self._received
        waiting = self.available
        while len(received) >= HEADER_SIZE:
            header = parse_header(received)
            if len(received) < header.frag_length:
                return
            pdu = bytes(received[: header.frag_length])
            del received[: header.frag_length]
            answers = self._association.receive(header, pdu)
            self._unread.extend(answers)
            waiting += sum(map(len, answers))
            if self._association.broken or waiting > _MOST_UNREAD:
                break
        if self._association.broken or (received and waiting > _MOST_UNREAD):
            # Told why, where there was something to say; what follows is not heard any more.
            self._break()

    def _break(self) -> None:
        self._broken = True
        self._received.clear()
