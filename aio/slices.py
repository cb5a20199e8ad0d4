"""Long work in Python, in a worker: in slices, and other threads run between them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

# Seconds.  A thread that waits for the interpreter gets it after 5 ms by itself; the loop waits for
# it after each system call that it makes.
_SLICE = 0.0005

# There is one interpreter: eight threads that want it get no more done than one, but the loop would
# wait for each of them in turn.
_computing = threading.Lock()


class AbandonedError(Exception):
    """Raised in a worker, by `give_way`: nobody waits for its result any more."""


class _Here(threading.local):
    """Whether a caller waits for this thread's result; None where nobody can tell."""

    abandoned: Callable[[], bool] | None = None


_here = _Here()


@contextmanager
def abandoned_when(abandoned: Callable[[], bool]) -> Iterator[None]:
    """For this block and thread, `give_way` asks `abandoned` whether nobody waits any more."""
    _here.abandoned = abandoned
    try:
        yield
    finally:
        _here.abandoned = None


def give_way() -> None:
    """Let other threads run.  Long work calls it every half millisecond or so.

    In a worker whose caller has been cancelled, by CANCEL or because its connection has ended, it
    raises AbandonedError, once, which becomes Cancelled in the caller.
    """
    if _here.abandoned is not None and _here.abandoned():
        _here.abandoned = None  # code that undoes the work runs to its end
        raise AbandonedError
    time.sleep(0)


def in_slices(work: Callable[[Sequence[T]], object], items: Sequence[T], at_once: int = 8) -> None:
    """Call `work` with all items, `at_once` at a time, and give way in between.

    One thread of the process does so at a time, and rests for half of the time that it works: so
    the loop, which 16 listings with bad patterns kept for 115 ms, finds the interpreter free.
    """
    at = 0
    while at < len(items):
        with _computing:
            began = now = time.perf_counter()
            while at < len(items) and now - began < _SLICE:
                work(items[at : at + at_once])
                at += at_once
                now = time.perf_counter()
            if at < len(items):
                time.sleep((now - began) / 2)
        give_way()
