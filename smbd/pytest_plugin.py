"""The fixtures of pytest: `smb_server`, `smb_server_session` and `make_smb_server`.

def test_upload(smb_server):
    upload("report.pdf", smb_server.url)
    assert (smb_server.path / "report.pdf").exists()

@pytest.mark.smb_server(read_only=True)
def test_refused(smb_server): ...

def test_two(make_smb_server):
    old, new = make_smb_server(max_dialect="2.1"), make_smb_server(share="new")

They work in plain tests and in those of pytest-trio, anyio and pytest-asyncio: each server has a
thread of its own.  pytest loads this module in every project, so it imports nothing of smbd that
no fixture has asked for.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack

import pytest

if TYPE_CHECKING:
    from smbd.testing import ServerOptions, TestServer

_MARKER = (
    "smb_server(path=None, **options): the folder and the options of this test's smb_server, as "
    "smbd.testing.serve takes them"
)


class MakeServer(Protocol):
    """What the fixture `make_smb_server` is: a function that starts a server for the test."""

    def __call__(
        self, path: str | Path | None = None, **options: Unpack["ServerOptions"]
    ) -> "TestServer":
        """Serve a folder, by default a new one, until the test is over."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def smb_server_options() -> dict[str, Any]:
    """Options of every server of the fixtures; a project's own conftest.py may replace it."""
    return {}


@pytest.fixture
def smb_server(request: pytest.FixtureRequest, make_smb_server: MakeServer) -> "TestServer":
    """A server for this test; `@pytest.mark.smb_server(read_only=True)` has options for it."""
    options: dict[str, Any] = {}
    for marker in reversed([*request.node.iter_markers("smb_server")]):  # the nearest counts
        options |= marker.kwargs
        if marker.args:
            (options["path"],) = marker.args
    return make_smb_server(**options)


@pytest.fixture
def make_smb_server(
    tmp_path_factory: pytest.TempPathFactory, smb_server_options: dict[str, Any]
) -> Iterator[MakeServer]:
    """Start servers, `make_smb_server(read_only=True)`, which end with the test."""
    with ExitStack() as stack:
        yield _maker(stack, tmp_path_factory, smb_server_options)


@pytest.fixture(scope="session")
def smb_server_session(
    tmp_path_factory: pytest.TempPathFactory, smb_server_options: dict[str, Any]
) -> Iterator["TestServer"]:
    """A server for all tests of the run; in pytest-xdist, one for each worker's."""
    with ExitStack() as stack:
        yield _maker(stack, tmp_path_factory, smb_server_options)()


def _maker(
    stack: ExitStack, folders: pytest.TempPathFactory, defaults: dict[str, Any]
) -> Callable[..., "TestServer"]:
    def make(path: str | Path | None = None, **options: Any) -> "TestServer":
        from smbd.testing import Options, serve_in_thread  # noqa: PLC0415 -- when a test wants it

        options = defaults | options
        if path is None and not Options.of(**options).is_in_memory:
            path = folders.mktemp("smb_server")
        return stack.enter_context(serve_in_thread(path, **options))

    return make
