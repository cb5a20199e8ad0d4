"""Real file systems to try things on."""

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from weakref import WeakValueDictionary

import pytest

import aio
from aio import ENGINES
from aio._readers import READERS
from tests.aio import mounts
from tests.aio.engines import CONTENT, FORMS, Form, a_file
from tests.aio.page_cache import file_system_of, slow_disk, takes_nowait

ON_DISK = Path("/var/tmp")
IN_MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a write can seem to stall: time stands still for the probe.

    Nor are there canaries, which go by the true time; nor may the machine be close to its dirty
    limit, and no test inherits another one's stall.
    """
    monkeypatch.setattr("aio.probe.perf_counter", lambda: 0.0)
    monkeypatch.setattr("aio.gate._is_close_to_dirty_limit", lambda: False)
    monkeypatch.setattr("aio.gate.Gate._send_canary", lambda *_: None)
    monkeypatch.setattr("aio.leaky_bucket._delayed", lambda: 0.0)
    monkeypatch.setattr("aio.gate._gates", WeakValueDictionary())


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder where reads take RWF_NOWAIT."""
    if not takes_nowait(ON_DISK):
        pytest.skip(f"{ON_DISK} is {file_system_of(ON_DISK)}, which has no RWF_NOWAIT reads here")
    slow_disk(monkeypatch)
    with tempfile.TemporaryDirectory(dir=ON_DISK) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def tmpfs() -> Iterator[Path]:
    if not IN_MEMORY.is_dir() or file_system_of(IN_MEMORY) != "tmpfs":
        pytest.skip(f"{IN_MEMORY} is no tmpfs")
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def overlay() -> Iterator[Path]:
    """A folder on overlayfs: what is there, in a container; else one that we mount."""
    with tempfile.TemporaryDirectory(dir=ON_DISK) as name:
        base = Path(name)
        base.chmod(0o755)
        if file_system_of(base) == "overlayfs":
            yield base
            return
        if os.geteuid() != 0:
            pytest.skip("mounting an overlay needs root")
        for part in ("lower", "upper", "work", "merged"):
            (base / part).mkdir()
        options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        mount = [shutil.which("mount") or "mount", "-t", "overlay", "aio-tests", "-o", options]
        mounted = subprocess.run([*mount, str(base / "merged")], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip(f"no overlay can be mounted: {mounted.stderr.decode().strip()}")
        try:
            yield base / "merged"
        finally:
            subprocess.run(["umount", str(base / "merged")], check=True)


@pytest.fixture(params=["disk", "tmpfs", "overlay"])
def folder(request: pytest.FixtureRequest) -> Path:
    """Each of the three."""
    place: Path = request.getfixturevalue(request.param)
    return place


@pytest.fixture(params=["disk", "overlay"])
def slow_folder(request: pytest.FixtureRequest) -> Path:
    """Where a file can be cold."""
    place: Path = request.getfixturevalue(request.param)
    return place


PLACES = ("disk", "tmpfs", "overlay", "xfs", "btrfs")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Engines in all forms, and places of all kinds, for the tests that ask for them.

    Behind the probe one engine is tried in all places; the others, like it, in all without probe.
    """
    wanted = {"form", "place"} & set(metafunc.fixturenames)
    if wanted == {"form", "place"}:
        pairs = [
            pytest.param(form, place, id=f"{form}-{place}")
            for form in FORMS
            for place in PLACES
            if place == "disk" or form.spec in {*ENGINES, "nowait"}
        ]
        metafunc.parametrize(("form", "place"), pairs, indirect=True)
    elif wanted == {"form"}:
        metafunc.parametrize("form", FORMS, ids=str, indirect=True)
    elif wanted == {"place"}:
        metafunc.parametrize("place", PLACES, indirect=True)


@pytest.fixture
def form(request: pytest.FixtureRequest) -> Form:
    """Each engine in each of its forms."""
    made: Form = request.param
    return made


@pytest.fixture(autouse=True)
def threads_in_c(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """At hand from the beginning, or never: an engine's form is no matter of time."""
    compiled = "form" not in request.fixturenames or request.getfixturevalue("form").compiled
    try:
        module = READERS.load() if compiled else None
    except OSError as error:
        if "form" in request.fixturenames:
            pytest.skip(str(error))
        module = None
    monkeypatch.setattr(READERS, "at_hand", lambda: module)


@pytest.fixture
def in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which a call of `os` is another one: threads in C make none."""
    monkeypatch.setattr(READERS, "at_hand", lambda: None)


@pytest.fixture
async def engine(form: Form) -> AsyncIterator[aio.Engine]:
    opened = form.open()
    yield opened
    await opened.aclose()


@pytest.fixture(scope="session")
def xfs() -> Iterator[Path]:
    with mounts.mounted("xfs") as (folder, _):
        yield folder


@pytest.fixture(scope="session")
def btrfs() -> Iterator[Path]:
    with mounts.mounted("btrfs") as (folder, _):
        yield folder


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty folder on each file system that this machine can make."""
    with tempfile.TemporaryDirectory(dir=request.getfixturevalue(request.param)) as folder:
        yield Path(folder)


@pytest.fixture
def fd(engine: aio.Engine, place: Path) -> Iterator[int]:
    """A file on each file system: for what may depend on it."""
    with a_file(engine, place, CONTENT) as opened:
        yield opened


@pytest.fixture
def any_fd(engine: aio.Engine, tmp_path: Path) -> Iterator[int]:
    with a_file(engine, tmp_path, CONTENT) as opened:
        yield opened


@pytest.fixture
def no_uring(monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine without io_uring, and the reason that it gives."""
    reason = "not on this paper"

    def refuse(_depth: int) -> None:
        raise OSError(errno.EPERM, reason)

    monkeypatch.setattr("aio.uring.UringQueue", refuse)
    return reason
