"""The fixtures of pytest: `smb_server`, `smb_server_session` and `make_smb_server`.

def test_upload(smb_server):
    upload("report.pdf", smb_server.url)
    assert (smb_server.path / "report.pdf").exists()

@pytest.mark.smb_server(read_only=True)
def test_refused(smb_server): ...

def test_two(make_smb_server):
    old, new = make_smb_server(max_dialect="2.1"), make_smb_server(share="new")

They work in plain tests and in those of pytest-trio, anyio and pytest-asyncio: each server has a
thread of its own.  With `--smbd-log` the report of a failed test has what its servers were asked
and what they answered, those of `smbd.testing.serve` and its like too.

pytest loads this module in every project, so it imports nothing of smbd before a test wants it.
"""

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack

import pytest

if TYPE_CHECKING:
    from smbd.testing import ServerOptions, TestServer
    from smbd.testing.conversation import Conversation

_LOG = "smbd-log"  # the name of the plugin of --smbd-log
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


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add --smbd-log, and have no module of ours rewritten."""
    _spare_rewriting(pluginmanager)
    text = "show what SMB servers were asked, and have answered, in the report of a failed test"
    parser.getgroup("smbd").addoption("--smbd-log", action="store_true", help=text)


def _spare_rewriting(pluginmanager: pytest.PytestPluginManager) -> None:
    """Take our modules from those whose asserts pytest rewrites: it does so to all of a plugin's.

    Ours are no test's, and there are 340: 0.8 s at the first import (measured), and at each one
    where nothing can be written beside them.  pytest has no call for that; should its names
    change, no more than this time is lost.
    """
    marked = getattr(getattr(pluginmanager, "rewrite_hook", None), "_must_rewrite", None)
    if isinstance(marked, set):
        marked -= {"smbd", "aio"}


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)
    if config.getoption("smbd_log"):
        config.pluginmanager.register(_Log(), _LOG)


@pytest.fixture(scope="session")
def smb_server_options() -> "ServerOptions":
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
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    smb_server_options: "ServerOptions",
) -> Iterator[MakeServer]:
    """Start servers, `make_smb_server(read_only=True)`, which end with the test."""
    with ExitStack() as stack:
        yield _maker(stack, pytestconfig, tmp_path_factory, smb_server_options)


@pytest.fixture(scope="session")
def smb_server_session(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    smb_server_options: "ServerOptions",
) -> Iterator["TestServer"]:
    """A server for all tests of the run; in pytest-xdist, one for each worker's."""
    with ExitStack() as stack:
        yield _maker(stack, pytestconfig, tmp_path_factory, smb_server_options)()


def _maker(
    stack: ExitStack,
    config: pytest.Config,
    folders: pytest.TempPathFactory,
    defaults: "ServerOptions",
) -> MakeServer:
    def make(path: str | Path | None = None, **options: Unpack["ServerOptions"]) -> "TestServer":
        from smbd.testing import Options, serve_in_thread  # noqa: PLC0415 -- when a test wants it

        log = config.pluginmanager.get_plugin(_LOG)
        if isinstance(log, _Log):
            log.listen()
        chosen: ServerOptions = {**defaults, **options}
        if path is None and not Options.of(**chosen).is_in_memory:
            path = folders.mktemp("smb_server")
        return stack.enter_context(serve_in_thread(path, **chosen))

    return make


class _Log:
    """Listens to all servers of this process, and shows those of a test that fails."""

    def __init__(self) -> None:
        self._heard: list[tuple[TestServer, Conversation]] = []
        self._listens: AbstractContextManager[None] | None = None
        self._began = 0.0

    def listen(self) -> None:
        """Listen to each server that is made from now on."""
        from smbd.testing.conversation import Conversation  # noqa: PLC0415 -- as above
        from smbd.testing.server import for_each_server  # noqa: PLC0415

        def hear(server: "TestServer") -> None:
            conversation = Conversation()
            server.at_each_start(lambda running: running.observe(conversation.journal))
            self._heard.append((server, conversation))

        if self._listens is None:
            self._listens = for_each_server(hear)
            self._listens.__enter__()

    def pytest_unconfigure(self) -> None:
        """The run is over, not always the process."""
        if self._listens is not None:
            self._listens.__exit__(None, None, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """A test begins: of servers that live longer than one, its part is shown."""
        if "smbd.testing" in sys.modules:  # a module of tests makes servers itself
            self.listen()
        self._heard = [one for one in self._heard if not one[0].is_over]
        self._began = time.time()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add to the report of a failed test what was said in it."""
        report = yield
        for server, conversation in self._heard if report.failed else ():
            said = conversation.text(self._began) or "nobody has asked anything"
            report.sections.append((f"SMB at {server.host}:{server.port}", said))
        return report
