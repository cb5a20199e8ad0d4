"""Persistent handles ([MS-SMB2] 3.3.5.9.10, 3.3.5.9.12): they outlive the server's process."""

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import pack, unpack_from

import pytest
import trio
import trio.lowlevel

from smbd.config import UserConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve
from smbd.wire.create_contexts import ContextName
from smbd.wire.header import Capabilities
from smbd.wire.tree_connect import ShareCapabilities
from tests.core import messages
from tests.core.messages import CREATE, EXCLUSIVE, FAIL_IMMEDIATELY, FILE_OPEN, REPLAY, UNLOCK
from tests.scripted import caching, clients
from tests.scripted.caching import BATCH, BY_LEASE, NONE, H, R, W, durable_v2, lease, reconnect_v2

HERE = Path(__file__).parents[2]
GUID, KEY = b"create guid 16 b", b"lease key is 16b"
PERSISTENT = 2
MISSING = NtStatus.OBJECT_NAME_NOT_FOUND
RENAME, DISPOSITION = 10, 13
ASKS = {"oplock": BY_LEASE, "contexts": [lease(KEY, R | W | H), durable_v2(GUID, flags=PERSISTENT)]}


@dataclass
class Place:
    """A share and a state directory, which servers come and go on."""

    share: Path
    state: Path

    @asynccontextmanager
    async def served(self, **options):
        async with serve(
            self.share, continuous=True, state_directory=self.state, **options
        ) as server:
            async with clients(server) as new_client:
                yield server, new_client

    @property
    def records(self):
        return sorted(self.state.glob("*.handle"))


@pytest.fixture
def place(tmp_path):
    (tmp_path / "share").mkdir()
    return Place(tmp_path / "share", tmp_path / "state")


def parked(server):
    return server.server.document()["parked"]


def granted(answer):
    """(timeout, flags) of the DH2Q response."""
    return unpack_from("<II", answer.contexts[ContextName.DURABLE_REQUEST_V2])


async def gets_back(connection, file_id, *contexts, name="file", flags=PERSISTENT):
    again = reconnect_v2(file_id, GUID, flags=flags)
    return await connection.create(name, contexts=[again, *contexts])


async def test_a_share_that_is_continuous_says_so_and_grants_persistent_handles(place):
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        assert ann.peer.capabilities & Capabilities.PERSISTENT_HANDLES
        entered = await ann.enter()
        assert unpack_from("<I", entered.body, 8)[0] == ShareCapabilities.CONTINUOUS_AVAILABILITY
        answer = await ann.create("file", **ASKS)
        assert granted(answer) == (60_000, PERSISTENT)
        assert len(place.records) == 1
        assert (await ann.close(answer.file_id)).status == 0
        assert not place.records


async def test_a_persistent_handle_needs_no_oplock(place):
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        asks = [durable_v2(GUID, flags=PERSISTENT)]
        assert granted(await ann.create("file", oplock=NONE, contexts=asks))[1] == PERSISTENT


async def test_other_shares_other_dialects_and_directories_have_no_persistent_handles(
    tmp_path, place
):
    async with serve(tmp_path / "share") as server, clients(server) as new_client:
        ann = await new_client().connect()
        assert not ann.peer.capabilities & Capabilities.PERSISTENT_HANDLES
        assert granted(await ann.create("file", **ASKS))[1] == 0
    async with place.served() as (_, new_client):
        bob = await new_client().connect(dialects=(0x0210,))
        assert not bob.peer.capabilities & Capabilities.PERSISTENT_HANDLES
        asks = [durable_v2(GUID, flags=PERSISTENT)]
        answer = await bob.create("file", oplock=BATCH, contexts=asks)
        assert not answer.contexts
        ann = await new_client().connect()
        answer = await ann.create("folder", oplock=BATCH, contexts=asks, options=1)
        assert not answer.contexts
        assert not place.records


async def test_a_handle_its_lease_and_its_locks_outlive_an_orderly_end(place):
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        before = await ann.open("file", share=0, **ASKS)
        assert (await ann.write(before, b"data")).status == 0
        lock = (0, 2, EXCLUSIVE | FAIL_IMMEDIATELY)
        assert (
            await ann.ask(messages.LOCK, messages.lock(before, lock, sequence=0x11))
        ).status == 0
    assert len(place.records) == 1
    async with place.served() as (server, new_client):
        assert parked(server) == 1
        client = new_client()
        bob, ann = await new_client(guid=b"b" * 16).connect(), await client.connect()
        refused = await gets_back(bob, before, lease(KEY, 0))
        assert refused.status == MISSING, "another client"
        assert (await gets_back(ann, before, lease(KEY, 0), flags=0)).status == MISSING
        answer = await gets_back(ann, before, lease(KEY, 0))
        assert answer.status == 0
        assert answer.file_id[:8] == before[:8]
        assert caching.granted_lease(answer).state == R | W | H
        assert (await ann.read(answer.file_id)).data == b"data"
        again = messages.lock(answer.file_id, lock, sequence=0x11)
        assert (await ann.ask(messages.LOCK, again)).status == 0, "it was carried out before"
        assert (await ann.lock(answer.file_id, (0, 2, UNLOCK))).status == 0
        assert (await ann.close(answer.file_id)).status == 0
        assert not place.records


