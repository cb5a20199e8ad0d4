"""What other processes of the machine do takes leases and oplocks away, where `watch = true`."""

import errno
import os
import sys

import pytest
import trio

from aio import kernel
from smbd.testing import serve
from smbd.vfs import watches
from smbd.wire.create_contexts import LeaseState
from tests.core import messages
from tests.core.messages import CHANGE_NOTIFY, CLOSE, FILE_OPEN
from tests.scripted import caching, clients
from tests.scripted.caching import BATCH, BY_LEASE, LEVEL_II, NONE, H, OplockBreak, R, W
from tests.server.running import ONE_SHARE, running
from tests.server.test_leases import FOLDER, KEY, OTHER, leased, told
from tests.server.test_local_changes import can

END_OF_FILE = 20
ALL = R | H | W
needs_fanotify = pytest.mark.skipif(not can(watches.Fanotify), reason="no fanotify here")


@pytest.fixture
def folder(tmp_path):
    for name in ("file", "last"):
        (tmp_path / name).write_bytes(b"data")
    return tmp_path


@pytest.fixture
async def new_client(folder):
    async with serve(folder, watch=True) as server, clients(server) as new_client:
        with trio.fail_after(240):
            yield new_client


@pytest.fixture
async def pair(new_client):
    return await new_client().connect(), await new_client().connect()


async def locally(folder, commands):
    """Another process does this in the folder."""
    await trio.run_process(["/bin/sh", "-ec", commands], cwd=folder)


async def hears_nothing(client, folder):
    """All that has happened until now takes nothing from a client."""
    await client.open("last", **leased(OTHER, R))
    await locally(folder, "echo >> last")
    assert (await told(client)).key == OTHER


@needs_fanotify
@pytest.mark.parametrize(
    ("commands", "state", "left"),
    [
        ("echo more >> file", R, 0),
        ("echo more >> file", ALL, 0),
        (": > file", R | H, 0),
        ("truncate -s 1 file", R | H, 0),
        ("chmod 600 file", R | H, 0),
        ("touch -d 2000-01-01 file", R, 0),
        ("rm file", ALL, 0),
        ("ln file other; echo more >> other", R, 0),
        ("echo other > other; mv other file", R | H, 0),
        ("mv file other", ALL, R | W),
        ("mkdir inner; mv file inner", R | H, R),
    ],
)
async def test_a_change_takes_the_lease(pair, folder, commands, state, left):
    ann, _ = pair
    answer = await ann.create("file", **leased(state=state))
    assert caching.granted_lease(answer).state == state
    await locally(folder, commands)
    found = await told(ann)
    assert (found.key, found.current, found.new) == (KEY, state, left)
    assert found.must_acknowledge is bool(state & (H | W))


_THROUGH_A_MAPPING = """
import mmap, os
with open("file", "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 0)
mapped[:] = b"DATA"
mapped.close()
"""


@needs_fanotify
async def test_a_change_through_a_mapping_takes_the_lease_when_the_mapping_ends(pair, folder):
    ann, _ = pair
    file = await ann.open("file", **leased(state=R))
    await trio.run_process([sys.executable, "-c", _THROUGH_A_MAPPING], cwd=folder)
    assert (await told(ann)).new == 0
    assert (await ann.read(file)).data == b"DATA"


@needs_fanotify
async def test_what_is_read_after_the_break_is_what_was_written(pair, folder):
    ann, _ = pair
    file = await ann.open("file", **leased(state=R))
    await locally(folder, "echo -n other > file")
    await told(ann)
    assert (await ann.read(file)).data == b"other"
    again = await ann.create("file", **leased(state=R))
    assert caching.granted_lease(again).state == R, "it is cached anew"


@needs_fanotify
@pytest.mark.parametrize(("level", "left"), [(BATCH, NONE), (LEVEL_II, NONE)])
async def test_a_change_takes_an_oplock(pair, folder, level, left):
    ann, _ = pair
    file = await ann.create("file", oplock=level)
    await locally(folder, "echo more >> file")
    assert await told(ann) == OplockBreak(left, file.file_id)


@needs_fanotify
@pytest.mark.parametrize(
    "commands",
    [": > inner/new", "rm inner/a", "echo more >> inner/a", "mv inner/a .", "mv file inner"],
)
async def test_a_change_in_a_directory_takes_its_lease(pair, folder, commands):
    await locally(folder, "mkdir inner; : > inner/a")
    ann, _ = pair
    answer = await ann.create("inner", **FOLDER, **leased(state=R | H))
    assert caching.granted_lease(answer).state == R | H
    await locally(folder, commands)
    found = await told(ann)
    assert (found.key, found.current, found.new) == (KEY, R | H, 0)


@needs_fanotify
async def test_a_leased_directory_is_heard_of_after_its_watcher_has_gone(new_client, folder):
    await locally(folder, "mkdir inner")
    local = new_client._server.server.service.tables.local
    ann, bob = await new_client().connect(), await new_client().connect()
    cached = await ann.open("inner", **FOLDER, **leased(state=R | H))
    watched = await bob.open("inner", **FOLDER)
    await bob.begin(CHANGE_NOTIFY, messages.change_notify(watched, flags=0))
    while not len(local):
        await trio.lowlevel.checkpoint()
    await bob.ask(CLOSE, messages.close(watched))
    assert (len(local), len(local.guards)) == (0, 1)
    await locally(folder, ": > inner/a")
    assert (await told(ann)).new == 0
    await ann.close(cached)
    assert len(local.guards) == 0


