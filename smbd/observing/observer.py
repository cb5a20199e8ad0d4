"""What an observer is asked, in the order in which a request meets it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from smbd.connection import Connection
from smbd.protection import Buffer
from smbd.request import Reply, Request

# Carries a request out, from its checks on: the reply that is made of it, errors included.
CarryOut: TypeAlias = Callable[[], Awaitable[Reply]]
# What goes on with a request in a task, in place of its command or around it; it may raise NtError
# and ProtocolError, and it is cancelled when the connection ends.
Around: TypeAlias = Callable[[Request, CarryOut], Awaitable[Reply]]


class Observer:
    """Sees all that goes through a server's connections; this one changes nothing.

    All of it is called in the loop, so it must not wait; a ProtocolError that it raises costs the
    connection, any other exception of `begin` is answered as one of the command's.
    """

    def received(self, connection: Connection, frame: memoryview) -> None:
        """A frame has come, as on the wire but for its length; the view is good for this call."""

    def begin(self, request: Request) -> Reply | Around | None:
        """A request has passed the checks of its row, and its command is next.

        None: it goes on.  A Reply stands in its command's place, and so does what an Around makes
        of it in a task; then the observers that come behind this one are not asked.

        `request.frame` is the message in plain.  Of a compound each request comes for itself, when
        those before it are answered.  One that is refused before (a bad signature, say) never
        begins; it is answered all the same.
        """

    def replying(self, request: Request, reply: Reply) -> None:
        """A reply is made, with header and body but unsigned; the body may be changed in place."""

    def replied(self, request: Request, reply: Reply) -> None:
        """`reply.frame[4:]` is the answer in plain, signed where it is to be, and leaves next.

        It may be an interim one: `reply.status` is PENDING then, and another one follows.
        """

    def sent(
        self,
        connection: Connection,  # noqa: ARG002
        buffers: Sequence[Buffer],
    ) -> Sequence[Buffer]:
        """A frame leaves, as on the wire, the four bytes of its length in front.

        Gives what leaves in its place, which is nearly always the same.  Answers to one frame may
        leave in one, next after their `replied`.  A notification of a broken lease is a frame, too:
        there it must not raise, since it is told in the midst of another client's request.
        """
        return buffers

    def lost(self, connection: Connection) -> None:
        """The connection has ended: nothing of it is seen any more."""
