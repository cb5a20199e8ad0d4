"""Turns: how long one connection holds the loop before the others get it.

One burst may hold thousands of requests, and a request may name hundreds of things.  Work that
takes longer than a turn gives way between two steps, so that the answer to another client waits for
one turn of each busy connection, not for all that one of them has sent.
"""

from collections import deque
from math import inf
from time import perf_counter
from typing import NamedTuple

import outcome
import trio

from smbd.standby import Standby

# In seconds.  A burst of 16 READs of 4 KiB takes 0.3 ms; to give way costs about 20 us (measured),
# of which a connection that shares its turn with twenty others feels a fifth.
_TURN = 0.002
_SHORTEST = 0.0001
# So often it is asked whether others wait: then a turn is over as well.  To ask takes 1 us.
ASKED = 0.0005
# Once a round of the loop has taken so long, a task that has had a turn waits for the next round;
# but for no more rounds than that, and no longer, if all of them are long: 900 connections' READs
# make rounds of 70 ms (measured), and to sign 8 MiB takes 15 ms, one in a round.
_ROUND = 0.005
_MOST_ROUNDS = 20
_LONGEST = 0.3
# So many tasks look each round whether it is short, the others in line behind them do not: to look
# costs 20 us, and a turn that has to wait takes more than 0.2 ms, so that few fit into a round.
_LOOKING = 8
# A task whose turns are long waits for so many that can go on as well, and for no more: with 32
# busy connections it would cost each a fifth (measured).
_FEW = 3
# A connection whose last burst took no longer goes on in any round: its client asks for little.
_LITTLE = 0.0002


