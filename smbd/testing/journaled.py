"""What a test's server has been asked: `server.requests`, `server.wait_for`, `server.capture`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import trio

from smbd.server import Server
from smbd.testing.loop import Loop

if TYPE_CHECKING:  # most tests want none of it
    from smbd.journal import Capture, Entries, Entry, Journal

_TIMEOUT = 10.0  # seconds


class TestCapture:
    """A capture that runs: `stop` it, or use it as a context manager."""

    __test__ = False

    def __init__(self, capture: "Capture", end: "Callable[[Capture], None]") -> None:
        self.path, self.keys_path = capture.path, capture.keys_path
        self._capture, self._end = capture, end

    def stop(self) -> None:
        """Write the rest; a second call does nothing."""
        self._end(self._capture)
        self._capture.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Journaled:
    """A test's server that tells what it was asked, over its stops and starts."""

    def __init__(self, journal: bool | int, loop: Loop) -> None:
        """`journal`: none, one of the usual bound, or one of so many entries."""
        self._journal_loop = loop
        self._journal: Journal | None = None
        self._captures: list[Capture] = []
        self._news = trio.lowlevel.ParkingLot()
        if journal:
            self._journal = _new(journal, self._take)

    def _take(self, _entry: "Entry") -> None:
        self._news.unpark_all()

    def _observe(self, server: Server) -> None:
        """The hook at each start."""
        if self._journal is not None:
            server.observe(self._journal)
        for capture in self._captures:
            _attach(capture, server)

    @property
    def requests(self) -> "Entries":
        """What it was asked and has answered, the latest last; of each client in its order.

        RuntimeError without the option `journal`: it costs time.
        """
        return self._journal_loop.call(lambda: self._the_journal().entries)

    def clear_requests(self) -> None:
        """Forget them: what is asked from now on counts."""
        self._journal_loop.call(self._the_journal().clear)

    def wait_for(self, *, timeout: float = _TIMEOUT, **wanted: Any) -> "Entry":
        """Wait until a request with all that is wanted was answered, and return the first of them.

        One that is in `requests` already is enough: `wait_for(command="CLOSE", path="a.txt")`.
        Raises TimeoutError (it shows the latest requests) and TypeError for what no entry has.
        From a task of trio or asyncio: `await server.await_for(...)`.
        """
        return self._journal_loop.run(self._until, _checked(wanted), timeout)

    async def await_for(self, *, timeout: float = _TIMEOUT, **wanted: Any) -> "Entry":  # noqa: ASYNC109
        """`wait_for` for tasks of trio and asyncio."""
        return await self._journal_loop.arun(self._until, _checked(wanted), timeout)

    async def _until(self, wanted: Mapping[str, Any], timeout: float) -> "Entry":  # noqa: ASYNC109
        journal, seen = self._the_journal(), 0
        with trio.move_on_after(timeout):
            while True:
                for entry in journal.entries:
                    if entry.number > seen and entry.matches(wanted):
                        return entry
                    seen = max(seen, entry.number)
                await self._news.park()
        said = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
        latest = f"{journal.entries[-20:]!r}" or "none"
        raise TimeoutError(f"no request with {said} within {timeout} s; the latest ones:\n{latest}")

    def _the_journal(self) -> "Journal":
        if self._journal is None:
            raise RuntimeError("this server keeps no journal: make it with journal=True")
        return self._journal

    def capture(self, path: str | Path) -> TestCapture:
        """Write all frames to a pcap file, and keys beside it, until `stop` or the block's end.

        Sealed ones can be read of sessions that log in meanwhile: smbd.journal.Capture says how.
        """
        from smbd.journal import Capture  # noqa: PLC0415 -- for those who ask

        capture = Capture(Path(path), self.host)
        self._journal_loop.call(self._begin_capture, capture)
        return TestCapture(capture, self._stop_capture)

    def _begin_capture(self, capture: "Capture") -> None:
        self._captures.append(capture)
        if self._running is not None:
            _attach(capture, self._running)

    def _stop_capture(self, capture: "Capture") -> None:
        self._journal_loop.call(self._end_capture, capture)

    def _end_capture(self, capture: "Capture") -> None:
        if capture in self._captures:
            self._captures.remove(capture)
            if self._running is not None:
                self._running.unobserve(capture)
                self._running.service.note_keys.remove(capture.note_keys)

    @property
    def host(self) -> str:
        """The address to connect to."""
        raise NotImplementedError

    @property
    def _running(self) -> Server | None:
        """The server, while it runs."""
        raise NotImplementedError


def _new(journal: bool | int, take: "Callable[[Entry], None]") -> "Journal":
    from smbd.journal.journal import MOST, Journal  # noqa: PLC0415 -- for those who ask

    return Journal(MOST if journal is True else journal, take)


def _checked(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    from smbd.journal.entry import checked  # noqa: PLC0415 -- for those who ask

    return checked(wanted)


def _attach(capture: "Capture", server: Server) -> None:
    server.observe(capture)
    server.service.note_keys.append(capture.note_keys)
