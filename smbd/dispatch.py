"""The one pipeline: row checks -> try_now / run -> the one `except` site -> reply.

A request that `try_now` answers is answered in the burst it came in.  Any other goes on behind it
(smbd.in_work).
"""

from collections.abc import Callable
from functools import partial

import trio

from smbd.beside import Handled
from smbd.checking import bound
from smbd.commands import NO_REPLY, TABLE
from smbd.connection import Connection
from smbd.in_work import InWork, note
from smbd.interims import Answers
from smbd.ntstatus import ProtocolError
from smbd.observed import Observed
from smbd.observing import Observer
from smbd.protection import protect
from smbd.repeats import Form, Repeats
from smbd.request import Reply, Request
from smbd.settling import answer_now
from smbd.transport import Transport
from smbd.visits import MOST_REQUESTS
from smbd.wire.header import NEXT_COMMAND_AT


class Dispatch(InWork):
    """Carries out the requests of one connection and sends the replies."""

    def __init__(self, connection: Connection, transport: Transport, nursery: trio.Nursery) -> None:
        super().__init__(connection, transport, nursery)
        self._receive: Callable[[memoryview, float], list[Request]] = connection.receive

    def observe(self, observers: tuple[Observer, ...]) -> None:
        """Let these see all that goes through here from now on, in place of those before.

        The one place that decides it.  All goes through the commands then, none of it through C.
        """
        observed, transport = self._observed, self._transport
        if observed is None and observers:
            observed = self._observed = Observed(self._connection, answer_now, self.settle)
        if observed is None:
            return
        observed.observers = observers
        self._learned.observe(is_observed=bool(observers))
        if observers:
            transport.tap, self._connection.protect = observed.sent, observed.protect
            self._receive = observed.receive
            self._now = partial(answer_now, handlers=observed.handlers)
        else:
            transport.tap, self._connection.protect = None, protect
            self._receive, self._now = self._connection.receive, answer_now

    def frame(self, frame: memoryview, now: float) -> Handled:
        """Carry out one frame that came `now`; whether something still at work uses `frame`.

        What takes longer than a turn goes on when that is awaited.
        """
        alone = not any(frame[NEXT_COMMAND_AT : NEXT_COMMAND_AT + 4])  # or sealed
        learned = self._learned
        repeats, visits = learned.repeats, learned.visits
        if alone and repeats is not None:
            form = repeats.receive(frame, now)
            if form is not None:
                return self._again(repeats, form)
        if visits is None or alone:
            requests = self._receive(frame, now)
        else:
            frame, sealed_for = self._connection.opened(frame)
            answer = visits.answer(frame, now, sealed_for)
            if answer is not None:
                self._transport.send(answer)
                return False
            requests = self._connection.receive(frame, now, sealed_for)
        if len(requests) > 1:
            return self._compound(requests)
        return self._lone(requests)

    def _lone(self, requests: list[Request]) -> bool:
        """Carry out the one request of a frame; as `frame`."""
        request = requests[0]
        reply = self._at_once(request)
        if reply is None:
            return self._begin_lone(request)
        if reply is not NO_REPLY:
            self._transport.send(self._connection.finish(request, reply))
            if not reply.status and request.tree is not None:
                self._learned.lone(request, self)
        if request.behind is not None:
            self._act_behind(requests)
        return False

    def _again(self, repeats: Repeats, form: Form) -> Handled:
        """Carry out a lone request that is like one before, up to its command."""
        request = form.request
        reply = self.settle(request, TABLE[request.command].try_now, request)
        if reply is None:
            repeats.left(form)
            if self._takes(request):
                return self._begin_lone(request)
            reply = self._too_many(request)
            self._transport.send(self._connection.finish(request, reply))
            return False
        self._transport.send(repeats.finish(form, reply))
        row = request.row
        if not reply.status and (row.plain or row.opens or row.tells):
            self._learned.file(request, self)
        if request.behind is not None:
            self._act_behind((request,))
        repeats.done(form)
        return False

    def _begin_lone(self, request: Request) -> bool:
        """Go on with a request that could not be answered at once."""
        if request.transfer is not None:
            return self._begin_alone(request, request.transfer)
        return self._begin([request], [], 0)

    def _compound(self, requests: list[Request]) -> Handled:
        """[MS-SMB2] 3.3.5.2.7: one after the other, the answers in one frame."""
        bound(requests)
        answers: Answers = []
        at, used = self._answer_some(requests, answers, 0)
        if at != len(requests):
            return self._answer_rest(requests, answers, at)
        if len(requests) == len(answers) <= MOST_REQUESTS and not any(
            reply.status for _, reply in answers
        ):
            self._learned.compound(requests, self)
        return used

    async def _answer_rest(self, requests: list[Request], answers: Answers, at: int) -> bool:
        """Go on with a long compound in the connection's next turns, before its next frame."""
        used = False
        while at < len(requests):
            await self._transport.turn.give_way()
            at, used = self._answer_some(requests, answers, at)
        return used

    def _answer_some(self, requests: list[Request], answers: Answers, at: int) -> tuple[int, bool]:
        """Answer one request, and more until the turn is over; send the frame with the last one.

        Returns where to go on, and whether a task, which does the rest, uses the frame.
        """
        turn = self._transport.turn
        while at < len(requests):
            request = requests[at]
            try:
                reply = self._at_once(request)
            except ProtocolError:
                self._act_behind(requests)  # no answer leaves any more
                raise
            if reply is None:
                return len(requests), self._begin(requests, answers, at)
            note(request, reply, answers)
            at += 1
            if turn.is_over:
                break
        if at == len(requests) and answers:
            self._transport.send(self._connection.finish_compound(answers))
        if at == len(requests):
            self._act_behind(requests)
        return at, False

    def _at_once(self, request: Request) -> Reply | None:
        """What can be answered now; None if a task must go on with it, and one more may."""
        reply = self.settle(request, self._now, request)
        if reply is None and not self._takes(request):
            return self._too_many(request)
        return reply

    async def finish(self) -> None:
        """Wait until nothing is in work; the caller sees to it that nothing new comes.

        A request that waits for other clients, maybe for ever, is cancelled as if by its client.
        """
        self._ending = True
        for request in self._connection.request_list.all():
            if request.waits_for_others:
                request.cancel()
        await self._until_idle()

    async def end(self) -> None:
        """Wait until nothing is in work; when cancelled too, but then nobody hears of the ends.

        An engine has file and buffer until it is done, and no task of the nursery waits for it.
        """
        try:
            await self._until_idle()
        finally:
            self._over = True
            for request in self._connection.request_list.all():
                if request.transfer is not None:
                    request.cancel()
            self._transport.flush()
            with trio.CancelScope(shield=True):
                await self._until_idle()
            if self._observed is not None:
                self._observed.lost()
                self.observe(())
                self._observed = None  # it leads back to here
            self._connection.request_list.find_begun = None  # which leads back to the connection
