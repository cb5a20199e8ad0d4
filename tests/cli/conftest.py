"""`smbd serve` sets up the log of a whole process; other tests have logs of their own."""

import logging
from collections.abc import Iterator

import pytest

from smbd.cli import logs


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Of every logger that start_logging has a level for: also trio's, asyncio's and zeroconf's."""
    loggers = [logging.getLogger(name) for name in logs._LOGGERS]
    before = [(one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for one, (handlers, level, propagate) in zip(loggers, before, strict=True):
        one.handlers[:] = handlers
        one.setLevel(level)
        one.propagate = propagate
