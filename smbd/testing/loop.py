"""The trio loop that a server lives in, and the one way from a test into it."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar, TypeVarTuple

import trio

R = TypeVar("R")
Args = TypeVarTuple("Args")


class Loop:
    """The caller's trio loop, or that of a thread of the server's own."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.is_over = False
        self._token = trio.lowlevel.current_trio_token()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs in this very loop."""
        try:
            return trio.lowlevel.current_trio_token() is self._token
        except RuntimeError:
            return False

    def call(self, function: Callable[[*Args], R], *args: *Args) -> R:
        """Call a synchronous function in the loop, and return what it returns.

        From any thread: a test's own loop, if it has one, stands meanwhile.
        """
        if self.is_here:
            return function(*args)
        future: Future[R] = Future()
        self._soon(_call, future, function, *args)
        return future.result()

    def run(self, function: Callable[[*Args], Awaitable[R]], *args: *Args) -> R:
        """Run an async function in the loop, and return what it returns; not from the loop."""
        if self.is_here:
            raise RuntimeError(
                "the server is in this very loop, which would wait for itself: "
                "use astop(), astart(), arestart(), await_for() with await"
            )
        return self._begun(function, *args).result()

    async def arun(self, function: Callable[[*Args], Awaitable[R]], *args: *Args) -> R:
        """The same from a task of any loop, trio's or asyncio's, which goes on meanwhile."""
        if self.is_here:
            return await function(*args)
        future = self._begun(function, *args)
        if in_trio():
            return await trio.to_thread.run_sync(future.result)
        import asyncio  # noqa: PLC0415 -- who is not in trio has it already; others pay nothing

        return await asyncio.wrap_future(future)

    def _begun(self, function: Callable[[*Args], Awaitable[R]], *args: *Args) -> Future[R]:
        future: Future[R] = Future()
        self._soon(self._begin, future, function, *args)
        return future

    def _begin(
        self, future: Future[R], function: Callable[[*Args], Awaitable[R]], *args: *Args
    ) -> None:
        try:
            self.nursery.start_soon(_run, future, function, *args)
        except RuntimeError:  # the nursery is closed
            future.set_exception(_gone())

    def _soon(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError:
            raise _gone() from None


def in_trio() -> bool:
    """Whether the caller is a task of trio."""
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


def _gone() -> RuntimeError:
    return RuntimeError("the server has ended")


def _call(future: Future[R], function: Callable[[*Args], R], *args: *Args) -> None:
    try:
        future.set_result(function(*args))
    except BaseException as error:  # noqa: BLE001 -- it is the caller's
        future.set_exception(error)


async def _run(future: Future[R], function: Callable[[*Args], Awaitable[R]], *args: *Args) -> None:
    try:
        future.set_result(await function(*args))
    except trio.Cancelled:
        future.set_exception(_gone())
        raise
    except BaseException as error:  # noqa: BLE001 -- it is the caller's
        future.set_exception(error)
