"""When reads are not tried in the loop, or only those known to be cached: after others waited.

Refusing a probe, the kernel submits the read, and where the device's queue is full it waits for
room in it, as long as for the data: the loop stood still for 2 s at a time, with 64 others
reading from a disk of 500 reads a second (measured; io_uring waits there too).  And a hit may wait
for the journal to note its access time (ext4 with relatime: up to 61 ms).
"""

from aio.gate import STALL
from aio.leaky_bucket import LeakyBucket

# A read of 4 KiB from the cache takes 2 to 5 us, of 1 MiB 0.2 ms (measured): a read that took
# longer has slept, or has waited for the GIL that long, which is as bad.
SLEPT = 0.001
# Less is the time that submitting takes, or another thread with the GIL.
SLOW_MISS = 0.0005
# After probes that stalled, alone or together, only data known to be resident is probed, for so
# many times as long; and twice as long again where that ends with the next stall.  It costs a hit
# 1.7 us: it may go on.
_PROBES_AWAY, _AWAY_AT_MOST = 100, 60.0
# After hits that stalled, all goes to workers.
_HITS_AWAY = 20


class Patience:
    """Of one probe."""

    __slots__ = (
        "_hits_away_until",
        "_hits_waited",
        "_misses_waited",
        "_times",
        "away_until",
        "hits",
        "slept",
    )

    def __init__(self) -> None:
        self.away_until = 0.0  # perf_counter's seconds; until then ask `tries`
        self.hits = 0  # those that waited
        self.slept = 0  # refused probes that did
        self._hits_away_until = 0.0
        self._times = _PROBES_AWAY // 2
        self._hits_waited, self._misses_waited = LeakyBucket(), LeakyBucket()

    def tries(self, now: float) -> bool:
        """Whether a read of data known to be resident may be tried."""
        return now >= self._hits_away_until

    def missed(self, took: float, ended: float) -> None:
        """A probe that took so long has found less than all."""
        if took < SLOW_MISS:
            self._misses_waited.look(ended)
            return
        self.slept += took > SLEPT
        waited = self._misses_waited.add(took, ended)
        if waited > STALL:
            self._misses_waited.clear()
            again = ended < self.away_until + _AWAY_AT_MOST
            self._times = 2 * self._times if again else _PROBES_AWAY
            self._away(ended + min(self._times * waited, _AWAY_AT_MOST))

    def hit_waited(self, took: float, ended: float) -> None:
        """A hit took so long, which is longer than `SLEPT`."""
        self.hits += 1
        waited = self._hits_waited.add(took, ended)
        if waited > STALL:
            self._hits_waited.clear()
            self._hits_away_until = ended + _HITS_AWAY * waited
            self._away(self._hits_away_until)

    def _away(self, until: float) -> None:
        self.away_until = max(self.away_until, until)
