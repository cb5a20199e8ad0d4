"""Something that ends later, as state tells of it: state itself never waits."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from smbd.ntstatus import NtStatus


@dataclass(slots=True, eq=False)
class Wait:
    """It is over once, with a status; `wake` is called then, once.

    What waits for it sets `wake` and looks at `over`, in one step: smbd.waiting.until.
    """

    over: bool = False
    status: int = 0  # once it is over: what the request that waits is refused with, if not 0
    wake: Callable[[], None] = lambda: None
    # Other clients end it, or a delay: maybe never.  What the server's own work ends soon is not.
    for_others: bool = True

    def end(self, status: int = 0) -> None:
        """It is over; a second end does nothing."""
        if not self.over:
            self.over, self.status = True, status
            self.wake()

    def give_up(self) -> None:
        """Nothing waits for it any more."""
        self.end(NtStatus.CANCELLED)


class HasPlaces(Protocol):
    """Something that its places come to one after the other."""

    def left(self, place: "Place") -> None:
        """A place is given up; again does nothing."""


@dataclass(slots=True, eq=False, kw_only=True)
class Place(Wait):
    """A place in a queue: over when its turn has come, and kept until it is given up."""

    queue: HasPlaces
    thing: Hashable = None  # which one of several queues

    def give_up(self) -> None:
        """Leave the queue, done or not: the next one has its turn."""
        self.queue.left(self)
