"""Acts that are due at a time: the one place where time enters the state of the server.

The clock is the caller's.  One task sleeps until `next`, or until `earlier` is called, and calls
`pass_` to carry out the acts that are due.
"""

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

# Cancelled ones stay in the heap until they are due, or until they are more than half of it: then
# they are taken out together, and each costs no more than one look.  Few are not worth that.
_FEW = 64


class Deadline:
    """An act that is due at a time, in the seconds of the clock that `pass_` is given."""

    __slots__ = ("_act", "_number", "deadlines", "due")

    def __init__(
        self, due: float, number: int, act: Callable[[], None], deadlines: "Deadlines"
    ) -> None:
        self.due = due
        self.deadlines: Deadlines | None = deadlines  # while it is in their heap, not cancelled
        self._number = number
        self._act: Callable[[], None] | None = act

    @property
    def is_over(self) -> bool:
        """Whether it is cancelled or has acted."""
        return self._act is None

    def cancel(self) -> None:
        """Never act.  Behind the act, or again, this does nothing."""
        self._act = None
        deadlines, self.deadlines = self.deadlines, None
        if deadlines is not None:
            deadlines.forget_one()

    def act(self) -> None:
        """Carry out the act, unless it is cancelled or done."""
        act, self._act = self._act, None
        if act is not None:
            act()

    def __lt__(self, other: "Deadline") -> bool:
        return (self.due, self._number) < (other.due, other._number)


class Deadlines:
    """Acts in the order in which they are due; of two that are due at once the older one first."""

    __slots__ = ("_cancelled", "_heap", "_numbers", "earlier")

    def __init__(self) -> None:
        self.earlier: Callable[[], None] = lambda: None  # called when `next` has become earlier
        self._heap: list[Deadline] = []
        self._cancelled = 0  # of those in the heap
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def at(self, due: float, act: Callable[[], None]) -> Deadline:
        """Have `act` called by the first `pass_` at or after `due`."""
        is_first = due < self.next
        deadline = Deadline(due, next(self._numbers), act, self)
        heappush(self._heap, deadline)
        if is_first:
            self.earlier()
        return deadline

    @property
    def next(self) -> float:
        """When the first one is due; inf if there is none."""
        heap = self._heap
        while heap and heap[0].is_over:
            heappop(heap)
            self._cancelled -= 1
        return heap[0].due if heap else inf

    def pass_(self, now: float, most: int | None = None) -> None:
        """Do all that is due at `now`; what an act adds is for the next pass, due or not.

        What an act raises ends the pass; those behind it are for the next one, and so are those
        beyond `most`.
        """
        due: deque[Deadline] = deque()
        while self.next <= now and len(due) != most:
            due.append(heappop(self._heap))
            due[-1].deadlines = None
        try:
            while due:
                due.popleft().act()
        finally:
            for deadline in due:
                if not deadline.is_over:
                    deadline.deadlines = self
                    heappush(self._heap, deadline)

    def forget_one(self) -> None:
        """For Deadline.cancel: one of those in the heap is cancelled."""
        self._cancelled += 1
        if self._cancelled > max(_FEW, len(self._heap) // 2):
            self._heap = [one for one in self._heap if not one.is_over]
            heapify(self._heap)
            self._cancelled = 0
