"""When a request that takes long gets its interim response ([MS-SMB2] 3.3.4.2).

One task a connection with two queues, instead of a timer a request: to start a task costs more
than a read that misses the cache by a little.  It ends when there has been nothing to do for a
while, since a task takes 2.6 KB, and a connection may be idle for days.
"""

from collections.abc import Awaitable, Callable, Iterable
from math import inf
from typing import Protocol, TypeAlias
from weakref import WeakMethod

import trio

from smbd.request import Reply, Request

Answers: TypeAlias = "list[tuple[Request, Reply]]"

# A request that waits for another client may wait for ever, and its own client must hear so: it
# needs an AsyncId to cancel it.
FOR_OTHERS_AFTER = 0.0005
# Work on files ends by itself.  Clients in the field stumble over the interim response (go-smb2
# takes it for a forgery where signing is required, since it is never signed), and Samba sends none:
# so it is for requests that take longer than any disk that works.  0.1 s was enough for every
# client tried.
FOR_FILES_AFTER = 0.5
_KEPT = 10.0  # seconds without any request
_AT_ONCE = 64  # a client may have 1,000 requests that are due together, 10 us each


class Unseen(Protocol):
    """Requests that C works on."""

    def due(self) -> float | None:
        """When the first one is to be told of, by trio's clock; None if there is none."""

    def take_late(self, most: int) -> Iterable[Request]:
        """Those that are to be told of now, each once."""


class Interims:
    """The requests of one connection that a task works on, until they are answered."""

    def __init__(
        self,
        tell: Callable[[Request, Answers], None],
        start: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        """`tell` sends the interim response, behind what the request's chain has answered.

        `start` makes a task, which may be cancelled with the connection.
        """
        self._start = start
        self._runs = False
        # Weak: its object has this one, and a cycle would wait for the garbage collection.
        self._tell = WeakMethod(tell)
        # In the order in which they are due.
        self._for_others: dict[Request, tuple[float, Answers]] = {}
        self._for_files: dict[Request, tuple[float, Answers]] = {}
        self.unseen: Unseen | None = None
        self._wakes_at = inf  # the task, for the first one that it knew of
        self._earlier = trio.Event()  # set when one is due sooner than that

    def begin(self, request: Request, answers: Answers, *, for_others: bool) -> None:
        """A request is to be told of, unless it ends before; it may wait for others later on."""
        self.end(request)
        queue, delay = self._for_files, FOR_FILES_AFTER
        if for_others:
            queue, delay = self._for_others, FOR_OTHERS_AFTER
        due = trio.current_time() + delay
        queue[request] = due, answers
        self.expect(due)

    def expect(self, due: float) -> None:
        """One is due then, by trio's clock."""
        if due < self._wakes_at:
            self._earlier.set()
        if not self._runs:
            self._runs = True
            self._start(self._run)

    def end(self, request: Request) -> None:
        """It is answered, or never will be."""
        self._for_files.pop(request, None)
        self._for_others.pop(request, None)

    async def _run(self) -> None:
        """Tell the client, whenever it is time to, until there is nothing more to tell."""
        idle = False
        while not idle:
            due = self._due()
            self._wakes_at = trio.current_time() + _KEPT if due is None else due
            self._earlier = trio.Event()
            with trio.move_on_at(self._wakes_at):
                await self._earlier.wait()
            idle = due is None and self._due() is None
            for queue in (self._for_others, self._for_files):
                self._tell_those_due(queue)
            tell = self._tell()
            if self.unseen is not None and tell is not None:
                for request in self.unseen.take_late(_AT_ONCE):
                    tell(request, [])
            del tell
        self._runs = False

    def _due(self) -> float | None:
        """When the first one is due; None if there is none."""
        queues = (self._for_others, self._for_files)
        dues = [next(iter(one.values()))[0] for one in queues if one]
        unseen = None if self.unseen is None else self.unseen.due()
        return min(dues if unseen is None else [*dues, unseen], default=None)

    def _tell_those_due(self, queue: dict[Request, tuple[float, Answers]]) -> None:
        """So many of them that the loop is not kept for long; `run` goes round for the others."""
        now = trio.current_time()
        for _ in range(_AT_ONCE):
            if not queue:
                return
            request, (due, answers) = next(iter(queue.items()))
            if due > now:
                return
            del queue[request]
            tell = self._tell()
            if tell is not None:
                tell(request, answers)
