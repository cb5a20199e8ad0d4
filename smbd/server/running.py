"""The server as a process: signals, descriptors, and an end that is sure to come."""

import gc
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, TypeAlias

import trio

from smbd.config import Address, Config
from smbd.events import about
from smbd.server import descriptors, systemd
from smbd.server.server import Server
from smbd.server.serving import serving
from smbd.standby import stand_by
from smbd.wall import behind_wall, wall

_log = logging.getLogger("smbd")

# Seconds from the signal to the end, whatever clients and disks do: Docker kills after ten.
_END_SECONDS = 9.0
_SAME_SIGNAL_SECONDS = 0.5
_FULL = 2  # the oldest generation
# The usual ones but for the last: a full collection after some 40,000 new objects, 5 ms.
_GC_THRESHOLDS = (700, 10, 5)

_Reload: TypeAlias = Callable[[Server], Awaitable[None]]


def run(
    config: Config,
    *,
    started: Callable[[Sequence[Address]], None],
    stopped: Callable[[dict[str, Any]], None],
    reread: Callable[[], Config] | None = None,
    reloaded: Callable[[], None] | None = None,
    begun: Callable[[Server], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM; `stopped` gets the last status document.

    `begun` gets the server before a client can be answered.

    SIGHUP has the configuration of `reread` served from then on, and then calls `reloaded`.
    Without `reread` it ends the server like the others: it comes from a terminal that was closed.
    """
    # The first client that opens a pipe would have the loop wait for its import, 10 ms.
    import smbd.rpc  # noqa: F401, PLC0415 -- servers of tests do without it

    descriptors.raise_limit()
    descriptors.make_table()
    reload = None if reread is None else partial(_reload, reread=reread, reloaded=reloaded)
    trio.run(_run, config, begun, started, stopped, reload)


async def _run(
    config: Config,
    begun: Callable[[Server], None],
    started: Callable[[Sequence[Address]], None],
    stopped: Callable[[dict[str, Any]], None],
    reload: _Reload | None,
) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with serving(config, systemd.handed_over()) as server:
            _warn_if_short(config)
            server.service.turns.standby = stand_by()
            begun(server)
            started(server.addresses)
            settle()
            systemd.ready(_status(server))
            await _until_the_end(server, signals, reload)
            systemd.stopping()
            await server.drain()
            with wall("the last word"):
                stopped(await server.figures())
    signal.setitimer(signal.ITIMER_REAL, 0)


def settle() -> None:
    """Freeze the objects that imports have made: no garbage collection looks through them again.

    With 64 READs in flight, each a task, a full collection stopped the loop for 15 to 58 ms, and
    several of them came in two seconds (measured); over 16,000 opens it took 60.  So each looks
    only through the objects that came since the last one: an object that it found alive is not
    looked at again, and goes with its last reference.  Garbage in cycles that one collection has
    seen alive would stay for ever: a connection that ends must leave none, and leaves none.
    """
    gc.collect()
    gc.freeze()
    gc.callbacks.append(_collected)
    gc.set_threshold(*_GC_THRESHOLDS)


def _collected(phase: str, collection: dict[str, int]) -> None:
    if phase == "stop" and collection["generation"] == _FULL:
        gc.freeze()


async def _until_the_end(
    server: Server, signals: AsyncIterator[int], reload: _Reload | None
) -> None:
    """Return when a signal ends the server; until it comes SIGHUP loads shares.toml again."""
    async with trio.open_nursery() as nursery:
        async for number in signals:
            if number != signal.SIGHUP or reload is None:
                # Before anything is awaited: a reload may be waiting for a disk that hangs.
                _end_in_time(number)
                _log.info("%s: ending", signal.Signals(number).name, extra=about("ending"))
                nursery.cancel_scope.cancel()
                return
            nursery.start_soon(behind_wall, "reading shares.toml again", reload, server)


async def _reload(
    server: Server, *, reread: Callable[[], Config], reloaded: Callable[[], None] | None
) -> None:
    systemd.reloading()
    if await server.reload(reread, reloaded):
        _warn_if_short(server.service.config)
    systemd.ready(_status(server))


def _status(server: Server) -> str:
    """The one line of `systemctl status`."""
    addresses = ", ".join(map(str, server.addresses))
    return f"serves {len(server.service.config.shares)} shares on {addresses}"


def _warn_if_short(config: Config) -> None:
    shortage = descriptors.shortage(config)
    if shortage:
        _log.warning("%s", shortage, extra=about("descriptors short"))


def _end_in_time(first: int) -> None:
    """From here on a second signal ends the process at once, and so does the clock.

    Both by handlers of our own: as process 1 of a container there are no default ones.
    """
    began = time.monotonic()

    def again(number: int, frame: FrameType | None) -> None:
        # A terminal and a program in between (sudo, a task runner) may both pass on one Ctrl-C.
        if number != first or time.monotonic() > began + _SAME_SIGNAL_SECONDS:
            _end_now(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, again if number == signal.SIGINT else _end_now)
    signal.signal(signal.SIGALRM, _end_now)
    signal.setitimer(signal.ITIMER_REAL, _END_SECONDS)


def _end_now(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGALRM:
        text, told = "not everything was flushed in %.0f s: ending all the same", "flush failed"
        _log.error(text, _END_SECONDS, extra=about(told))
    else:
        text = "%s again: ending at once"
        _log.warning(text, signal.Signals(number).name, extra=about("ending"))
    logging.shutdown()  # the last words: it waits for a reader no longer than a moment
    # Not an exception: the loop may be waiting for a disk that never answers.
    os._exit(128 + number)
