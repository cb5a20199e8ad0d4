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


class Queue(Protocol):
    """A queue of requests, which go on one after the other."""

    def remove(self, entry: "QueueEntry") -> None:
        """An entry is given up; again does nothing."""


@dataclass(slots=True, eq=False, kw_only=True)
class QueueEntry(Wait):
    """A request in a queue: over when the queue lets it go on, and in it until it is given up."""

    queue: Queue
    key: Hashable = None  # which one of several queues

    def give_up(self) -> None:
        """Leave the queue, done or not: the next one has its turn."""
        self.queue.remove(self)
