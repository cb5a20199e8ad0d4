"""Time that a test makes, and how often the loop has gone round."""

from contextlib import contextmanager

import trio


class Clock:
    """Time that passes only where a test says so."""

    now = 0.0

    def __call__(self):
        return self.now


class Counts(trio.abc.Instrument):
    """Counts the steps of tasks, and the rounds of the loop."""

    steps = rounds = 0

    def before_task_step(self, _task):
        self.steps += 1

    def before_io_wait(self, _timeout):
        self.rounds += 1


@contextmanager
def counted():
    """Count them in this block."""
    counts = Counts()
    trio.lowlevel.add_instrument(counts)
    try:
        yield counts
    finally:
        trio.lowlevel.remove_instrument(counts)
