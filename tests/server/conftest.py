"""A folder, a server on it, and clients."""

import tempfile
from pathlib import Path

import pytest

from smbd.testing import serve_in_thread
from tests.aio.page_cache import file_system_of, slow_disk, takes_nowait
from tests.server.clients import CLIENTS, PypiClient, SambaClient

ON_DISK = Path("/var/tmp")


@pytest.fixture
def folder(tmp_path):
    """What is served."""
    served = tmp_path / "served"
    served.mkdir()
    return served


@pytest.fixture
def disk(monkeypatch):
    """A folder whose files can be cold, and whose reads take RWF_NOWAIT."""
    if not takes_nowait(ON_DISK):
        pytest.skip(f"{ON_DISK} is {file_system_of(ON_DISK)}, which has no RWF_NOWAIT reads here")
    slow_disk(monkeypatch)
    with tempfile.TemporaryDirectory(dir=ON_DISK) as name:
        yield Path(name)


@pytest.fixture
def server(folder):
    with serve_in_thread(folder) as server:
        yield server


@pytest.fixture(params=CLIENTS)
def connect(request):
    """A client's class: each of the three."""
    return CLIENTS[request.param]


@pytest.fixture
def client(connect, server):
    """Each of the three, connected."""
    with connect(server) as client:
        yield client


@pytest.fixture
def pypi(server):
    """The one that lets a test say every field of a request."""
    with PypiClient(server) as client:
        yield client


@pytest.fixture
def other(server):
    """Another such client, on a connection of its own."""
    with PypiClient(server) as client:
        yield client


@pytest.fixture
def samba(server):
    with SambaClient(server) as client:
        yield client