@needs_fanotify
async def test_reading_takes_nothing(pair, folder):
    ann, _ = pair
    await ann.open("file", **leased())
    await locally(folder, "cat file; ls -l; stat file")
    await hears_nothing(ann, folder)


@needs_fanotify
async def test_what_its_own_client_does_takes_nothing(pair, folder):
    ann, _ = pair
    file = await ann.open("file", **leased())
    assert (await ann.write(file, b"its own")).status == 0
    assert (await ann.set_info(file, END_OF_FILE, (3).to_bytes(8, "little"))).status == 0
    assert (await ann.flush(file)).status == 0
    await hears_nothing(ann, folder)


@needs_fanotify
@pytest.mark.parametrize("engine", ["sync", "threads", "libaio", "uring,threads"])
async def test_no_engines_writes_are_taken_for_another_processs(folder, engine):
    async with serve(folder, watch=True, engine=engine) as server, clients(server) as new_client:
        ann = await new_client().connect()
        file = await ann.open("file", **leased())
        for number in range(5):
            assert (await ann.write(file, b"its own", 7 * number)).status == 0
        await hears_nothing(ann, folder)


@needs_fanotify
async def test_an_own_write_hides_no_other_one_at_the_same_time(pair, folder):
    ann, _ = pair
    for number in range(10):
        name = f"file{number}"
        file = await ann.open(name, **leased(key := b"key of this %4d" % number, ALL))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(locally, folder, f"echo >> {name}")
            for _ in range(20):
                assert (await ann.write(file, b"its own")).status == 0
        found = await told(ann)
        assert (found.key, found.new) == (key, 0)


@needs_fanotify
async def test_when_the_kernel_has_lost_count_all_leases_go(pair, folder, monkeypatch):
    ann, bob = pair
    await ann.open("file", **leased(state=R))
    await bob.open("last", **leased(OTHER, ALL))
    read = watches.Fanotify.read

    def overflowing(self):
        monkeypatch.setattr(watches.Fanotify, "read", read)
        return [watches.Seen(kernel.IN_Q_OVERFLOW), *read(self)]

    monkeypatch.setattr(watches.Fanotify, "read", overflowing)
    await locally(folder, "chmod 600 file")
    assert (await told(ann)).new == 0
    assert (await told(bob)).new == 0


@needs_fanotify
async def test_a_file_that_nobody_has_open_any_more_is_not_looked_after(new_client, folder):
    ann = await new_client().connect()
    guards = new_client._server.server.service.tables.local.guards
    first = await ann.open("file", **leased())
    second = await ann.open("file", **leased())
    assert len(guards) == 1
    await ann.close(first)
    assert len(guards) == 1
    await ann.close(second)
    assert len(guards) == 0
    refused = await ann.create("nothing", disposition=FILE_OPEN, **leased())
    assert refused.status != 0
    assert len(guards) == 0


@pytest.mark.parametrize("without", ["fanotify", "any", "a mark"])
async def test_what_cannot_be_looked_after_is_not_cached(folder, monkeypatch, caplog, without):
    """inotify does not say who it was: its events would take each client's own leases."""
    kinds = {"fanotify": (watches.Inotify,), "any": (), "a mark": watches.KINDS}[without]
    monkeypatch.setattr(watches, "KINDS", kinds)

    def refused(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(watches.Fanotify, "mark", refused)
    async with serve(folder, watch=True) as server, clients(server) as new_client:
        ann = await new_client().connect()
        for wanted in (leased(), {"oplock": BATCH}):
            answer = await ann.create("file", **wanted)
            assert answer.status == 0
            assert answer.oplock in {NONE, BY_LEASE}
            lease = caching.granted_lease(answer)
            assert lease is None or lease.state == LeaseState.NONE
    told_of = [one for one in caplog.records if getattr(one, "event", "") == "watch failed"]
    assert len(told_of) == (without != "fanotify"), "once"


@needs_fanotify
async def test_a_reload_looks_after_what_is_cached_already(tmp_path):
    async with running(tmp_path) as server, clients(server) as new_client:
        ann = await new_client().connect()
        folder = tmp_path / "one"
        await ann.open("file", **leased(state=R))
        server.write(ONE_SHARE + "watch = true\n")
        assert await server.reload()
        await locally(folder, "echo more >> file")
        assert (await told(ann)).new == 0


@needs_fanotify
async def test_a_reload_takes_what_cannot_be_looked_after(tmp_path, monkeypatch):
    async with running(tmp_path) as server, clients(server) as new_client:
        ann = await new_client().connect()
        await ann.open("file", **leased(state=R))
        monkeypatch.setattr(watches, "KINDS", (watches.Inotify,))
        server.write(ONE_SHARE + "watch = true\n")
        assert await server.reload()
        assert (await told(ann)).new == 0
