"""Something that ends later, as state tells of it: state itself never waits."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from smbd.ntstatus import NtStatus


@dataclass(slots=True, eq=False)
class Wait:
    """Something to wait for: over once, with a status, and `wake` is called then, once.

    smbd.waiting.until awaits it: it looks at `over` and sets `wake` in one step.
    """

    over: bool = False
    status: int = 0  # once it is over: what the request that waits is refused with, if not 0
    wake: Callable[[], None] = lambda: None
    # Other clients end it, or a delay: maybe never.  What the server's own work ends soon is not.
    for_others: bool = True

    def end(self, status: int = 0) -> None:
        """End it, with the status that refuses the request, or 0; a second call does nothing."""
        if not self.over:
            self.over, self.status = True, status
            self.wake()

    def give_up(self) -> None:
        """End it as CANCELLED: no request waits for it any more."""
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
