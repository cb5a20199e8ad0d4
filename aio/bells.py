"""What tasks of a loop wait for, for one who waits before the loop does (smbd.standby).

To wake a task takes the loop some 900 of Python's instructions.  Whoever waits for the same
descriptors can act in the task's place: then nothing is left that would wake it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Bells:
    """The descriptors that tasks of one loop wait for, and what they do when one is readable."""

    __slots__ = ("by_fd", "changes")

    def __init__(self) -> None:
        self.by_fd: dict[int, Callable[[], None]] = {}
        self.changes = 0  # how often `by_fd` has become another

    @contextmanager
    def told(self, fd: int, act: Callable[[], None]) -> Iterator[None]:
        """A task waits for `fd` as long as the block lasts.

        `act` may be called when it is readable, in the task's place, and makes it unreadable.
        """
        self.by_fd[fd] = act
        self.changes += 1
        try:
            yield
        finally:
            self.changes += 1
            del self.by_fd[fd]


class _Here(threading.local):
    def __init__(self) -> None:
        self.bells = Bells()


_here = _Here()


def bells_here() -> Bells:
    """Those of the loop in this thread."""
    return _here.bells
