"""`open_engine`: from a spec and options to an engine."""

from aio.base import Engine
from aio.blocking import SyncEngine
from aio.catalog import check_options, parse_spec
from aio.probe import Probe
from aio.threads import ThreadsEngine


def open_engine(spec: str, **options: int) -> Engine:
    """An engine for a spec such as "threads", "nowait" or "nowait+sync" (aio.catalog).

    ValueError names a wrong spec or option, and what would be right.  Nothing is started before
    the first call; `aclose` gives everything back.
    """
    parsed = parse_spec(spec)
    values = check_options(parsed, options)
    engine: Engine = (
        ThreadsEngine(values["workers"]) if parsed.engine == "threads" else SyncEngine()
    )
    return Probe(engine, values["inline_limit"]) if parsed.probe else engine
