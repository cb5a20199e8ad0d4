"""Message ids and credits of one connection: which ids may still come, how many more to grant.

[MS-SMB2] 3.3.1.1 and 3.3.1.2.  Credits are the right to use message ids: the window is
[low, high) less the ids in it that were used already.  Ids mostly come in order, so the common
case moves `low` and touches no set.
"""

from collections.abc import Sequence

from smbd.ntstatus import ProtocolError


class CommandSequenceWindow:
    """The message ids that the client may use next.

    `maximum` bounds the span from the lowest id not yet used to the highest granted, not the
    count of credits: a client that skips one id and goes on using others would otherwise make
    the set of used ids grow for ever.  Samba bounds the same span, and its tests count on it.
    """

    __slots__ = ("_used", "high", "low", "maximum")

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.low = 0
        self.high = 1  # a client starts with one credit: message id 0
        self._used: set[int] = set()

    @property
    def is_in_order(self) -> bool:
        """Whether no id beyond `low` was used."""
        return not self._used

    @property
    def used(self) -> int:
        """Ids beyond `low` that were used."""
        return len(self._used)

    @property
    def available(self) -> int:
        """Credits that the client holds and has not spent."""
        return self.high - self.low - len(self._used)

    def has(self, message_id: int, charge: int) -> bool:
        """Whether `take` would raise nothing."""
        end = message_id + (charge or 1)
        if message_id < self.low or end > self.high:
            return False
        return not self._used or self._used.isdisjoint(range(message_id, end))

    def take(self, message_id: int, charge: int) -> None:
        """Spend `charge` consecutive ids; ProtocolError if one was never granted or is used."""
        end = message_id + (charge or 1)  # 2.0.2 and single-credit requests may say 0
        if message_id < self.low or end > self.high:
            raise ProtocolError(f"message id {message_id} (+{charge}) was not granted")
        used = self._used
        if message_id == self.low and not used:
            self.low = end
            return
        ids = range(message_id, end)
        if not used.isdisjoint(ids):
            raise ProtocolError(f"message id {message_id} (+{charge}) came twice")
        used.update(ids)
        while self.low in used:
            used.remove(self.low)
            self.low += 1

    def grant(self, requested: int) -> int:
        """Credits to put into a response whose request asked for `requested`.

        As many as asked for within the bound; and never so few that the client could not send
        another request at all ([MS-SMB2] 3.3.1.2).
        """
        granted = min(requested, self.maximum - (self.high - self.low))
        if granted <= 0:
            granted = 0 if self.available else 1
        self.high += granted
        return granted

    def grant_each(self, requested: tuple[int, ...]) -> Sequence[int]:
        """The same for the responses of one compound."""
        total = sum(requested)
        if total and total <= self.maximum - (self.high - self.low):
            self.high += total
            return requested
        return [self.grant(one) for one in requested]
