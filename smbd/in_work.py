"""What goes on behind the burst that it came in: tasks, engines, and what they are counted by.

A chain, the requests of one frame from the first that could not be answered at once, is a task,
which awaits `run`, is known to CANCEL, and gets an interim response if that takes long.  A lone
request with a `transfer` has none: its share's engine works on it.
"""

from collections.abc import Callable, Iterable
from functools import partial

import outcome
import trio

from aio.completion import after_burst
from smbd.alone import Alone
from smbd.beside import end_by
from smbd.buffers import LARGE
from smbd.chain import Chain, ChainWork
from smbd.checking import largest_payload
from smbd.closing import close_unused
from smbd.commands import NO_REPLY, handler_of
from smbd.connection import Connection
from smbd.interims import Answers, Interims
from smbd.learned import Learned
from smbd.memory import REQUEST, TASK
from smbd.ntstatus import NtStatus
from smbd.observed import Observed
from smbd.request import Reply, Request, Transfer
from smbd.settling import answer_now, settle
from smbd.state import Open, Wait
from smbd.transport import Transport


class InWork:
    """The requests of one connection that are in work."""

    def __init__(self, connection: Connection, transport: Transport, nursery: trio.Nursery) -> None:
        self._connection = connection
        self._transport = transport
        self._nursery = nursery
        self.settle = partial(settle, connection)
        self.interims = Interims(self._tell, nursery.start_soon)
        self._learned = Learned(connection, transport, self.interims)
        self._most_in_work = connection.service.config.server.limits.requests
        self.in_work = 0  # frames that a task or an engine works on
        self._idle = trio.Event()  # set when nothing is in work any more
        self._ending = False
        self._over = False  # nobody hears answers any more
        self._now: Callable[[Request], Reply | None] = answer_now
        self._observed: Observed | None = None

    def _takes(self, request: Request) -> bool:
        """Whether one more may be in work."""
        if self.in_work >= self._most_in_work:
            return False
        return not request.waits_for_others or self._connection.memory.has_room(TASK + REQUEST)

    def _too_many(self, request: Request) -> Reply:
        """So many are in work that a task cannot go on with this one as well."""
        request.let_go()
        return Reply.of_error(NtStatus.INSUFFICIENT_RESOURCES)

    # --- chains, each in a task ---

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

    def _started(self, chain: Chain, request: Request) -> ChainWork:
        """What a task does from now on: a CANCEL may come before it begins."""
        work = request.work = ChainWork(self, chain, request)
        self._connection.request_list.started(request)
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
                note(request, reply, answers)
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
                self._connection.request_list.ended(request)
                unused = request.let_go()
                if unused is not None:
                    await close_unused(unused)
        return Reply.of_error(NtStatus.CANCELLED)

    # --- lone requests, which an engine works on ---

    def _begin_alone(self, request: Request, transfer: Transfer) -> bool:
        """Have an engine go on with a request; whether that uses the receive buffer."""
        pinned = request.keep_frame()
        size = request.kept + REQUEST + largest_payload(request)
        alone = request.work = Alone(self, request, transfer, size)
        self.settle(request, request.use_open)
        self._transport.work_began(size)
        self.in_work += 1
        self._connection.request_list.started(request)
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
        self._connection.request_list.ended(request)
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
            self._nursery.start_soon(end_by, error)
        finally:
            self._act_behind((alone.request,))
            self.work_ended(1, alone.size)

    # --- what C goes on with: smbd.misses.Pipeline, smbd.large.Pipeline ---

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

    def refuse(self, request: Request, error: OSError) -> None:
        """Answer a WRITE that C has passed on, and that has failed (smbd.large)."""
        reply = self.settle(request, _fail_now, error)
        self._transport.send(self._connection.finish(request, reply))

    # --- answers and ends ---

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
        self._send([(request, self._connection.request_list.interim(request))])

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


def note(request: Request, reply: Reply, answers: Answers) -> None:
    """Keep an answer, and its status at once: the next of a chain may depend on it."""
    request.status = reply.status
    if reply is not NO_REPLY:
        answers.append((request, reply))


def _fail_now(error: OSError) -> Reply:
    raise error