class Turns:
    """State that the connections of one server share: who waits, and when this round began.

    A round is one of trio's loop.  trio does not tell its beginning; but a task that was suspended
    runs in a later round than before, and once in a round.  So where no other task has counted a
    round meanwhile, it counts one itself.

    Of those that wait for a short round, a few look each round.  The others stand in line, first
    in, first out: whoever has looked for the last time gives its place to the first one.
    """

    __slots__ = ("line", "looking", "round", "round_over", "standby", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.looking = 0
        self.line: deque[_InLine] = deque()  # empty unless as many look as may
        self.round = 1
        self.round_over = inf
        self.standby: Standby | None = None  # set where the loop is the server's own

    @property
    def length(self) -> float:
        """Seconds of a turn: busy connections share them, so that a round stays short."""
        return max(_TURN / (self.waiting + 1), _SHORTEST)

    @property
    def loop(self) -> int:
        """A descriptor that is readable when others wait for the loop; -1: there is none."""
        return -1 if self.standby is None else self.standby.loop

    @property
    def others_can_go_on(self) -> bool:
        """Whether tasks can, beside the one that runs: no kernel knows of them any more."""
        return self.waiting > 0 or (self.standby is not None and self.standby.runnable > 0)

    @property
    def others_wait(self) -> bool:
        """Whether the loop has something to do behind this task's step."""
        return self.others_can_go_on or (self.standby is not None and self.standby.others_wait)

    @property
    def others_come_first(self) -> bool:
        """Whether some tasks can go on that have not given way; where many can, all are busy."""
        if self.standby is None:
            return False
        return 0 < self.standby.runnable - (self.waiting - len(self.line)) <= _FEW

    def wake_due(self, now: float) -> None:
        """Those go on that have stood in line for as long as anybody waits."""
        line = self.line
        while line and line[0].patience.is_over(self.round, now):
            trio.lowlevel.reschedule(line.popleft().task, outcome.Value(value=False))

    def looked(self) -> None:
        """One that looked each round does so no more: the first in line does, from the next on."""
        if self.line:
            trio.lowlevel.reschedule(self.line.popleft().task, outcome.Value(value=True))
        else:
            self.looking -= 1


class _Patience(NamedTuple):
    """Up to which round, and until when by `perf_counter`, a task waits for a short round."""

    last: int
    until: float

    def is_over(self, number: int, now: float) -> bool:
        return number >= self.last or now >= self.until


class _InLine(NamedTuple):
    task: trio.lowlevel.Task
    patience: _Patience


class Turn:
    """One task's turn.  From `over` on, by `perf_counter`, `is_over` says whether it ends."""

    __slots__ = ("_began", "_round", "_turns", "ends", "long", "over")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._round = 0  # of the loop, when the task ran last; 0: it is running
        self._began = 0.0
        self.over = self.ends = 0.0  # `ends`: in any case
        self.long = False  # the last one took more than a little

    def begin(self) -> None:
        """The time of a turn counts from now; the task has been suspended since its last one."""
        turns, now = self._turns, perf_counter()
        if self._round == turns.round:  # as _count_round, without its call: once a burst
            turns.round += 1
            turns.round_over = now + _ROUND
        self._round = turns.round
        self._began = now
        self._begin(now, turns.length if turns.waiting else _TURN)

    def _begin(self, now: float, length: float) -> None:
        self.ends = now + length
        self.over = now + min(length, ASKED)

    def end(self) -> None:
        """The work that began is done, in one turn or in several."""
        self.long = perf_counter() - self._began > _LITTLE

    @property
    def little(self) -> float:
        """Until when what was begun takes little, by `perf_counter`."""
        return self._began + _LITTLE

    @property
    def is_late(self) -> bool:
        """Whether this round of the loop had been long enough when the turn began."""
        return self._began > self._turns.round_over

    def another(self) -> "Turn":
        """A turn for a task beside this one, which is about to be started."""
        turn = Turn(self._turns)
        turn._round = self._turns.round
        return turn

    @property
    def is_over(self) -> bool:
        """Whether it is time to give way."""
        now = perf_counter()
        if now <= self.over:
            return False
        if now > self.ends or self._turns.others_wait:
            return True
        self.over = min(now + ASKED, self.ends)
        return False

    @property
    def is_last(self) -> bool:
        """Whether others that can go on now should do so first: the one before was long."""
        return self.long and (self.is_late or self._turns.others_come_first)

    async def pause(self) -> None:
        """Give way if the turn is over: between the steps of long work."""
        if self.is_over:
            await self.give_way()

    async def await_round(self) -> None:
        """Begin a turn, in a later round of the loop if this one has been long enough."""
        self.begin()
        if self.is_late:
            await self.give_way()

    async def come_last(self) -> None:
        """Let others go ahead of what is about to begin; the time that it takes counts from then.

        Else whoever has waited once would be long for as long as it has to wait.
        """
        await self.give_way()
        self._began = perf_counter()

    async def give_way(self) -> None:
        """Let all others that can go on do so; then the next turn begins.

        It cannot be cancelled: a compound that has begun is carried out to its end.
        """
        turns = self._turns
        turns.waiting += 1
        try:
            await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            turns.waiting -= 1
        now = perf_counter()
        self._count_round(now)
        # trio goes round in any order: this first time others go ahead, if they can.
        if now > turns.round_over or turns.others_come_first:
            turns.waiting += 1
            try:
                await self._await_short_round(now)
            finally:
                turns.waiting -= 1
        self._begin(perf_counter(), turns.length)

    async def _await_short_round(self, now: float) -> None:
        """Return in a later round, while that is short; or once none has been for long."""
        turns = self._turns
        patience = _Patience(turns.round + _MOST_ROUNDS - 1, now + _LONGEST)
        if turns.looking < _LOOKING:
            turns.looking += 1
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            turns.line.append(_InLine(trio.lowlevel.current_task(), patience))
            if not await trio.lowlevel.wait_task_rescheduled(_not_cancelled):
                self._count_round(perf_counter())
                return
        try:
            while not self._can_go_on(patience):
                await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            turns.looked()

    def _can_go_on(self, patience: _Patience) -> bool:
        """Look, in a new round; whoever has stood in line for too long goes on as well."""
        turns, now = self._turns, perf_counter()
        self._count_round(now)
        turns.wake_due(now)
        return now <= turns.round_over or patience.is_over(turns.round, now)

    def _count_round(self, now: float) -> None:
        if self._round == self._turns.round:
            self._turns.round += 1
            self._turns.round_over = now + _ROUND
        self._round = self._turns.round


def _not_cancelled(_raise_cancel: object) -> trio.lowlevel.Abort:
    """A task that stands in line stays there: its turn comes before long."""
    return trio.lowlevel.Abort.FAILED
