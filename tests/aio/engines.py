"""Every engine in every form, as the tests take them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

import aio
from aio.catalog import options_of
from aio.opening import unavailable

CONTENT = bytes(range(251)) * 1000  # 251,000 bytes: no multiple of a page


@dataclass(frozen=True)
class Form:
    """What to open, and how."""

    spec: str
    options: Mapping[str, int] = field(default_factory=dict)
    compiled: bool = True  # whether its threads in C are at hand, if it has any

    @property
    def direct(self) -> bool:
        return bool(self.options.get("direct"))

    def __str__(self) -> str:
        return " ".join((self.spec, *self.options, *(() if self.compiled else ("in Python",))))

    def require(self) -> None:
        """Skip where the machine has none of the spec's engines."""
        reasons = [_reason(name) for name in aio.parse_spec(self.spec).engines]
        if all(reasons):
            pytest.skip("; ".join(filter(None, reasons)))

    def open(self) -> aio.Engine:
        self.require()
        return aio.open_engine(self.spec, **self.options)


@cache
def _reason(name: str) -> str | None:
    """Asked once: to give a libaio queue back takes 28 ms."""
    return unavailable(name)


# So that it is used: by what the tests take for a long request.
DONTCACHE = {"dontcache": 4096}
ROWS = list(aio.ENGINES.values())
ALONE = [
    *(Form(row.name) for row in ROWS),
    Form("threads", compiled=False),
    *(Form(row.name, {"direct": 1}) for row in ROWS if row.takes("direct")),
]
PROBED = [Form("nowait"), *(Form(f"nowait+{row.name}") for row in ROWS if row.name != "threads")]
FORMS = [
    *ALONE,
    *PROBED,
    *(Form(row.name, DONTCACHE) for row in ROWS if row.takes("dontcache")),
    Form("threads", DONTCACHE, compiled=False),
    Form("nowait", DONTCACHE),
    Form("nowait", compiled=False),
]
QUEUED = [form for form in FORMS if "depth" in options_of(aio.parse_spec(form.spec))]


@contextmanager
def attached(engine: aio.Engine, path: Path, flags: int = os.O_RDWR) -> Iterator[int]:
    """An open file that the engine knows.

    Closed whatever happens: one left open by a test that crashed keeps its file system mounted.
    """
    fd = os.open(path, flags)
    try:
        engine.attach(fd)
        yield fd
    finally:
        engine.detach(fd)
        os.close(fd)


@contextmanager
def a_file(
    engine: aio.Engine, folder: Path, content: bytes, flags: int = os.O_RDWR
) -> Iterator[int]:
    """A new file, open and attached."""
    path = folder / "file"
    path.write_bytes(content)
    with attached(engine, path, flags) as fd:
        yield fd


async def read(engine: aio.Engine, fd: int, length: int, offset: int) -> bytes:
    """As the server does it: at once if possible."""
    into = memoryview(bytearray(length))
    count = engine.try_read(fd, into, offset)
    if count is None:
        count = await engine.read(fd, into, offset)
    return bytes(into[:count])


async def write(engine: aio.Engine, fd: int, data: bytes, offset: int) -> int:
    count = engine.try_write(fd, data, offset)
    return await engine.write(fd, data, offset) if count is None else count
