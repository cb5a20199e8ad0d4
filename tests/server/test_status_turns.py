"""The document of a busy server is made in turns, and no sum is made by a walk."""

import json

import trio

import smbd.testing
from smbd import turns
from smbd.server import metrics, status
from tests.core import messages
from tests.core.messages import CLOSE, EXCLUSIVE, LOCK, LOGOFF, TREE_DISCONNECT
from tests.scripted import connected

MANY = 60


async def pieces_of(server):
    return [piece async for piece in server.server.answer({"ask": "status"})]


async def test_everybody_has_turns_while_a_long_document_is_made(tmp_path, monkeypatch):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        opened = [await client.open(f"file {number}") for number in range(MANY)]
        locked = messages.lock(opened[0], *((at, 1, EXCLUSIVE | 16) for at in range(MANY)))
        assert (await client.ask(LOCK, locked)).status == 0
        at_once = server.server.document()
        monkeypatch.setattr(turns, "_TURN", 0.0)
        monkeypatch.setattr(turns, "_SHORTEST", 0.0)
        pieces = await pieces_of(server)
        assert len(pieces) > 2 * MANY
        told = json.loads(b"".join(pieces))
        assert len(told["opens"]) == len(told["locks"]) == MANY
        for one in (at_once, told):
            del one["uptime"], one["sessions"][0]["since"]
        assert told == at_once


async def test_what_ends_while_the_document_is_made_is_not_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "_TURN", 0.0)
    monkeypatch.setattr(turns, "_SHORTEST", 0.0)
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        opened = [await client.open(f"file {number}") for number in range(MANY)]
        received = b""
        pieces = server.server.answer({"ask": "status"})
        async for piece in pieces:
            received += piece
            if opened and b'"file 0"' in received:
                for file_id in opened[1:]:
                    assert (await client.ask(CLOSE, messages.close(file_id))).status == 0
                opened.clear()
        assert [one["path"] for one in json.loads(received)["opens"]] == ["file 0"]


async def test_the_metrics_walk_over_no_open_and_no_lock(tmp_path, monkeypatch):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        opened = [await client.open(f"file {number}") for number in range(3)]
        locked = messages.lock(opened[0], (0, 1, EXCLUSIVE | 16), (5, 1, EXCLUSIVE | 16))
        assert (await client.ask(LOCK, locked)).status == 0
        monkeypatch.setattr(type(server.server.service.tables.opens), "__iter__", None)
        monkeypatch.setattr(status, "_lists", None)

        async def figures():
            text = metrics.text(await server.server.figures())
            rows = [line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#"]
            return {name.partition("{")[0].removeprefix("smbd_"): value for name, value in rows}

        told = await figures()
        names = ("sessions", "locks", "share_opens", "share_trees")
        assert [told[name] for name in names] == ["1", "2", "3", "1"]
        assert (await client.ask(CLOSE, messages.close(opened[0]))).status == 0
        told = await figures()
        assert [told[name] for name in names] == ["1", "0", "2", "1"]
        assert (await client.ask(TREE_DISCONNECT)).status == 0
        told = await figures()
        assert [told[name] for name in names] == ["1", "0", "0", "0"]
        assert (await client.ask(LOGOFF)).status == 0
        assert (await figures())["sessions"] == "0"


async def test_a_lost_connection_is_in_no_count(tmp_path):
    async with smbd.testing.serve(tmp_path) as server:
        async with connected(server) as client:
            await client.connect()
            await client.open("a")
        with trio.fail_after(240):
            while server.server._clients:
                await trio.lowlevel.checkpoint()
        [share] = (await server.server.figures())["shares"]
        assert (share["connections"], share["opens"]) == (0, 0)
