"""How long the loop has waited lately: a sum that time pays back."""

import os

# Of the time that passes: a loop that waits less than this share of it is let be.
_PAID_BACK = 0.05
_LOOK_AGAIN = 0.02


class Waits:
    """Single waits may each be too short to notice, and still take all of the loop's time.

    Waiting for a processor is not counted, which on a busy machine is most of it: the kernel tells
    how much there was since the last look.  Used by one thread.
    """

    __slots__ = ("_at", "_delayed", "_look_at", "_owed")

    def __init__(self) -> None:
        self._owed = 0.0
        self._at = 0.0
        self._delayed = 0.0
        self._look_at = 0.0

    def look(self, now: float) -> None:
        """Before what may wait; 8 us, once in 20 ms."""
        if now >= self._look_at:
            self._delayed = _delayed()
            self._look_at = now + _LOOK_AGAIN

    def add(self, seconds: float, now: float) -> float:
        """Add what has just taken so long; the sum, in seconds."""
        before, self._delayed = self._delayed, _delayed()
        waited = max(seconds - (self._delayed - before), 0.0)
        self._owed = waited + max(self._owed - (now - self._at) * _PAID_BACK, 0.0)
        self._at = now
        return self._owed

    def clear(self) -> None:
        """Something has been done about them."""
        self._owed = 0.0


def _delayed() -> float:
    """How long the calling thread has been ready to run and had no processor, in seconds."""
    try:
        fd = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0.0
    try:
        return int(os.read(fd, 100).split()[1]) / 1e9
    finally:
        os.close(fd)
