"""Starts threads away from the event loop: the caller of `start` waits until the thread runs.

Where all processors are busy that took 83 ms (measured), and the loop stood for as long.
"""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

_PAUSE, _PATIENCE = 0.1, 1.0  # seconds

_tasks: SimpleQueue[Callable[[], object]] = SimpleQueue()
_starter: threading.Thread | None = None


def start_elsewhere(thread: threading.Thread, give_up: Callable[[threading.Thread], bool]) -> None:
    """Start it soon.  If that fails, try again until `give_up(thread)` is true."""

    def start() -> None:
        while True:
            try:
                thread.start()
            except RuntimeError:  # the limit of threads or of memory
                if give_up(thread):
                    return
                time.sleep(_PAUSE)
            else:
                return

    if _has_starter():
        _tasks.put(start)
    else:
        start()


def settle() -> None:
    """Return when every thread is started that can be."""
    if _starter is not None:
        settled = threading.Event()
        _tasks.put(settled.set)
        settled.wait(_PATIENCE)


def _has_starter() -> bool:
    """Called by one event loop at a time."""
    global _starter  # noqa: PLW0603 -- one of the process
    if _starter is None:
        starter = threading.Thread(target=_work, name="aio-starter", daemon=True)
        try:
            starter.start()
        except RuntimeError:
            return False
        _starter = starter
    return True


def _work() -> None:
    while True:
        _tasks.get()()
