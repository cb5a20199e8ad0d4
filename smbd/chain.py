"""The requests of one frame that a task carries out, and what is done for each of them."""

from dataclasses import dataclass, field
from typing import Protocol

import trio

from smbd.request import Reply, Request
from smbd.state import Wait
from smbd.turns import Turn


class Pipeline(Protocol):
    """The dispatch of the connection."""

    def wait(self, chain: "Chain", request: Request, wait: Wait) -> None:
        """A request goes on when others let it, maybe never."""

    def hold(self, chain: "Chain", request: Request, *, tell: bool) -> None:
        """An observer holds a request back: an interim response leaves now, or none."""

    def go_on(self, chain: "Chain", request: Request) -> None:
        """A request that was held back is carried out as any other."""


@dataclass(slots=True, eq=False)
class Chain:
    """The requests of one frame, which a task carries out one after the other.

    `flight` is how many bytes of memory it needs that go away by themselves, `held` of those that
    may stay for ever.
    """

    requests: list[Request]
    answers: list[tuple[Request, Reply]]
    flight: int
    turn: Turn
    held: int = 0

    def may_tell(self, request: Request, *, for_others: bool = False) -> bool:
        """Whether a request may have an interim response, and has had none.

        In the middle of a chain it tears the frame apart: clients expect that of a CREATE alone
        that waits for others.
        """
        row, last = request.row, request is self.requests[-1]
        may = last or (for_others and row.async_in_compound)
        return may and not (row.never_async or request.async_id)


@dataclass(slots=True, eq=False)
class ChainWork:
    """What a task does for one request of a chain."""

    pipeline: Pipeline
    chain: Chain
    request: Request
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def wait(self, wait: Wait) -> None:
        """It goes on when others let it, maybe never."""
        self.pipeline.wait(self.chain, self.request, wait)

    def hold(self, *, tell: bool) -> None:
        """An observer holds it back: an interim response leaves now, or none until `go_on`."""
        self.pipeline.hold(self.chain, self.request, tell=tell)

    def go_on(self) -> None:
        """It is carried out as any other."""
        self.pipeline.go_on(self.chain, self.request)

    def cancel(self) -> None:
        """No answer is wanted any more.

        CANCELLED says that nothing was done.  What changes something that stays is carried out,
        and answered, as if no CANCEL had come ([MS-SMB2] 3.3.5.16 leaves the choice).
        """
        if not self.request.row.changes:
            self.scope.cancel()
