"""Turns: how long one connection holds the loop before the others get it.

One burst may hold thousands of requests, and a request may name hundreds of things.  Whatever goes
on for longer than a turn gives way between two steps, so that the answer to anybody else waits for
one turn of each connection that is busy, not for all that one of them has sent.
"""

from math import inf
from time import perf_counter

import trio

# In seconds.  A burst of 16 READs of 4 KiB takes 0.3 ms; to give way costs about 20 us (measured),
# of which a connection that shares its turn with twenty others feels a fifth.
_TURN = 0.002
_SHORTEST = 0.0001
# Once the loop has been busy for so long since it last looked who else is ready, whoever has had a
# turn waits for its next round; but not for more rounds than that, were all of them long.
_ROUND = 0.005
_MOST_ROUNDS = 20


class Turns(trio.abc.Instrument):
    """What the connections of one server know of one another: how many wait to go on.

    As an instrument of the loop it knows when a round of it began.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self._round_over = inf

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 -- trio's signature
        """A round begins."""
        self._round_over = perf_counter() + _ROUND

    @property
    def round_is_over(self) -> bool:
        """Whether this round of the loop has been long enough."""
        return perf_counter() > self._round_over

    @property
    def length(self) -> float:
        """Seconds of a turn: busy connections share them, so that a round stays short."""
        return max(_TURN / (self.waiting + 1), _SHORTEST)


class Turn:
    """One connection's turn; `over` is when it ends, by `perf_counter`."""

    __slots__ = ("_turns", "over")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.over = 0.0

    def begin(self) -> None:
        """The time of a turn counts from now."""
        self.over = perf_counter() + self._turns.length

    def another(self) -> "Turn":
        """A turn for a task beside the one that reads, which begins now."""
        turn = Turn(self._turns)
        turn.begin()
        return turn

    @property
    def is_over(self) -> bool:
        """Whether it is time to give way."""
        return perf_counter() > self.over

    async def pause(self) -> None:
        """Give way if the turn is over: between the steps of what goes on for long."""
        if perf_counter() > self.over:
            await self.give_way()

    async def await_round(self) -> None:
        """Give way if the round has been long: before a step that may wait a little."""
        if self._turns.round_is_over:
            await self.give_way()

    async def give_way(self) -> None:
        """Let all others that can go on do so; then the next turn begins.

        It cannot be cancelled: a compound that has begun is carried out to its end.
        """
        self._turns.waiting += 1
        try:
            await trio.lowlevel.cancel_shielded_checkpoint()
            for _ in range(_MOST_ROUNDS):
                if not self._turns.round_is_over:
                    break
                await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self._turns.waiting -= 1
        self.begin()
