"""The observer that makes requests go wrong."""

import secrets
from collections.abc import Sequence

from smbd.commands.reply import NO_REPLY
from smbd.connection import Connection
from smbd.faults import Asked, Plan
from smbd.injecting import changes
from smbd.injecting.course import Course, end_now, hang_up, must_wait, told
from smbd.ntstatus import HungUpError, NtStatus
from smbd.observing import Around, Observer, subject_of
from smbd.protection import Buffer
from smbd.request import Reply, Request
from smbd.service import Service
from smbd.wire.header import Command, Flags


class Injector(Observer):
    """Has the requests of a server go wrong as its faults say.

    Requests that are refused anyway (a bad signature, no session) meet none: they do not begin.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._plans: dict[Request, Plan] = {}  # for their answers
        self._next: dict[Connection, Plan] = {}  # for the frame that leaves next

    # --- a request comes ---

    def begin(self, request: Request) -> Reply | Around | None:
        """As smbd.observing.Observer has it."""
        plan = self._service.faults.plan(_asked(request))
        if plan is None:
            changes.check_length(request)
            return None
        if request.command == Command.CANCEL:
            return _of_cancel(plan)
        if plan.credits is not None:
            request.credit_request = plan.credits
        if plan.short is not None:
            changes.shorten(request, plan.short)
        if plan.guid:
            self._service.guid = secrets.token_bytes(16)
        if _is_of_answer(plan):
            self._plans[request] = plan
        if must_wait(plan):
            return Course(plan).run
        if not plan.done:
            end_now(request, plan)
        return None

    # --- its answer leaves ---

    def replying(self, request: Request, reply: Reply) -> None:
        """As smbd.observing.Observer has it."""
        plan = self._plans.get(request)
        if plan is not None and request.command == Command.NEGOTIATE:
            changes.lower_limits(request, reply, plan)

    def replied(self, request: Request, reply: Reply) -> None:
        """As smbd.observing.Observer has it."""
        if reply.status == NtStatus.PENDING:
            return
        plan = self._plans.pop(request, None)
        if plan is None:
            return
        is_sealed = request.sealed and request.session is not None
        if plan.garble and not is_sealed and not changes.damage_signature(reply):
            _spare(plan, "garble")
        if plan.breaks is not None:
            self._break_behind(request, plan)
        if (plan.garble and is_sealed) or _is_half(plan):
            self._next[_connection(request)] = plan

    def _break_behind(self, request: Request, plan: Plan) -> None:
        """Break what a CREATE may cache as soon as it is answered."""
        caching = None if request.open is None else request.open.caching
        left = plan.left_by_break
        if caching is None or left is None or not caching.kept & ~left:
            _spare(plan, "breaks")
            return
        act = request.behind

        def behind(now: float) -> None:
            if act is not None:
                act(now)
            caching.break_to(left, now)

        request.behind = behind

    def sent(self, connection: Connection, buffers: Sequence[Buffer]) -> Sequence[Buffer]:
        """As smbd.observing.Observer has it."""
        plan = self._next.pop(connection, None)
        if plan is None:
            return buffers
        whole = bytearray().join(buffers)
        if plan.garble and whole[4:5] == b"\xfd":
            whole = changes.damaged_seal([whole])
        if _is_half(plan):
            half = bytes(whole[: len(whole) // 2])
            raise HungUpError(told(plan), half, reset=plan.drop == "half-reset")
        return [whole]

    def lost(self, connection: Connection) -> None:
        """As smbd.observing.Observer has it."""
        self._next.pop(connection, None)
        for request in [one for one in self._plans if one.connection is connection]:
            del self._plans[request]

    def forget(self) -> None:
        """It observes no more."""
        self._plans.clear()
        self._next.clear()


def _asked(request: Request) -> Asked:
    command, user, share, path = subject_of(request)
    session = request.session
    protected = request.sealed or bool(request.flags & Flags.SIGNED)
    protected = protected or (session is not None and session.signing_required)
    return Asked(command, user, share, path, changes.length_of(request), protected)


def _of_cancel(plan: Plan) -> Reply | None:
    """A CANCEL has no answer: it may be ignored, or cost the connection."""
    hang_up(plan)
    return NO_REPLY if plan.hang else None


def _is_half(plan: Plan) -> bool:
    return plan.drop in {"half", "half-reset"}


def _is_of_answer(plan: Plan) -> bool:
    """Whether a plan changes the answer."""
    limits = plan.max_read, plan.max_write, plan.max_transact
    return plan.garble or plan.breaks is not None or _is_half(plan) or limits != (None, None, None)


def _spare(plan: Plan, key: str) -> None:
    """There was nothing to damage or to break."""
    for fault in plan.met:
        if fault.rule.ways == {key}:
            fault.spare()


def _connection(request: Request) -> Connection:
    assert isinstance(request.connection, Connection)
    return request.connection
