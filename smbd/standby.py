"""A client that asks one thing after the other is answered beside trio's loop, not by way of it.

To wake one task takes the loop some 900 of Python's instructions, and the answer to a READ or a
stat takes as many.  So before the loop waits, it waits here: for the one socket that has been busy
alone, and for whatever the loop itself waits for.  What comes on that socket is answered at once,
if that needs no task.  All else is left in the socket, where the loop finds it.  What threads have
done meanwhile (a FLUSH, a READ that has missed the page cache) is taken from them here as well.
"""

import select
from contextlib import suppress
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Protocol

import trio

from aio.bells import bells_here

# A conversation in C begins behind so many bursts that were all plain.  If it ends before it has
# had a few, the client is not alone: then it takes twice as many, up to the most.
_ENOUGH, _FEW, _MOST_ENOUGH = 2, 8, 64


class Habit:
    """What the bursts of one connection are, the last ones."""

    __slots__ = ("_enough", "_plainly", "is_plain")

    def __init__(self) -> None:
        self._plainly = 0  # so many were all plain (smbd.plain)
        self._enough = _ENOUGH
        self.is_plain = False  # the next ones may be a conversation

    def burst(self, *, plain: bool) -> None:
        """There was one more."""
        self._plainly = self._plainly + 1 if plain else 0
        self.is_plain = self._plainly >= self._enough

    def conversed(self, bursts: int) -> None:
        """A conversation of so many has ended."""
        if bursts >= _FEW:
            self._enough = _ENOUGH
            return
        self._plainly, self.is_plain = 0, False
        self._enough = min(2 * self._enough, _MOST_ENOUGH)


class Prompt(Protocol):
    """A connection that can answer some requests without its task."""

    @property
    def fileno(self) -> int:
        """Its socket, which its task waits for."""

    def converse(self, loop: int, until: float) -> bool | None:
        """Wait and answer in C, until that time at most; whether the loop has something to do.

        None: neither was done.  One frame behind those of C may be answered as below.
        """

    def answer_promptly(self) -> bool:
        """Answer what has come; False: nothing was done, or not all of it.

        It calls `Standby.answers` in between.
        """


class Standby(trio.abc.Instrument):
    """Waits before trio does.  `loop` is the descriptor by which that waits: its epoll."""

    def __init__(self, loop: int) -> None:
        self.loop = loop
        self._scheduled = False  # a task, since it was asked last
        self.runnable = 0  # so many tasks can go on, beside the one that runs
        self._others_wait = False  # as the last answer was about to leave
        self._looked = False  # at the others, since the last bells rang
        self._token = trio.lowlevel.current_trio_token()
        self._last: Prompt | None = None  # whose burst was the last one, if it was such a one
        self._alone: Prompt | None = None  # the same, if the one before was its too
        self._both, self._others = select.poll(), select.poll()
        self._bells = bells_here()
        self._heard: tuple[int, ...] = ()  # the bells that `_both` has ...
        self._changes = 0  # ... as of then
        self._both.register(loop, select.POLLIN)
        self._others.register(loop, select.POLLIN)

    def rests(self, prompt: Prompt, *, alone: bool) -> None:
        """A connection is about to wait; `alone`: it has had one frame, and needed no task."""
        self._alone = prompt if alone and prompt is self._last else None
        self._last = prompt if alone else None

    def ended(self, prompt: Prompt) -> None:
        """A connection waits no more."""
        if prompt is self._last:
            self._last = self._alone = None

    def answers(self) -> None:
        """A connection has taken a request out of its socket, and the answer has not left yet.

        Its client asks no more until then, so whatever the loop has to do now is others'.  Later
        nobody can tell: on a busy machine the next request is there before sendmsg returns.  A
        CHANGE_NOTIFY that came ahead of a client's six requests was registered behind all of them,
        and told nothing of their changes (smb2.notify.basedir, one run in seven).
        """
        self._others_wait, self._looked = self.others_wait, True

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was there for the loop as the last answer was about to leave."""
        return not (self._others_wait or self._scheduled)

    @property
    def others_wait(self) -> bool:
        """Whether the kernel has something for the loop, while a task runs."""
        return bool(self._others.poll(0))

    def task_scheduled(self, _task: trio.lowlevel.Task) -> None:
        """trio: a task may go on."""
        self._scheduled = True
        self.runnable += 1

    def before_task_step(self, _task: trio.lowlevel.Task) -> None:
        """trio: it does."""
        self.runnable -= 1

    def before_io_wait(self, timeout: float) -> None:
        """trio: all tasks wait, the first of them for so many seconds."""
        if timeout <= 0:
            return
        self.runnable = 0  # some may have been there before this one looked
        prompt = self._alone
        if prompt is None:
            return
        if self._changes != self._bells.changes:
            self._hear()
        sock = prompt.fileno
        self._scheduled = False
        self._both.register(sock, select.POLLIN)
        try:
            self._wait(prompt, sock, monotonic() + timeout)
        finally:
            self._both.unregister(sock)
        if self._scheduled:  # the loop does not know of it
            self._wake()

    def _hear(self) -> None:
        """Wait for the bells that there are."""
        for fd in self._heard:
            self._both.unregister(fd)
        self._heard, self._changes = tuple(self._bells.by_fd), self._bells.changes
        for fd in self._heard:
            self._both.register(fd, select.POLLIN)

    def _wait(self, prompt: Prompt, sock: int, until: float) -> None:
        """Return once the loop has something to do, and finds it."""
        while not self._scheduled:
            left = until - monotonic()
            self._others_wait = False
            talked = prompt.converse(self.loop, until) if left > 0 else None
            if talked and monotonic() < until and not self._act_for_bells():
                return
            if talked is not None:
                if self._others_wait:
                    return
                continue
            ready = self._both.poll(ceil(left * 1000)) if left > 0 else []
            if not ready:
                self._wake()  # the loop would wait for all of the time once more
                return
            # The loop waits for the same ones: both are ready together.
            self._others_wait = False
            if any(fd == sock for fd, _ in ready):
                goes_on = prompt.answer_promptly()
                if not goes_on:
                    self._last = self._alone = None
            else:
                goes_on = self._act(ready)
            if not goes_on or self._others_wait:
                return

    def _act(self, ready: list[tuple[int, int]]) -> bool:
        """Act for tasks whose bells are among what is ready; whether the loop has no more to do."""
        acts = [self._bells.by_fd[fd] for fd, _ in ready if fd in self._heard]
        if not acts:
            return False
        self._looked = False
        for act in acts:
            act()
        if not self._looked:
            self.answers()
        return not self._others_wait

    def _act_for_bells(self) -> bool:
        """The same behind a conversation, of which the loop knows that something is ready."""
        return bool(self._heard) and not self._scheduled and self._act(self._both.poll(0))

    def _wake(self) -> None:
        self._token.run_sync_soon(_nothing, idempotent=True)


def _nothing() -> None:
    """Wake the loop."""


def stand_by() -> Standby | None:
    """Have it stand by in this loop from now on; None where the loop's epoll cannot be told."""
    loops = [fd for fd in Path("/proc/self/fd").iterdir() if _is_epoll(fd)]
    if len(loops) != 1:
        return None
    standby = Standby(int(loops[0].name))
    trio.lowlevel.add_instrument(standby)
    return standby


def _is_epoll(fd: Path) -> bool:
    with suppress(OSError):
        return str(fd.readlink()) == "anon_inode:[eventpoll]"
    return False
