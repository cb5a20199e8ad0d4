"""The hook in one connection on which observers hang (smbd.observing).

Where nobody observes there is none of it: Dispatch, Connection and Transport have attributes that
are set when somebody begins to, so that no request has to ask.
"""

from collections.abc import Callable, Sequence

import outcome

from smbd.commands import TABLE, Handler, handler_of
from smbd.connection import Connection
from smbd.observing import Around, Observer
from smbd.protection import Buffer, protect
from smbd.request import Reply, Request

Settle = Callable[..., Reply | None]


class Observed:
    """What the observers of one connection are asked, the latest first.

    The order is that of the way: the last observer is the next one to the client.  So a journal
    that comes behind the faults notes what the client has asked, and what it has been answered.
    """

    def __init__(
        self,
        connection: Connection,
        check: Callable[[Request], Reply | None],
        settle: Callable[..., Reply | None],
    ) -> None:
        """`check` has a request pass its row and begin; `settle` makes errors answers."""
        self.observers: tuple[Observer, ...] = ()
        self.handlers = dict.fromkeys(TABLE, Handler(self._begin))  # in place of the commands'
        self._connection = connection
        self._check = check
        self._settle = settle
        self._around: dict[Request, Around] = {}  # in work, or about to be

    def receive(self, frame: memoryview, now: float) -> list[Request]:
        """In place of Connection.receive."""
        for observer in reversed(self.observers):
            observer.received(self._connection, frame)
        return self._connection.receive(frame, now)

    def _begin(self, request: Request) -> Reply | None:
        """In place of the command's `try_now`."""
        for observer in reversed(self.observers):
            course = observer.begin(request)
            if isinstance(course, Reply):
                return course
            if course is not None:
                self._around[request] = course
                return None
        return handler_of(request).try_now(request)

    async def run(self, request: Request) -> Reply:
        """In place of the command's `run`."""
        around = self._around.pop(request, None)
        if around is None:
            return await handler_of(request).run(request)

        async def carry_out() -> Reply:
            reply = self._settle(request, self._check, request)
            if reply is None:
                run = handler_of(request).run
                result = await outcome.acapture(run, request)
                reply = self._settle(request, result.unwrap)
            assert reply is not None, "`run` answers"
            return reply

        return await around(request, carry_out)

    def protect(self, request: Request, reply: Reply) -> None:
        """In place of smbd.protection.protect: a reply is made, and about to leave."""
        for observer in self.observers:
            observer.replying(request, reply)
        protect(request, reply)
        for observer in self.observers:
            observer.replied(request, reply)

    def sent(self, buffers: Sequence[Buffer]) -> Sequence[Buffer]:
        """A frame leaves (Transport.tap)."""
        for observer in self.observers:
            buffers = observer.sent(self._connection, buffers)
        return buffers

    def lost(self) -> None:
        """The connection has ended."""
        for observer in self.observers:
            observer.lost(self._connection)
        self.observers = ()
        self._around.clear()
