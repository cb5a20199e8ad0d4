"""`open_engine`: from a spec and options to an engine."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Protocol

from aio.base import Engine
from aio.catalog import ENGINES, Row, check_options, parse_spec
from aio.dontcache import DontCache
from aio.probe import Probe


class EngineClass(Protocol):
    """The type of the class that a row's `class_path` names."""

    def __call__(self, **options: int | DontCache) -> Engine:
        """An engine with the row's options; OSError: this machine lacks it, and why."""

    def check(self) -> None:
        """OSError: this machine lacks the engine.  Not called where the row says `everywhere`."""


def open_engine(spec: str, **options: int) -> Engine:
    """An engine for a spec such as "threads", "nowait" or "nowait+uring,threads" (aio.catalog).

    ValueError names a wrong spec or option, and the right ones.  OSError: this machine has none of
    the engines that the spec names, and why; the `notes` of an opened engine say why it has none of
    those before.  Two threads are started at most, and no task, before the first call;
    `aclose` gives everything back.
    """
    parsed = parse_spec(spec)
    values = check_options(parsed, options)
    dontcache = DontCache(values.get("dontcache", 0))
    row, engine = _first(parsed.engines, values, dontcache)
    if not parsed.probe:
        return engine
    if not row.takes("dontcache"):  # another engine of the list does
        dontcache = DontCache(0)
    return Probe(engine, values["inline_limit"], dontcache)


def unavailable(name: str) -> str | None:
    """Why this machine does not offer an engine; None if it does.  Found by trying it."""
    row = ENGINES[name]
    try:
        if not row.everywhere:
            _class_of(row).check()
    except OSError as error:
        return f"{name} is not available: {error.strerror}"
    return None


def _first(
    names: tuple[str, ...], values: Mapping[str, int], dontcache: DontCache
) -> tuple[Row, Engine]:
    """The first that can be had."""
    notes: list[str] = []
    for name in names:
        try:
            engine = _make(ENGINES[name], values, dontcache)
        except OSError as error:
            notes.append(f"{name} is not available: {error.strerror}")
            if name == names[-1]:
                raise OSError(error.errno, "; ".join(notes)) from error
        else:
            engine.notes = tuple(notes)
            break
    return ENGINES[name], engine


def _make(row: Row, values: Mapping[str, int], dontcache: DontCache) -> Engine:
    """`dontcache` stands for the option: engine and probe share what file systems refused."""
    options: dict[str, int | DontCache] = {
        option.name: values.get(option.name, option.default) for option in row.options
    }
    if "dontcache" in options:
        options["dontcache"] = dontcache
    return _class_of(row)(**options)


def _class_of(row: Row) -> EngineClass:
    found: EngineClass = resolve_name(row.class_path)
    return found
