"""The status document: who is there, what is open, and how much went through."""

import trio

from smbd.cli.asking import ask
from smbd.testing import serve
from smbd.wire.access import Access
from tests.core import messages
from tests.core.messages import CREATE
from tests.scripted import caching, clients
from tests.server.clients import PypiClient
from tests.server.clients.information import rename


async def during(server, story):
    """The document of the moment at which a story says so."""
    documents = []

    def look():
        documents.append(trio.from_thread.run_sync(server.server.document))

    await trio.to_thread.run_sync(story, look)
    return documents


async def test_a_new_server_has_nobody(folder):
    async with serve(folder) as server:
        document = server.server.document()
    assert document["listen"] == [f"{server.host}:{server.port}"]
    assert document["sessions"] == document["opens"] == []
    (share,) = document["shares"]
    assert (share["name"], share["path"]) == ("share", str(folder))
    assert share["connections"] == share["opens"] == share["reads"] == share["writes"] == 0


async def test_it_tells_what_is_cached(folder):
    async with serve(folder) as server, clients(server) as new_client:
        ann, bob = await new_client().connect(), await new_client().connect()
        await ann.open("plain")
        await ann.open("batch", oplock=caching.BATCH)
        lease = caching.lease(b"lease key is 16b", caching.R | caching.W)
        await ann.open("lease", oplock=caching.BY_LEASE, contexts=[lease])
        waits = await bob.begin(CREATE, messages.create("lease"))
        await bob.interim(waits)
        document = server.server.document()
        figures = await server.server.figures()
    told = {one["path"]: one.get("caching") for one in document["opens"]}
    assert told == {"plain": None, "batch": "oplock rwh", "lease": "lease rw, breaking"}
    (waited,) = (one["breaking"] for one in document["opens"] if "breaking" in one)
    assert 0 <= waited < 35
    assert document["unacknowledged"] == 1
    names = ("leases", "oplocks", "breaks", "expired", "unacknowledged")
    assert [figures[name] for name in names] == [1, 1, 1, 0, 1]


async def test_it_tells_sessions_and_open_files(folder):
    (folder / "inner").mkdir()
    (folder / "inner" / "file").touch()
    async with serve(folder) as server:

        def story(look):
            with PypiClient(server) as client, PypiClient(server, "2.1") as other:
                client.open(r"inner\file", access=Access.FILE_READ_DATA)
                other.open("new", access=Access.FILE_WRITE_DATA | Access.DELETE)
                look()

        (document,) = await during(server, story)
        after = server.server.document()
    assert sorted((one["dialect"], one["signing"]) for one in document["sessions"]) == [
        ("2.1", "HMAC-SHA256"),
        ("3.1.1", "AES-GMAC"),
    ]
    for session in document["sessions"]:
        assert session["user"] == "test"
        assert session["client"].startswith("127.0.0.1:")
        assert session["trees"] == session["opens"] == 1
    assert [
        (one["share"], one["path"], one["user"], one["access"]) for one in document["opens"]
    ] == [("share", "inner/file", "test", "r"), ("share", "new", "test", "wd")]
    (share,) = document["shares"]
    assert (share["connections"], share["opens"]) == (2, 2)
    assert after["sessions"] == after["opens"] == []
    assert after["shares"][0]["connections"] == 0


async def test_a_renamed_file_is_told_by_its_new_name(folder):
    async with serve(folder) as server:

        def story(look):
            with PypiClient(server) as client:
                rename(client.open("old"), "new")
                look()

        (document,) = await during(server, story)
    assert [one["path"] for one in document["opens"]] == ["new"]


async def test_the_socket_gives_the_same_document(folder, tmp_path):
    place = tmp_path / "status.socket"
    async with serve(folder, status_socket=place) as server:
        told = await trio.to_thread.run_sync(ask, place, {"ask": "status"})
        known = server.server.document()
        assert place.stat().st_mode & 0o777 == 0o600
    assert told.keys() == known.keys()
    assert told["shares"] == known["shares"]
    assert not place.exists()
