"""Queues: requests for the same thing are carried out one after the other."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from smbd.state.waits import Place


@dataclass(slots=True)
class Queues:
    """A queue for each thing that requests work on, as long as there are any."""

    _queues: dict[Hashable, deque[Place]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._queues)

    def __contains__(self, thing: Hashable) -> bool:
        return thing in self._queues

    def join(self, thing: Hashable) -> Place:
        """Take the last place; its turn comes when all before it are given up."""
        queue = self._queues.get(thing)
        if queue is None:
            queue = self._queues[thing] = deque()
        place = Place(over=not queue, for_others=False, queue=self, thing=thing)
        queue.append(place)
        return place

    def left(self, place: Place) -> None:
        """For Place.give_up."""
        queue = self._queues.get(place.thing)
        if queue is None or place not in queue:
            return
        queue.remove(place)
        if queue:
            queue[0].end()
        else:
            del self._queues[place.thing]
