"""`open_engine`: from a spec and options to an engine."""

from collections.abc import Callable, Mapping

from aio.base import Engine
from aio.blocking import SyncEngine
from aio.catalog import check_options, parse_spec
from aio.dontcache import DontCache
from aio.libaio import LibaioQueue
from aio.probe import Probe
from aio.queued import QueuedEngine
from aio.ring import Queue
from aio.threads import ThreadsEngine
from aio.uring import UringQueue


def open_engine(spec: str, **options: int) -> Engine:
    """An engine for a spec such as "threads", "nowait" or "nowait+uring,threads" (aio.catalog).

    ValueError names a wrong spec or option, and what would be right.  OSError: this machine has
    none of those that the spec names, and why; of those that it lacks before the one that it has,
    the engine's `notes` tell.  One thread is started at most, and no task, before the first call;
    `aclose` gives everything back.
    """
    parsed = parse_spec(spec)
    values = check_options(parsed, options)
    dontcache = DontCache(values.get("dontcache", 0))
    engine = _first(parsed.engines, values, dontcache)
    if engine.name == "sync":  # may be the last of a list, but has no such option
        dontcache = DontCache(0)
    return Probe(engine, values["inline_limit"], dontcache) if parsed.probe else engine


def unavailable(name: str) -> str | None:
    """Why this machine does not offer an engine; None if it does.  Found by trying it."""
    try:
        if name in _QUEUES:
            _QUEUES[name](1).close()
    except OSError as error:
        return f"{name} is not available: {error.strerror}"
    return None


def _first(names: tuple[str, ...], values: Mapping[str, int], dontcache: DontCache) -> Engine:
    """The first that can be had."""
    notes: list[str] = []
    for name in names:
        try:
            engine = _make(name, values, dontcache)
        except OSError as error:
            notes.append(f"{name} is not available: {error.strerror}")
            if name == names[-1]:
                raise OSError(error.errno, "; ".join(notes)) from error
        else:
            engine.notes = tuple(notes)
            break
    return engine


def _make(name: str, values: Mapping[str, int], dontcache: DontCache) -> Engine:
    if name == "sync":
        return SyncEngine()
    if name == "threads":
        return ThreadsEngine(values["workers"], dontcache)
    queue = _QUEUES[name](values["depth"])
    direct = bool(values.get("direct"))  # behind the probe there is no such option
    # What O_DIRECT cannot do, libaio does not do asynchronously.
    workers = values["workers"] if name == "libaio" else 0
    return QueuedEngine(queue, dontcache, direct=direct, workers=workers)


_QUEUES: Mapping[str, Callable[[int], Queue]] = {"libaio": LibaioQueue, "uring": UringQueue}
