"""A request of a frame of its own that goes on without a task: its share's engine works on it.

A task costs more than a READ of 4 KiB that misses the page cache by a little: parked, scheduled
again and with a scope for CANCEL it took 20 us of 300 (measured).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from aio.base import Begun
from smbd.ntstatus import NtStatus
from smbd.request import Reply, Request, Transfer
from smbd.state import Wait

T = TypeVar("T")


class Pipeline(Protocol):
    """The dispatch of the connection."""

    def settle(self, request: Request, step: Callable[..., T], *args: object) -> T | Reply:
        """The result of a step, or the error response that stands for what it raised."""

    def transferred(self, alone: "Alone", reply: Reply) -> None:
        """Its request is answered so; raises nothing."""


@dataclass(slots=True, eq=False)
class Alone:
    """What is done for one request; `size` is how many bytes of memory that needs."""

    pipeline: Pipeline
    request: Request
    transfer: Transfer
    size: int
    begun: Begun | None = None
    cancelled: bool = False

    def wait(self, wait: Wait) -> None:
        """Never: an engine waits for no other client."""
        raise AssertionError(wait)

    def hold(self, *, tell: bool) -> None:
        """Never: what an observer holds back has a task."""
        raise AssertionError(tell)

    def go_on(self) -> None:
        """Never, either."""
        raise AssertionError

    def cancel(self) -> None:
        """No answer is wanted any more; it comes when the engine is ready."""
        if not self.request.row.changes:
            self.cancelled = True
            if self.begun is not None:
                self.begun.withdraw()

    def done(self, count: int, error: BaseException | None) -> None:
        """The engine is ready."""
        pipeline, request = self.pipeline, self.request
        self.begun = None  # which leads back here
        if self.cancelled:
            reply = Reply.of_error(NtStatus.CANCELLED)
        else:
            reply = pipeline.settle(request, self.transfer.finish, request, count, error)
            if error is not None:
                error.__traceback__ = None  # it leads to all the frames that have it: a cycle
        pipeline.transferred(self, reply)
