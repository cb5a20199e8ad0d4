"""Slows down clients that guess passwords. No lock-out: that would lock out the owner."""

from collections import OrderedDict

from smbd.network import network_of

FREE_FAILURES = 3
"""Typing errors that cost nothing."""

FIRST_DELAY = 0.25
LONGEST_DELAY = 5.0
"""Seconds. Clients wait 30 and more for an answer. The answers of one connection are held back one
after the other, and so a million guesses take two months on each."""

FORGIVENESS = 20.0
"""Seconds after which one failure is forgotten."""

MOST_ADDRESSES = 4096


class LoginThrottle:
    """Failed logins per address, and how long to hold back an answer for them.

    Successes do not clear an address: a client with one password could then guess at another for
    ever. `now` is any clock that does not go back, in seconds. Memory is bounded: of more than
    MOST_ADDRESSES the one that has not failed for longest is forgotten.
    """

    __slots__ = ("_failures", "total")

    def __init__(self) -> None:
        self.total = 0  # failures so far, from anywhere
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def failed(self, address: str, now: float) -> float:
        """Count a failed login and say how long to hold back the answer to it."""
        place = network_of(address)
        self.total += 1
        self._failures[place] = (self._count(place, now) + 1, now)
        self._failures.move_to_end(place)
        if len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
        return self.delay(address, now)

    def delay(self, address: str, now: float) -> float:
        """Seconds to hold back an answer, good or bad, to a login from `address`."""
        excess = self._count(network_of(address), now) - FREE_FAILURES
        if excess <= 0:
            return 0.0
        return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(excess - 1, 16)))

    def _count(self, place: str, now: float) -> float:
        """Failures not yet forgotten; forgets the address when there are none left."""
        failures, then = self._failures.get(place, (0.0, now))
        left = failures - (now - then) / FORGIVENESS
        if left > 0:
            return left
        self._failures.pop(place, None)
        return 0.0
