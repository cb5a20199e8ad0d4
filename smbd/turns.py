"""Turns: how long one connection holds the loop before the others get it.

One burst may hold thousands of requests, and a request may name hundreds of things.  Work that
takes longer than a turn gives way between two steps, so that the answer to another client waits for
one turn of each busy connection, not for all that one of them has sent.
"""

from math import inf
from time import perf_counter

import trio

from smbd.standby import Standby

# In seconds.  A burst of 16 READs of 4 KiB takes 0.3 ms; to give way costs about 20 us (measured),
# of which a connection that shares its turn with twenty others feels a fifth.
_TURN = 0.002
_SHORTEST = 0.0001
# So often it is asked whether others wait: then a turn is over as well.  To ask takes 1 us.
ASKED = 0.0005
# Once a round of the loop has taken so long, a task that has had a turn waits for the next round;
# but not for more rounds than that, if all of them are long.
_ROUND = 0.005
_MOST_ROUNDS = 20
# A task whose turns are long waits for so many that can go on as well, and for no more: with 32
# busy connections it would cost each a fifth (measured).
_FEW = 3
# A connection whose last burst took no longer goes on in any round: its client asks for little.
_LITTLE = 0.0002


class Turns:
    """State that the connections of one server share: how many wait, and when this round began.

    A round is one of trio's loop.  trio does not tell its beginning; but a task that was suspended
    runs in a later round than before, and once in a round.  So where no other task has counted a
    round meanwhile, it counts one itself.
    """

    __slots__ = ("round", "round_over", "standby", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
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
        return self.standby is not None and 0 < self.standby.runnable - self.waiting <= _FEW


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

    async def give_way(self) -> None:
        """Let all others that can go on do so; then the next turn begins.

        It cannot be cancelled: a compound that has begun is carried out to its end.
        """
        turns = self._turns
        turns.waiting += 1
        try:
            for number in range(_MOST_ROUNDS):
                await trio.lowlevel.cancel_shielded_checkpoint()
                now = perf_counter()
                self._count_round(now)
                # trio goes round in any order: the first time others go ahead, if they can.
                if now <= turns.round_over and (number or not turns.others_come_first):
                    break
        finally:
            turns.waiting -= 1
        self._begin(perf_counter(), turns.length)

    def _count_round(self, now: float) -> None:
        if self._round == self._turns.round:
            self._turns.round += 1
            self._turns.round_over = now + _ROUND
        self._round = self._turns.round