async def test_a_handle_is_its_users_after_a_restart_too(place):
    users = [UserConfig(name="ann", password="a"), UserConfig(name="bob", password="b")]
    asks = {"oplock": BATCH, "contexts": [durable_v2(GUID, flags=PERSISTENT)]}
    async with place.served(users=users) as (_, new_client):
        ann = await new_client().connect(user="ann", password="a")
        before = await ann.open("file", **asks)
    async with place.served(users=users) as (_, new_client):
        bob = await new_client().connect(user="bob", password="b")
        assert (await gets_back(bob, before)).status == NtStatus.ACCESS_DENIED
    async with place.served(users=users[1:]) as (server, _):
        assert parked(server) == 0, "there is no such user any more"
    assert not place.records


async def test_a_handle_follows_its_file_to_another_name_and_its_deletion_to_the_next_start(place):
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        before = await ann.open("file", **ASKS)
        name = "renamed".encode("utf-16-le")
        target = pack("<B7xQI", 0, 0, len(name)) + name
        assert (await ann.set_info(before, RENAME, target)).status == 0
        assert (await ann.set_info(before, DISPOSITION, b"\1")).status == 0
    assert (place.share / "renamed").exists()
    async with place.served() as (_, new_client):
        client = new_client()
        ann = await client.connect()
        answer = await gets_back(ann, before, lease(KEY, 0), name="renamed")
        assert answer.status == 0
        assert (await ann.close(answer.file_id)).status == 0
    assert not (place.share / "renamed").exists()


async def test_a_handle_whose_file_was_replaced_is_lost_and_the_next_one_is_not(place):
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        for name in ("gone", "kept"):
            guid = name.encode().ljust(16)
            asks = [durable_v2(guid, flags=PERSISTENT)]
            await ann.open(name, oplock=BATCH, contexts=asks)
    (place.share / "new").touch()
    (place.share / "new").rename(place.share / "gone")
    async with place.served() as (server, _):
        assert [row["path"] for row in server.server.document()["opens"]] == ["kept"]
    assert len(place.records) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"file"', b'"else"')),
        lambda path: path.write_bytes(os.urandom(100)),
        lambda path: path.write_bytes(bytes(2 << 20)),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: path.rename(path.with_suffix(".new")),
    ],
)
async def test_a_damaged_record_costs_its_handle_and_not_the_start(place, damage, caplog):
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        await ann.open("file", **ASKS)
    damage(*place.records)
    async with place.served() as (server, new_client):
        assert parked(server) == 0
        ann = await new_client().connect()
        await ann.open("file", share=0, **ASKS)


async def test_two_servers_do_not_share_their_records(place, caplog):
    async with place.served() as (_, one_client), place.served() as (_, other_client):
        ann, bob = await one_client().connect(), await other_client().connect()
        assert ann.peer.capabilities & Capabilities.PERSISTENT_HANDLES
        assert not bob.peer.capabilities & Capabilities.PERSISTENT_HANDLES
    assert "another server uses it" in caplog.text


async def test_a_handle_that_cannot_be_recorded_is_merely_durable(place, caplog, monkeypatch):
    async with place.served() as (server, new_client):
        records = server.server.service.records
        monkeypatch.setattr(type(records), "save", _disk_full)
        ann = await new_client().connect()
        assert granted(await ann.create("file", **ASKS))[1] == 0
    assert "will not outlive a restart" in caplog.text


async def test_another_clients_rename_on_a_full_disk_costs_no_handle_that_is_waited_for(
    place, caplog, monkeypatch, mock_clock
):
    async with place.served() as (server, new_client):
        client = new_client()
        ann, bob = await client.connect(), await new_client().connect()
        asks = [durable_v2(GUID, timeout=5000, flags=PERSISTENT)]
        before = await ann.open("file", oplock=BY_LEASE, contexts=[lease(KEY, R), *asks])
        its = await bob.open("file", disposition=FILE_OPEN)
        await client.lose(ann)
        while not parked(server):
            await trio.lowlevel.checkpoint()
        records = server.server.service.records
        monkeypatch.setattr(type(records), "save", _disk_full)
        name = "renamed".encode("utf-16-le")
        assert (await bob.set_info(its, RENAME, pack("<B7xQI", 0, 0, len(name)) + name)).status == 0
        mock_clock.jump(5.1)
        while len(server.server.document()["opens"]) > 1:
            await trio.lowlevel.checkpoint()
        ann = await client.connect()
        assert (await gets_back(ann, before, lease(KEY, 0), name="renamed")).status == MISSING
        assert not place.records


