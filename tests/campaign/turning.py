"""The program that a campaign serves with: smbd, its loop's turns written down.

`python -m tests.campaign.turning FOLDER serve ...` is `smbd serve ...`, and each turn of the loop
that takes longer than a millisecond becomes a line of FOLDER/turns: milliseconds, and the task
that took most of it.  FOLDER/tasks is how many tasks there are, in eight bytes, but for those of
engines, which begin when an engine is first used, and stay.  What the turn waited for a processor
(`run_delay` of /proc/PID/schedstat) is other programs' doing and is taken off.  Waiting for the GIL
is not: the server's own threads hold it.  What a connection is answered where the loop would wait
(smbd.standby) is a turn of its own; but not a burst of a conversation in C, which ends as soon as
the loop has something to do.
"""

import os
import sys
from collections.abc import Callable
from mmap import mmap
from time import perf_counter

import trio
from trio.abc import Instrument

from smbd.cli import main
from smbd.transport import Transport

_WORTH_A_LINE = 0.001  # seconds


class Turns(Instrument):
    """Writes down long turns, and counts tasks."""

    def __init__(self, folder: str) -> None:
        self._out = os.open(f"{folder}/turns", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        tasks = os.open(f"{folder}/tasks", os.O_RDWR | os.O_CREAT, 0o600)
        os.truncate(tasks, 8)
        self._tasks = memoryview(mmap(tasks, 8)).cast("q")
        self._delays = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._began = self._step_began = perf_counter()
        self._delayed = self._delay()
        self._longest = 0.0
        self._task = ""

    def _delay(self) -> float:
        """For how many seconds this thread has waited for a processor until now."""
        return int(os.pread(self._delays, 100, 0).split()[1]) / 1e9

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        """A turn begins."""
        self._delayed = self._delay()
        self._began = perf_counter()
        self._longest = 0.0

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """One more."""
        self._tasks[0] += not _is_of_an_engine(task)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """One less."""
        self._tasks[0] -= not _is_of_an_engine(task)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002
        """A task's part of the turn begins."""
        self._step_began = perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """It has ended."""
        took = perf_counter() - self._step_began
        if took > self._longest:
            self._longest, self._task = took, task.name

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        """A turn has ended."""
        self._ended()

    def prompt(self, answer: Callable[[Transport], bool]) -> Callable[[Transport], bool]:
        """`Transport.answer_promptly`, which is a turn."""

        def timed(transport: Transport) -> bool:
            self.after_io_wait(0.0)
            self._task = "standby"
            try:
                return answer(transport)
            finally:
                self._ended()

        return timed

    def _ended(self) -> None:
        took = perf_counter() - self._began
        if took < _WORTH_A_LINE:
            return
        took -= self._delay() - self._delayed
        os.write(self._out, f"{took * 1000:.2f} {self._task.replace(' ', '')}\n".encode())


def _is_of_an_engine(task: trio.lowlevel.Task) -> bool:
    return task.name.startswith("aio ")  # aio.ring and aio.jobs name theirs so


def run(arguments: list[str]) -> int:
    """Run the command line with the instrument in its loop."""
    folder, *rest = arguments
    plain = trio.run

    def watched(function, *args):
        turns = Turns(folder)
        Transport.answer_promptly = turns.prompt(Transport.answer_promptly)  # type: ignore[method-assign]
        return plain(function, *args, instruments=[turns])

    trio.run = watched  # type: ignore[assignment]
    return main(rest)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
