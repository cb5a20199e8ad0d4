"""How long the event loop does not turn."""

from math import inf
from time import perf_counter

from trio.abc import Instrument


class LoopTurns(Instrument):
    """The longest turn of a trio loop, in each of some equal parts of a run.

    A turn is what lies between two waits for I/O: until it ends, nothing happens for anybody else.
    What it does not see: a loop that epoll has woken still needs the GIL, and as long as a thread
    keeps that, it seems to wait.  Latencies contain that.
    """

    def __init__(self, seconds: float, slots: int) -> None:
        """It looks only between `resume` and `pause`, for so many seconds altogether.

        If it becomes more, that belongs to the last part.
        """
        self._slots = [0.0] * slots
        self._slot_seconds = seconds / slots
        self._began = 0.0  # the turn
        self._origin = 0.0  # when it would have begun to look, had there been no pause
        self._looked = 0.0  # seconds, until the last pause
        # The slot's longest turn and its end; in a pause, what nothing exceeds.
        self._longest = self._until = inf

    @property
    def slots(self) -> tuple[float, ...]:
        """Seconds; a turn counts in each part that it reaches into."""
        return tuple(self._slots)

    def resume(self) -> None:
        """A turn begins here."""
        self._began = perf_counter()
        self._origin = self._began - self._looked
        self._enter(self._began)

    def pause(self) -> None:
        """And ends here."""
        now = perf_counter()
        self._note(now)
        self._looked = now - self._origin
        self._longest = self._until = inf

    # Called in every turn, of 4 us: together 1.2, most of it trio's calling (measured).
    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        """A turn begins."""
        self._began = perf_counter()

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        """A turn has ended."""
        now = perf_counter()
        if now - self._began > self._longest or now > self._until:
            self._note(now)

    def _note(self, now: float) -> None:
        for slot in range(self._slot(self._began), self._slot(now) + 1):
            self._slots[slot] = max(self._slots[slot], now - self._began)
        self._enter(now)

    def _enter(self, now: float) -> None:
        slot = self._slot(now)
        self._longest = self._slots[slot]
        is_last = slot == len(self._slots) - 1
        self._until = inf if is_last else self._origin + (slot + 1) * self._slot_seconds

    def _slot(self, time: float) -> int:
        return min(int((time - self._origin) / self._slot_seconds), len(self._slots) - 1)
