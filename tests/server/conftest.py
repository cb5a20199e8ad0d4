"""A folder, a server on it, and clients."""

import pytest

from smbd.testing import serve_in_thread
from tests.server.clients import CLIENTS, PypiClient, SambaClient


@pytest.fixture
def folder(tmp_path):
    """What is served."""
    served = tmp_path / "served"
    served.mkdir()
    return served


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
def samba(server):
    with SambaClient(server) as client:
        yield client
