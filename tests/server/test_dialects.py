"""Each dialect, with each client: what one side allows at most the other must be content with."""

import pytest
import trio

from smbd.testing import serve, serve_in_thread
from tests.server.clients import PypiClient, status_of

DIALECTS = ["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"]


def goes_round(client):
    """A file there and back, seen in a listing, and gone again."""
    client.put("there and back.txt", b"through the wire")
    assert client.get("there and back.txt") == b"through the wire"
    assert client.names() == {"there and back.txt"}
    client.remove("there and back.txt")
    assert client.names() == set()
    return True


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_client_that_speaks_one_dialect_is_served_in_it(server, connect, dialect):
    with connect(server, dialect) as client:
        assert goes_round(client)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_client_that_speaks_all_gets_the_servers_greatest(folder, connect, dialect):
    with serve_in_thread(folder, max_dialect=dialect) as server, connect(server) as client:
        assert goes_round(client)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_status_document_says_which_dialect_it_is(folder, dialect):
    async with serve(folder, max_dialect=dialect) as server:
        client = await trio.to_thread.run_sync(PypiClient, server)
        (session,) = server.server.document()["sessions"]
        await trio.to_thread.run_sync(client.connection.disconnect)
    assert session["dialect"] == dialect
    assert session["user"] == "test"


def test_a_client_older_than_the_server_allows_is_turned_away(folder, connect):
    with serve_in_thread(folder, min_dialect="3.0") as server:
        with pytest.raises(Exception) as refused, connect(server, "2.1") as client:
            client.names()
        assert status_of(refused.value) in {"NOT_SUPPORTED", ""}
        with connect(server, "3.0") as client:
            assert goes_round(client)
