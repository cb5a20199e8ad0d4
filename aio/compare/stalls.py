"""How long the event loop stands still."""

from math import inf
from time import perf_counter

from trio.abc import Instrument


class LoopIterations(Instrument):
    """The longest iteration of a trio loop, in each of some equal parts of a run.

    An iteration lasts from one wait for I/O to the next: until it ends, no other task runs.
    One delay is not seen: a loop that epoll has woken still needs the GIL, and as long as a thread
    keeps that, it seems to wait.  Latencies contain that delay.
    """

    def __init__(self, seconds: float, slots: int) -> None:
        """It looks only between `resume` and `pause`, for so many seconds altogether.

        Any longer time belongs to the last part.
        """
        self._slots = [0.0] * slots
        self._slot_seconds = seconds / slots
        self._began = 0.0  # the iteration
        self._origin = 0.0  # when it would have begun to look, had there been no pause
        self._looked = 0.0  # seconds, until the last pause
        # The slot's longest iteration and its end; infinite in a pause.
        self._longest = self._until = inf

    @property
    def slots(self) -> tuple[float, ...]:
        """Seconds; an iteration counts in each part that it reaches into."""
        return tuple(self._slots)

    def resume(self) -> None:
        """An iteration begins here."""
        self._began = perf_counter()
        self._origin = self._began - self._looked
        self._enter(self._began)

    def pause(self) -> None:
        """And ends here."""
        now = perf_counter()
        self._note(now)
        self._looked = now - self._origin
        self._longest = self._until = inf

    # Called in every iteration, of 4 us: together 1.2, most of it trio's calling (measured).
    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        """An iteration begins."""
        self._began = perf_counter()

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        """An iteration has ended."""
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