async def test_a_handle_that_closes_while_it_is_recorded_leaves_no_record(place, monkeypatch):
    async with place.served() as (server, new_client):
        ann, bob = await new_client().connect(), await new_client().connect()
        asks = [durable_v2(GUID, flags=PERSISTENT)]
        its = await ann.open("file", oplock=BY_LEASE, contexts=[lease(KEY, R), *asks])
        renamed = await bob.open("file", disposition=FILE_OPEN)
        records = type(server.server.service.records)
        begun, go_on = threading.Event(), threading.Event()
        save = records.save

        def save_later(self, record):
            begun.set()
            go_on.wait()
            save(self, record)

        monkeypatch.setattr(records, "save", save_later)
        name = "renamed".encode("utf-16-le")
        target = messages.set_info(renamed, RENAME, pack("<B7xQI", 0, 0, len(name)) + name)
        renaming = await bob.begin(messages.SET_INFO, target)
        while not begun.is_set():
            await trio.lowlevel.checkpoint()
        closing = await ann.begin(messages.CLOSE, messages.close(its))
        while server.server.service.tables.opens.find(unpack_from("<Q", its)[0]):
            await trio.lowlevel.checkpoint()
        go_on.set()
        assert (await bob.reply(renaming)).status == 0
        assert (await ann.reply(closing)).status == 0
        while place.records:
            await trio.lowlevel.checkpoint()


def _disk_full(_records, _record):
    raise OSError(28, "No space left on device")


async def test_there_are_no_more_persistent_handles_than_may_be_parked(place):
    async with place.served() as (server, new_client):
        server.server.service.tables.durable.limit = 1
        ann = await new_client().connect()
        asks = {"oplock": BATCH}
        for number, flags in enumerate((PERSISTENT, 0)):
            contexts = [durable_v2(bytes([number]) * 16, flags=PERSISTENT)]
            answer = await ann.create(str(number), contexts=contexts, **asks)
            assert granted(answer)[1] == flags


async def test_a_restored_handle_ends_when_its_time_is_over(place, mock_clock):
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        asks = [durable_v2(GUID, timeout=5000, flags=PERSISTENT)]
        await ann.open("file", oplock=BATCH, contexts=asks)
    async with place.served() as (server, _):
        mock_clock.jump(4.9)
        assert parked(server) == 1
        mock_clock.jump(0.2)
        while server.server.document()["opens"] or place.records:
            await trio.lowlevel.checkpoint()


async def test_others_wait_for_the_client_of_a_persistent_handle_and_it_is_told_when_it_comes(
    place,
):
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        before = await ann.open("file", **ASKS)
    async with place.served() as (_, new_client):
        client = new_client()
        bob = await new_client(guid=b"b" * 16).connect()
        waits = await bob.begin(CREATE, messages.create("file", disposition=FILE_OPEN))
        await bob.interim(waits)
        ann = await client.connect()
        answer = await gets_back(ann, before, lease(KEY, 0))
        told = caching.parse_break(await ann.notification())
        assert (told.current, told.new) == (R | W | H, R | H)
        assert (await ann.write(answer.file_id, b"from the cache")).status == 0
        assert (await ann.acknowledge_lease(KEY, R | H)).status == 0
        assert (await bob.reply(waits)).status == 0


async def test_a_create_whose_response_was_lost_in_a_restart_gives_its_open(place):
    asks = messages.create("file", disposition=2, **ASKS)
    async with place.served() as (_, new_client):
        ann = await new_client().connect()
        first = await ann.ask(CREATE, asks)
    async with place.served() as (_, new_client):
        client = new_client()
        ann = await client.connect()
        again = await ann.ask(CREATE, asks, flags=REPLAY)
        assert again.status == 0
        assert again.file_id[:8] == first.file_id[:8]


class Program:
    """tsmbd in a process of its own, and a port."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smbd", "serve", "--config", str(folder / "shares.toml")],
            cwd=HERE,
            env={**os.environ, "PYTHONPATH": str(HERE), "XDG_RUNTIME_DIR": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.host, self.port = "127.0.0.1", 0

    def started(self):
        for line in self.process.stdout:
            if found := re.search(r"^tsmbd serves on 127\.0\.0\.1:(\d+)$", line):
                self.port = int(found[1])
                return self
        raise AssertionError(self.process.wait())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


async def test_a_killed_server_comes_back_with_the_handle_its_locks_and_its_data(place):
    folder = place.share.parent
    shares = f"[shares.share]\npath = '{place.share}'\ncontinuous = true\n"
    server = f"[server]\nlisten = ['127.0.0.1:0']\nstate_directory = '{place.state}'\n"
    (folder / "shares.toml").write_text(f"{server}[users.test]\npassword = 'test'\n{shares}")
    (folder / "shares.toml").chmod(0o600)
    first = Program(folder)
    try:
        async with clients(first.started()) as new_client:
            ann = await new_client().connect()
            before = await ann.open("file", share=0, **ASKS)
            assert (await ann.write(before, b"data")).status == 0
            assert (await ann.lock(before, (0, 2, EXCLUSIVE | FAIL_IMMEDIATELY))).status == 0
            first.kill()
    finally:
        first.kill()
    second = Program(folder)
    try:
        async with clients(second.started()) as new_client:
            client = new_client()
            ann = await client.connect()
            answer = await gets_back(ann, before, lease(KEY, 0))
            assert answer.status == 0
            assert (await ann.read(answer.file_id)).data == b"data"
            assert (await ann.lock(answer.file_id, (0, 2, UNLOCK))).status == 0
    finally:
        second.kill()
