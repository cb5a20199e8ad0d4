"""Changes of which it is not known yet whether the server itself has made them.

inotify does not say.  What the server does is in the queue of events before it is reported, so the
report takes its own events out of here; one that no report claims in time was another process's.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from smbd.wire.change_notify import FileAction

# Seconds.  A worker has done its part when the event comes, and the report waits for the loop.
PATIENCE = 0.1


class Told(NamedTuple):
    """What the watchers of a path on disk are to be told: ChangeNotifyList.tell."""

    action: int
    where: str
    changed: int
    unless: int = 0


@dataclass(slots=True)
class Aside:
    """Events that wait for a report of the server's own, in the order in which they came."""

    _waiting: deque[tuple[float, Told]] = field(default_factory=deque)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def next(self) -> float | None:
        """When the first is due."""
        return self._waiting[0][0] if self._waiting else None

    def put(self, told: Told, due: float) -> None:
        """Keep an event until `due`, in seconds of the server's clock."""
        self._waiting.append((due, told))

    def ours(self, action: int, where: str) -> list[Told]:
        """The server reports a change: the last event of the kind was its own.

        What happened to the same name before is to be told first, in its order.  Several changes of
        data or attributes may be one event, and one change several events: the report, which comes
        after all of them, tells of them all.
        """
        last, before = -1, list[Told]()
        if action != FileAction.MODIFIED:
            same = [told.where == where and told.action == action for _, told in self._waiting]
            last = max((at for at, one in enumerate(same) if one), default=-1)
        left: deque[tuple[float, Told]] = deque()
        for at, (due, told) in enumerate(self._waiting):
            if told.where != where or (told.action != FileAction.MODIFIED and at > last):
                left.append((due, told))
            elif told.action != FileAction.MODIFIED and at < last:
                before.append(told)
        self._waiting = left
        return before

    def pop(self, now: float) -> Iterator[Told]:
        """Give out, and forget, the events that no report has claimed by `now`."""
        while self._waiting and self._waiting[0][0] <= now:
            yield self._waiting.popleft()[1]

    def clear(self) -> None:
        """Forget all events."""
        self._waiting.clear()
