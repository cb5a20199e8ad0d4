"""A client's end of a named pipe in message mode ([MS-SMB2] 3.3.5.9.1 leaves the rest to us).

A client writes a stream of PDUs, cut anywhere; each PDU of an answer is a message.  A read
gets no more than the rest of one message.
"""

from collections import deque
from collections.abc import Callable

from smbd.ntstatus import NtError, NtStatus
from smbd.rpc.association import Association
from smbd.rpc.lsarpc import LSARPC
from smbd.rpc.pdu import HEADER_SIZE, PduError, parse_header
from smbd.rpc.srvsvc import SRVSVC
from smbd.rpc.view import ServerView
from smbd.rpc.wkssvc import WKSSVC

_SERVICES = {"lsarpc": LSARPC, "srvsvc": SRVSVC, "wkssvc": WKSSVC}

# One write: more than 64 KiB would be more fragments than a request may have.
_LARGEST_WRITE = 65536
# Bytes that a client may write beyond the call whose answer it has not read yet.
_MOST_RECEIVED = 2 * _LARGEST_WRITE


def is_pipe(name: str) -> bool:
    """Whether a pipe of this name can be opened (CREATE, FSCTL_PIPE_WAIT); without "\\\\"."""
    return name.lower() in _SERVICES


def open_pipe(name: str, look: Callable[[], ServerView]) -> "Pipe | None":
    """Open a pipe by its name, without "\\\\"; None if there is no such pipe.

    `look` is asked at every call, so that a client that keeps its pipe sees changes.
    """
    service = _SERVICES.get(name.lower())
    if service is None:
        return None
    return Pipe(Association(service, f"\\PIPE\\{name.lower()}", look))


class Pipe:
    """Bytes from one client, and answers that wait for it.

    Nothing here waits: a command that must wait for an answer asks `is_readable` after each step.
    """

    __slots__ = ("_association", "_broken", "_cut", "_received", "_taken", "_unread")

    def __init__(self, association: Association) -> None:
        self._association = association
        self._received = bytearray()  # less than one PDU
        self._unread: deque[bytes] = deque()
        self._taken = 0  # bytes of the first message that are read
        self._cut = False
        self._broken = False

    @property
    def is_readable(self) -> bool:
        """Whether a message waits to be read, or none ever will."""
        return bool(self._unread) or self._broken

    @property
    def available(self) -> int:
        """Bytes that wait to be read, in all messages."""
        return sum(map(len, self._unread)) - self._taken

    @property
    def more(self) -> bool:
        """Whether the last read left a rest of its message: BUFFER_OVERFLOW."""
        return self._cut

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a client's bytes, and answer the first call of them unless an answer is unread.

        PIPE_DISCONNECTED once the client has left the protocol, INVALID_PARAMETER for more than
        64 KiB at once, PIPE_BUSY while too much waits for the client to read its answers.
        """
        if self._broken:
            raise NtError(NtStatus.PIPE_DISCONNECTED)
        if len(data) > _LARGEST_WRITE:
            raise NtError(NtStatus.INVALID_PARAMETER)
        if len(self._received) + len(data) > _MOST_RECEIVED:
            raise NtError(NtStatus.PIPE_BUSY)
        self._received += data
        if self._unread:
            return
        try:
            self._answer_received()
        except PduError:
            self._break()
            raise NtError(NtStatus.PIPE_DISCONNECTED) from None

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
            self._catch_up()
        return data

    def transceive(self, data: bytes | bytearray | memoryview, limit: int) -> bytes:
        """FSCTL_PIPE_TRANSCEIVE ([MS-FSCC] 2.3.51): a write, and a read of its answer.

        PIPE_BUSY if an earlier answer is unread: it would be taken for this one.
        """
        if self._unread:
            raise NtError(NtStatus.PIPE_BUSY)
        self.write(data)
        return self.read(limit)

    def _catch_up(self) -> None:
        """Answer calls that were written before earlier answers were read."""
        try:
            self._answer_received()
        except PduError:
            self._break()

    def _answer_received(self) -> None:
        """Answer the calls that were received, until a message waits; PduError.

        The next call is answered when this message is read.  One write has room for 2,300 calls,
        and all of them would otherwise be answered in one turn of the loop.
        """
        received = self._received
        at = 0
        try:
            while not self._unread and len(received) - at >= HEADER_SIZE:
                header = parse_header(received, at)
                end = at + header.frag_length
                if len(received) < end:
                    return
                pdu = bytes(received[at:end])
                at = end
                self._unread.extend(self._association.receive(header, pdu))
                if self._association.broken:
                    # A fault, if there is one, has told the client; later bytes are ignored.
                    self._break()
                    return
        finally:
            del received[:at]

    def _break(self) -> None:
        self._broken = True
        self._received.clear()
