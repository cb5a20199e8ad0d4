"""Queues: requests for the same key are carried out one after the other."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from smbd.state.waits import QueueEntry


@dataclass(slots=True)
class Queues:
    """A queue for each key that requests work on, as long as there are any."""

    _queues: dict[Hashable, deque[QueueEntry]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._queues)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._queues

    def join(self, key: Hashable) -> QueueEntry:
        """Queue a request, which goes on when all before it are given up."""
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
        entry = QueueEntry(over=not queue, for_others=False, queue=self, key=key)
        queue.append(entry)
        return entry

    def remove(self, entry: QueueEntry) -> None:
        """For QueueEntry.give_up."""
        queue = self._queues.get(entry.key)
        if queue is None or entry not in queue:
            return
        queue.remove(entry)
        if queue:
            queue[0].end()
        else:
            del self._queues[entry.key]
