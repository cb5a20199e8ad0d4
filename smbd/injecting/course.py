"""What takes time: how a request goes on, in a task, as the faults want it."""

from dataclasses import dataclass, replace
from functools import partial
from math import inf

import trio

from smbd.checking import check_session
from smbd.closing import end_open
from smbd.faults import Fault, Plan
from smbd.ntstatus import HungUpError, NtError, NtStatus
from smbd.observing import CarryOut
from smbd.request import Reply, Request
from smbd.state import Wait
from smbd.teardown import end_session
from smbd.waiting import until


@dataclass(slots=True, eq=False)
class Course:
    """The course of one request: smbd.observing.Around."""

    plan: Plan

    async def run(self, request: Request, carry_out: CarryOut) -> Reply:
        """Go wrong, before the command or behind it."""
        if self.plan.done:
            return await self._behind(request, carry_out)
        goes_on = await self._held_back(request)
        if not goes_on:
            await end(request, self.plan)
        assert request.work is not None, "a task works on it"
        request.work.go_on()
        return await carry_out()

    async def _behind(self, request: Request, carry_out: CarryOut) -> Reply:
        """The command is carried out, and what goes wrong is its answer."""
        reply = await carry_out()
        try:
            goes_on = await self._held_back(request)
        except NtError:
            return reply  # a CANCEL comes too late
        if not goes_on:
            hang_up(self.plan)
            if self.plan.status is not None:
                return Reply.of_error(self.plan.status)
        return reply

    async def _held_back(self, request: Request) -> bool:
        """Wait, if that is wanted; whether a rule was removed meanwhile: all goes well then.

        A request that is held back counts as one that waits for others: CANCEL ends it, and the
        server's end; its memory is its connection's, and does not keep other requests from being
        read.  NtError.
        """
        plan, work = self.plan, request.work
        assert work is not None, "a task works on it"
        if not plan.hang and plan.delay is None:
            if plan.pending:
                work.hold(tell=True)
            return False
        wait, row, before = Wait(), request.row, request.waiting
        released: list[Fault] = []

        def release(fault: Fault) -> None:
            released.append(fault)
            wait.end()

        request.row = replace(row, waits_last=False)  # [MS-SMB2] leaves it to us, and we wait
        for fault in plan.met:
            fault.hold(request, partial(release, fault))
        try:
            request.waits_for(wait)
            work.hold(tell=plan.pending)
            with trio.move_on_after(inf if plan.delay is None else plan.delay):
                await until(wait)
        finally:
            for fault in plan.met:
                fault.let_go(request)
            wait.end()
            request.waiting, request.row = before, row
        return bool(released)


def must_wait(plan: Plan) -> bool:
    """Whether a plan needs a task."""
    if plan.hang or plan.delay is not None or plan.pending or plan.forget or plan.closed:
        return True
    return plan.done and not (plan.drop or "").startswith("half")


def hang_up(plan: Plan) -> None:
    """End the connection, if that is wanted before the answer: HungUpError."""
    if plan.drop in {"close", "reset"}:
        raise HungUpError(told(plan), reset=plan.drop == "reset")


def told(plan: Plan) -> str:
    """For the log."""
    return f"a fault: {'; '.join(map(str, plan.met))}"


def end_now(request: Request, plan: Plan) -> None:
    """What ends a request in place of its command, and needs no task: NtError, HungUpError."""
    hang_up(plan)
    if plan.expire and request.session is not None:
        request.session.suspended = True
        check_session(request)
    if plan.status is not None:
        raise NtError(plan.status)


async def end(request: Request, plan: Plan) -> None:
    """End it so: NtError, HungUpError; it goes on if nothing wants its end."""
    end_now(request, plan)
    if plan.forget and request.session is not None:
        session = request.session
        await end_session(request.service, session)
        if request.sealed:  # [MS-SMB2] 3.3.5.2.1.1: as any other that is sealed for no session
            raise HungUpError(told(plan))
        request.channel = request.session = request.tree = None
        raise NtError(NtStatus.USER_SESSION_DELETED)
    if plan.closed and request.used is not None:
        await end_open(request.service, request.used)
        raise NtError(NtStatus.FILE_CLOSED)
