"""One worker after the other gives a file's streams names: a name is looked for, and then taken.

Extended attributes have no O_EXCL in two spellings, and a file may have several names: no queue of
its paths keeps two workers apart.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()  # held for no system call
_turns: "dict[tuple[int, int], _Turn]" = {}  # by the file's identity, for as long as it has users


class _Turn:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


@contextmanager
def in_turn(identity: tuple[int, int]) -> Iterator[None]:
    """A block that only one thread at a time is in, for each file.  Blocks."""
    with _lock:
        turn = _turns.setdefault(identity, _Turn())
        turn.users += 1
    try:
        with turn.lock:
            yield
    finally:
        with _lock:
            turn.users -= 1
            if not turn.users:
                del _turns[identity]
