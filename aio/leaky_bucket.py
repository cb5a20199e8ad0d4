"""How long the loop has waited lately: a leaky bucket, filled with seconds."""

import os

# Seconds that leak in each second: waits that take a smaller share of the time never fill it.
_LEAK = 0.05
_LOOK_AGAIN = 0.02


class LeakyBucket:
    """Single waits may each be too short to notice, and still take all of the loop's time.

    A wait for a processor does not count, and on a busy machine that is most of it: the kernel
    tells how much there was since the last look.  Used by one thread.
    """

    __slots__ = ("_at", "_delayed", "_level", "_look_at")

    def __init__(self) -> None:
        self._level = 0.0
        self._at = 0.0
        self._delayed = 0.0
        self._look_at = 0.0

    def look(self, now: float) -> None:
        """Call it before a call that may wait; it takes 8 us, once in 20 ms."""
        if now >= self._look_at:
            self._delayed = _delayed()
            self._look_at = now + _LOOK_AGAIN

    def add(self, seconds: float, now: float) -> float:
        """Add a call that has just taken so long; the bucket's level, in seconds."""
        before, self._delayed = self._delayed, _delayed()
        waited = max(seconds - (self._delayed - before), 0.0)
        self._level = waited + max(self._level - (now - self._at) * _LEAK, 0.0)
        self._at = now
        return self._level

    def clear(self) -> None:
        """Empty it."""
        self._level = 0.0


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
