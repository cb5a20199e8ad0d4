"""What holds a share's workers holds neither other shares nor, if it can be, other clients."""

import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from smbd import vfs
from smbd.commands import create
from smbd.server import building
from smbd.share import Share
from tests.core import messages
from tests.core.messages import CREATE, QUERY_DIRECTORY
from tests.scripted import connected
from tests.server.running import connect_status, login_status, running

TWO_SHARES = "[shares.share]\npath = 'one'\n[shares.other]\npath = 'two'\n"
OF_ONE_CONNECTION = 8  # of a share's workers, for quick calls; 4 for long ones


class Disk:
    """The disk of one share, which hangs until it is let go."""

    def __init__(self):
        self.answers = threading.Event()
        self.asked = []

    def hang(self, name):
        self.asked.append(name)
        self.answers.wait()

    async def asked_for(self, count):
        while len(self.asked) < count:
            await wait_all_tasks_blocked()


@pytest.fixture
def disk(monkeypatch):
    """That of the share "one", as CREATE in a worker meets it."""
    disk = Disk()
    really = create.open_or_create

    def open_or_create(root, wanted, *more):
        if root.path.name == "one":
            disk.hang(wanted.path)
        return really(root, wanted, *more)

    monkeypatch.setattr(create, "open_or_create", open_or_create)
    yield disk
    disk.answers.set()


async def hold(server, client, disk, count=20):
    """CREATEs in the share that hangs."""
    await client.connect()
    frames = [client.peer.request(CREATE, messages.create(f"n{number}")) for number in range(count)]
    await client.send(*frames)
    await disk.asked_for(min(count, OF_ONE_CONNECTION))
    await wait_all_tasks_blocked()


async def test_a_share_whose_disk_hangs_holds_nothing_else(tmp_path, disk):
    async with running(tmp_path, TWO_SHARES) as server, connected(server) as client:
        await hold(server, client, disk)
        async with connected(server) as other:
            await other.connect("other")
            assert await other.works()
        assert await login_status(server) == 0
        assert await connect_status(server, "share") == 0
        assert "sessions" in await server.ask({"ask": "status"})
        server.write(TWO_SHARES + "read_only = true\n")
        assert await server.reload()
        disk.answers.set()


async def test_one_connection_does_not_get_all_workers_of_a_share(tmp_path, disk):
    async with running(tmp_path, TWO_SHARES) as server, connected(server) as client:
        await hold(server, client, disk, 40)
        assert len(disk.asked) == OF_ONE_CONNECTION
        async with connected(server) as other:
            await other.connect()
            await other.send(other.peer.request(CREATE, messages.create("of another")))
            await disk.asked_for(OF_ONE_CONNECTION + 1)
            disk.answers.set()
            assert (await other.answer()).status == 0
    assert "of another" in disk.asked


async def test_what_had_not_begun_never_begins_once_its_client_has_gone(tmp_path, disk):
    async with running(tmp_path, TWO_SHARES) as server:
        async with connected(server) as client:
            await hold(server, client, disk)
        await wait_all_tasks_blocked()
        disk.answers.set()
    assert len(disk.asked) == OF_ONE_CONNECTION
    # One that has begun is whole, or gives up before it makes its file.
    assert {made.name for made in (tmp_path / "one").iterdir()} <= set(disk.asked)


async def test_a_listing_that_nobody_waits_for_ends(tmp_path, monkeypatch):
    matched = Disk()

    def matcher(_pattern):
        def matches(name):
            matched.hang(name)
            return True

        return matches

    monkeypatch.setattr(vfs, "matcher", matcher)
    async with running(tmp_path) as server:
        for number in range(1000):
            (tmp_path / "one" / f"{number}").touch()
        async with connected(server) as client:
            await client.connect()
            folder = await client.open("", options=1)
            question = messages.query_directory(folder, pattern="*a*b")
            await client.send(client.peer.request(QUERY_DIRECTORY, question))
            await matched.asked_for(1)
        await wait_all_tasks_blocked()
        matched.answers.set()
    assert len(matched.asked) < 100


async def reload_without_answer(server, disk, clock):
    """Whether shares.toml was read again, after a question to which no answer came."""
    async with trio.open_nursery() as nursery:

        async def give_up():
            await disk.asked_for(1)
            clock.jump(60)

        nursery.start_soon(give_up)
        return await server.reload()


async def test_a_share_whose_disk_does_not_answer_goes_on_and_shares_toml_is_read(
    tmp_path, disk, monkeypatch, mock_clock
):
    really = building._same_storage

    def same_storage(share, wanted):
        if share.name == "share":
            disk.hang("the folder")
        return really(share, wanted)

    async with running(tmp_path, TWO_SHARES) as server:
        service = server.server.service
        before = service.shares["share"]
        monkeypatch.setattr(building, "_same_storage", same_storage)
        server.write(TWO_SHARES.replace("other", "third"))
        assert await reload_without_answer(server, disk, mock_clock)
        assert set(service.shares) == {"share", "third"}
        assert service.shares["share"] is before
        disk.answers.set()


async def test_a_new_share_whose_disk_does_not_answer_changes_nothing(
    tmp_path, disk, monkeypatch, mock_clock
):
    async with running(tmp_path) as server:
        monkeypatch.setattr(Share, "open_root", lambda *_: disk.hang("the folder"))
        server.write(TWO_SHARES)
        assert not await reload_without_answer(server, disk, mock_clock)
        assert set(server.server.service.shares) == {"share"}
        disk.answers.set()
