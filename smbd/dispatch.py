"""The one pipeline: row checks -> try_now / run -> the one `except` site -> reply.

A request that `try_now` answers is answered in the burst it came in.  Any other becomes a task,
which awaits `run`, is known to CANCEL, and gets an interim response if that takes long.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import outcome
import trio

from aio.completion import after_burst
from smbd.alone import Alone
from smbd.beside import Handled
from smbd.buffers import LARGE
from smbd.chain import Chain, ChainWork
from smbd.checking import (
    bound,
    largest_payload,
)
from smbd.closing import close_unused
from smbd.commands import NO_REPLY, TABLE, handler_of
from smbd.connection import Connection
from smbd.interims import Answers, Interims
from smbd.learned import Learned
from smbd.memory import REQUEST, TASK
from smbd.ntstatus import NtStatus, ProtocolError
from smbd.observed import Observed
from smbd.observing import Observer
from smbd.protection import protect
from smbd.repeats import Form, Repeats
from smbd.request import Reply, Request, Transfer
from smbd.settling import answer_now, settle
from smbd.state import Open, Wait
from smbd.transport import Transport
from smbd.visits import MOST_REQUESTS
from smbd.wire.header import NEXT_COMMAND_AT

T = TypeVar("T")
_log = logging.getLogger("smbd")


class Dispatch:
    """Carries out the requests of one connection and sends the replies."""

    def __init__(self, connection: Connection, transport: Transport, nursery: trio.Nursery) -> None:
        self._connection = connection
        self._transport = transport
        self.settle = partial(settle, connection)
        self._nursery = nursery
        self.interims = Interims(self._tell, nursery.start_soon)
        self._most_in_work = connection.service.config.server.limits.requests
        self._ending = False
        self._over = False  # nobody hears answers any more
        self._idle = trio.Event()  # set when nothing is in work any more
        self.in_work = 0  # frames that a task or an engine works on
        self._learned = Learned(connection, transport, self.interims)
        self._receive: Callable[[memoryview, float], list[Request]] = connection.receive
        self._now: Callable[[Request], Reply | None] = answer_now
        self._observed: Observed | None = None

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

    def refuse(self, request: Request, error: OSError) -> None:
        """Answer a WRITE that C has passed on, and that has failed (smbd.large)."""
        reply = self.settle(request, _fail_now, error)
        self._transport.send(self._connection.finish(request, reply))

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
            _note(request, reply, answers)
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

    def _too_many(self, request: Request) -> Reply:
        """So many are in work that a task cannot go on with this one as well."""
        request.let_go()
        return Reply.of_error(NtStatus.INSUFFICIENT_RESOURCES)

    def _takes(self, request: Request) -> bool:
        """Whether one more may be in work."""
        if self.in_work >= self._most_in_work:
            return False
        return not request.waits_for_others or self._connection.memory.has_room(TASK + REQUEST)

    def _begin(self, requests: list[Request], answers: Answers, at: int) -> bool:
        """Go on with a chain in a task, from the request that could not be answered at once.

        Returns whether the task uses the receive buffer.
        """
        pinned = [request.keep_frame() for request in requests]
        # What moves data may hold its charge twice.
        size = TASK + sum(request.kept + REQUEST for request in requests)
        size += sum(largest_payload(request) for request in requests[at:])
        chain = Chain(requests, answers, size, self._transport.turn.another())
        self.settle(requests[at], requests[at].use_open)
        self._transport.work_began(size)
        self.in_work += 1
        work = self._started(chain, requests[at])
        self._nursery.start_soon(self._carry_on, chain, at, work)
        return any(pinned)

    def _begin_alone(self, request: Request, transfer: Transfer) -> bool:
        """Have an engine go on with a request; whether that uses the receive buffer."""
        pinned = request.keep_frame()
        size = request.kept + REQUEST + largest_payload(request)
        alone = request.work = Alone(self, request, transfer, size)
        self.settle(request, request.use_open)
        self._transport.work_began(size)
        self.in_work += 1
        self._connection.started(request)
        self.interims.begin(request, [], for_others=False)
        begun = self.settle(request, transfer.begin, alone.done)
        if isinstance(begun, Reply):
            self.transferred(alone, begun)
        else:
            alone.begun = begun
            self._transport.kick_soon(transfer.engine.kick)
        return pinned

    def transferred(self, alone: Alone, reply: Reply) -> None:
        """An engine has done its part; the reply leaves with the others of this burst."""
        request = alone.request
        self.interims.end(request)
        self._connection.ended(request)
        request.transfer = None
        if request.row.plain and not reply.status and not self._over:
            self._learned.plain(request, self)
        unused = request.let_go()
        if unused is not None:
            self._nursery.start_soon(self._close_first, unused, alone, reply)
        else:
            self._answer(alone, reply)

    async def _close_first(self, unused: Open, alone: Alone, reply: Reply) -> None:
        try:
            await close_unused(unused)
        finally:
            self._answer(alone, reply)

    def _answer(self, alone: Alone, reply: Reply) -> None:
        """Answer a request that no task has worked on."""
        try:
            if not self._over:
                self._transport.send(self._connection.finish(alone.request, reply))
                if len(reply.frame) > LARGE:  # its way to the socket counts for this turn
                    self._transport.flush()
                else:
                    after_burst(self._transport.flush)
        except Exception as error:  # noqa: BLE001 - it ends the connection, as it would in a task
            self._nursery.start_soon(_fail, error)
        finally:
            self._act_behind((alone.request,))
            self.work_ended(1, alone.size)

    # --- what C goes on with: smbd.misses.Pipeline ---

    @property
    def room(self) -> int:
        """How many more requests may be in work."""
        return self._most_in_work - self.in_work

    def work_began(self, count: int, size: int) -> None:
        """So many requests are in work, for which so many bytes are held."""
        self.in_work += count
        self._transport.work_began(size)

    def work_ended(self, count: int, size: int) -> None:
        """They are answered."""
        self.in_work -= count
        self._transport.work_ended(size)
        if not self.in_work:
            self._idle.set()

    def end_unused(self, open_: Open) -> None:
        """Close the descriptor of a closed Open that no operation uses any more."""
        self._nursery.start_soon(close_unused, open_)

    def _started(self, chain: Chain, request: Request) -> ChainWork:
        """What a task does from now on: a CANCEL may come before it begins."""
        work = request.work = ChainWork(self, chain, request)
        self._connection.started(request)
        if request.waiting is not None and request.waits_for_others:
            self.wait(chain, request, request.waiting)
        elif chain.may_tell(request):
            self.interims.begin(request, chain.answers, for_others=False)
        return work

    def wait(self, chain: Chain, request: Request, wait: Wait) -> None:
        """A request goes on when others let it, maybe never.

        Its client hears so soon, where it can.  It must keep neither the server from its end nor
        the client's other requests from being read: they may be what it waits for.
        """
        if self._ending:
            wait.end(NtStatus.CANCELLED)
        elif request.row.never_async:
            return  # bounded: a login that is held back
        elif request.row.waits_last and request is not chain.requests[-1]:
            wait.end(NtStatus.NOT_SUPPORTED)
        elif chain.flight and not self._connection.memory.has_room(TASK + REQUEST):
            wait.end(NtStatus.INSUFFICIENT_RESOURCES)
        else:
            self._transport.work_ended(chain.flight)
            self._connection.memory.add(chain.flight)
            chain.held, chain.flight = chain.held + chain.flight, 0
            if chain.may_tell(request, for_others=True):
                self.interims.begin(request, chain.answers, for_others=True)

    def hold(self, chain: Chain, request: Request, *, tell: bool) -> None:
        """An observer holds a request back: an interim response leaves now, or none."""
        self.interims.end(request)
        if tell and not (request.row.never_async or request.async_id):
            self._tell(request, chain.answers)

    def go_on(self, chain: Chain, request: Request) -> None:
        """A request that was held back is carried out as any other."""
        if chain.may_tell(request):
            self.interims.begin(request, chain.answers, for_others=False)

    async def _carry_on(self, chain: Chain, at: int, work: ChainWork) -> None:
        """Carry out a chain from the request on that could not be answered at once."""
        requests, answers, turn = chain.requests, chain.answers, chain.turn
        try:
            reply: Reply | None = None
            # Many may begin at once, and each READ of 1 MiB makes a buffer: 0.6 ms (measured).
            await turn.await_round()
            for index in range(at, len(requests)):
                request = requests[index]
                if index > at:
                    await turn.pause()
                    reply = self.settle(request, self._now, request)
                    if reply is None:
                        self.settle(request, request.use_open)
                        work = self._started(chain, request)
                if reply is None:
                    reply = await self._later(request, work.scope)
                    turn.begin()
                _note(request, reply, answers)
                reply = None
            # To sign 8 MiB takes up to 15 ms (measured), and many chains may end at once.  The turn
            # began when this one was woken: to begin it again would count one more round.
            if turn.is_late:
                await turn.give_way()
            self._send(answers)
        finally:
            self._act_behind(requests)
            self._connection.memory.add(-chain.held)
            self.work_ended(1, chain.flight)

    async def _later(self, request: Request, scope: trio.CancelScope) -> Reply:
        """Await `run`, cancellable."""
        with scope:
            try:
                observed = self._observed
                run = handler_of(request).run if observed is None else observed.run
                return self.settle(request, (await outcome.acapture(run, request)).unwrap)
            finally:
                self.interims.end(request)
                self._connection.ended(request)
                unused = request.let_go()
                if unused is not None:
                    await close_unused(unused)
        return Reply.of_error(NtStatus.CANCELLED)

    async def finish(self) -> None:
        """Wait until nothing is in work; the caller sees to it that nothing new comes.

        A request that waits for other clients, maybe for ever, is cancelled as if by its client.
        """
        self._ending = True
        for request in self._connection.running():
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
            for request in self._connection.running():
                if request.transfer is not None:
                    request.cancel()
            self._transport.flush()
            with trio.CancelScope(shield=True):
                await self._until_idle()
            if self._observed is not None:
                self._observed.lost()
                self.observe(())
                self._observed = None  # it leads back to here
            self._connection.find_begun = None  # which leads back to the connection

    async def _until_idle(self) -> None:
        while self.in_work:
            if self._idle.is_set():
                self._idle = trio.Event()
            await self._idle.wait()

    def _tell(self, request: Request, answers: Answers) -> None:
        """Send an interim response.

        What the chain has answered so far goes ahead, in a frame of its own: a sealed frame of
        answers that ends in a PENDING makes cifs.ko (6.1) forget the answers, and its `ls` waits
        for ever.  Windows splits there as well.
        """
        self._send(answers)
        self._send([(request, self._connection.interim(request))])

    def _send(self, answers: Answers) -> None:
        """Send a late frame."""
        if answers:
            self._transport.emit(self._connection.finish_compound(answers))
            self._act_behind(request for request, _ in answers)
            answers.clear()

    def _act_behind(self, requests: Iterable[Request]) -> None:
        """Do what was left for when these are answered."""
        for request in requests:
            act, request.behind = request.behind, None
            if act is not None:
                act(self._connection.service.clock())


def _note(request: Request, reply: Reply, answers: Answers) -> None:
    """Keep an answer, and its status at once: the next of a chain may depend on it."""
    request.status = reply.status
    if reply is not NO_REPLY:
        answers.append((request, reply))


def _fail_now(error: OSError) -> Reply:
    raise error


async def _fail(error: Exception) -> None:
    """End the connection, whose nursery runs this."""
    raise error
