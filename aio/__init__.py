"""Asynchronous file I/O for trio: cached data at once, the disk's data without stopping the loop.

    engine = aio.open_engine("nowait")
    fd = os.open(path, os.O_RDONLY)
    engine.attach(fd)
    count = engine.try_read(fd, into, 0)  # answered from the page cache, or None
    if count is None:
        count = await engine.read(fd, into, 0)

The catalogue of engines and options is there at once.  Modules that need trio or cffi (0.2 s to
import) are imported when one of their names is first used, so that a configuration can be checked
without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from aio.base import Data, Engine, Stats
from aio.catalog import DEFAULT_SPEC, ENGINES, Option, check_options, engine_names, parse_spec

if TYPE_CHECKING:
    from aio.opening import open_engine
    from aio.pool import WorkerPool
    from aio.slices import give_way, in_slices
    from aio.survey import Description, Offer, describe, offers

_LATER = {
    "open_engine": "aio.opening",
    "WorkerPool": "aio.pool",
    "give_way": "aio.slices",
    "in_slices": "aio.slices",
    "Description": "aio.survey",
    "Offer": "aio.survey",
    "describe": "aio.survey",
    "offers": "aio.survey",
}

__all__ = [
    "DEFAULT_SPEC",
    "ENGINES",
    "Data",
    "Description",
    "Engine",
    "Offer",
    "Option",
    "Stats",
    "WorkerPool",
    "check_options",
    "describe",
    "engine_names",
    "give_way",
    "in_slices",
    "offers",
    "open_engine",
    "parse_spec",
]


def __getattr__(name: str) -> object:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module 'aio' has no attribute {name!r}")
    return getattr(import_module(module), name)
