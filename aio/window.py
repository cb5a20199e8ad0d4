"""How many requests are given to the kernel's queue at once: as many as the device takes gladly.

Where the device's own queue is full, a submission waits for room in it, and the loop with it:
three quarters of the time on a disk of 500 reads a second with room for four, 2 ms at a time
(measured, io_uring).  So the rest stays in user space.  As TCP does it: double while nothing is
wrong, halve when a submission has waited, then one more a round.
"""

_FIRST = 4
_WAIT, _WAIT_A_BYTE = (
    0.001,
    0.5e-9,
)  # a submission that takes so long has waited, and not only copied
# Meanwhile the kernel's threads submit, where there are any: they may wait.
_ASIDE, _ASIDE_AT_MOST = 100, 10.0


class Unbounded:
    """Of a queue whose submissions wait for no device: all that it has room for."""

    __slots__ = ("size",)
    aside_until = 0.0

    def __init__(self, depth: int) -> None:
        self.size = depth

    def submitted(self, seconds: float, length: int, now: float) -> None:
        """It was slow for want of a processor, if it was."""

    def completed(self, count: int) -> None:
        """There is room for so many more."""


class Window:
    """Of one queue."""

    __slots__ = ("_completed", "_depth", "_grows_fast", "aside_until", "size")

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self.size = min(depth, _FIRST)  # requests in flight at most
        self.aside_until = 0.0  # perf_counter's seconds
        self._completed = 0  # of this round
        self._grows_fast = True

    def submitted(self, seconds: float, length: int, now: float) -> None:
        """A submission of so many bytes took so long."""
        if seconds < _WAIT + length * _WAIT_A_BYTE:
            return
        self.size = max(self.size // 2, 1)
        self._completed = 0
        self._grows_fast = False
        self.aside_until = now + min(_ASIDE * seconds, _ASIDE_AT_MOST)

    def completed(self, count: int) -> None:
        """So many requests have come back."""
        if self.size == self._depth:
            return
        self._completed += count
        if self._completed >= self.size:
            self._completed = 0
            self.size = min(2 * self.size if self._grows_fast else self.size + 1, self._depth)
