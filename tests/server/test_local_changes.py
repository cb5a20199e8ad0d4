"""What other processes of the machine change below a share with `watch = true`.

The server of these tests is in their own process, whose changes it takes for its own: so each local
change is made by a shell.
"""

import subprocess
import time

import pytest
import trio

from aio import kernel
from smbd.testing import serve_in_thread
from smbd.vfs import watches
from tests.core import messages
from tests.core.messages import CHANGE_NOTIFY
from tests.scripted import connected
from tests.server.clients import PypiClient
from tests.server.clients.information import rename
from tests.server.running import ONE_SHARE, running
from tests.server.test_change_notify import (
    A_FOLDER,
    ADDED,
    MODIFIED,
    NAMES,
    NEW,
    OLD,
    REMOVED,
    changes,
    told,
    watch,
    watched,
)


def can(kind):
    try:
        kind().close()
    except OSError:
        return False
    return True


LOOK = "look for yourself"  # NOTIFY_ENUM_DIR, which smbprotocol makes an empty list of

BOTH = [
    pytest.param(kind, marks=pytest.mark.skipif(not can(kind), reason=f"no {kind.name} here"))
    for kind in (watches.Fanotify, watches.Inotify)
]


@pytest.fixture(params=BOTH, ids=lambda kind: kind.name)
def kind(request, monkeypatch):
    """The one way that there is to hear of changes."""
    monkeypatch.setattr(watches, "KINDS", (request.param,))
    return request.param


@pytest.fixture
def server(folder, kind):
    with serve_in_thread(folder, watch=True) as server:
        yield server


def locally(folder, commands):
    """Another process does this in the folder."""
    subprocess.run(["/bin/sh", "-ec", commands], cwd=folder, check=True)


def heard(folder, opened, **how):
    """All that a handle is told until now: nothing comes later that has happened already."""
    found = []
    watcher = watch(opened, **how)
    locally(folder, ": > last")
    while (ADDED, "last") not in found:
        found += told(watcher) or [LOOK]
        watcher = watch(opened)
    watcher.cancel()
    assert found[-1] == (ADDED, "last")
    return found[:-1]


def settled(server):
    """The directories of all trees that are watched have been found."""
    local = server.server.service.tables.local
    while local.walks:
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("before", "commands", "expected"),
    [
        ("", ": > a", [(ADDED, "a")]),
        (": > a", "echo data >> a", [(MODIFIED, "a")]),
        (": > a", "chmod 600 a", [(MODIFIED, "a")]),
        (": > a", "mv a b", [(OLD, "a"), (NEW, "b")]),
        (": > a", "rm a", [(REMOVED, "a")]),
        ("", "mkdir a", [(ADDED, "a")]),
        ("mkdir a", "mv a b", [(OLD, "a"), (NEW, "b")]),
        ("mkdir a", "rmdir a", [(REMOVED, "a")]),
    ],
)
def test_what_another_process_does_is_told(folder, pypi, before, commands, expected):
    locally(folder, before)
    opened = watched(pypi)
    assert changes(opened) == []
    locally(folder, commands)
    assert heard(folder, opened) == expected


def test_what_clients_do_is_told_once(folder, pypi, other):
    opened = watched(pypi)
    assert changes(opened) == []
    expected = []
    for number in range(3):
        file = other.open(f"a{number}")
        file.write(b"data", 0)
        file.flush()
        rename(file, f"b{number}")
        file.close()
        other.remove(f"b{number}")
        expected += [(ADDED, f"a{number}"), (MODIFIED, f"a{number}"), (OLD, f"a{number}")]
        expected += [(NEW, f"b{number}"), (MODIFIED, f"b{number}"), (REMOVED, f"b{number}")]
    assert heard(folder, opened) == expected


def test_what_both_do_to_the_same_names_at_once_is_all_told(folder, pypi, other):
    """As often as it happened: of equal changes one is the client's, the others are not."""
    opened = watched(pypi)
    assert changes(opened, NAMES) == []
    for _ in range(3):
        other.open("a").close()
        locally(folder, "rm a; : > a")
        other.remove("a")
    found = heard(folder, opened, wanted=NAMES)
    assert found.count((ADDED, "a")) == found.count((REMOVED, "a")) == 6


def test_a_file_that_a_client_and_another_process_write_is_told_of_both(folder, pypi, other):
    opened = watched(pypi)
    assert changes(opened) == []
    file = other.open("a")
    file.write(b"data", 0)
    file.close()
    assert changes(opened) == [(ADDED, "a"), (MODIFIED, "a")]
    locally(folder, "echo data > a")  # its truncation may be told of apart
    assert set(heard(folder, opened)) == {(MODIFIED, "a")}


@pytest.mark.parametrize("by", ["way", "real"])
def test_a_folder_hears_once_of_what_is_done_by_any_name_of_it(folder, pypi, other, by):
    locally(folder, "mkdir real; ln -s real way")
    opened, beside = watched(pypi, by), watched(pypi, "way")
    assert changes(opened) == changes(beside) == []
    for at in ("real", "way"):
        file = other.open(f"{at}\\{at}")
        file.write(b"data", 0)
        file.close()
    locally(folder, ": > real/c")
    expected = [(what, name) for name in ("real", "way") for what in (ADDED, MODIFIED)]
    assert heard(folder / "real", opened) == [*expected, (ADDED, "c")]


def test_with_watch_tree_every_directory_below_is_looked_after(folder, server, pypi):
    locally(folder, "mkdir -p a/b")
    opened = watched(pypi)
    assert changes(opened, tree=True) == []
    settled(server)
    locally(folder, ": > a/b/c; mv a/b/c a/d; mv a e; : > e/b/f; rm -r e/b")
    assert heard(folder, opened) == [
        (ADDED, r"a\b\c"),
        (REMOVED, r"a\b\c"),
        (ADDED, r"a\d"),
        (OLD, "a"),
        (NEW, "e"),
        (ADDED, r"e\b\f"),
        (REMOVED, r"e\b\f"),
        (REMOVED, r"e\b"),
    ]


def test_a_directory_that_comes_with_its_content_is_looked_through(folder, server, pypi):
    """What came before the mark nobody is told of by name."""
    opened = watched(pypi)
    assert changes(opened, tree=True) == []
    locally(folder, "mkdir ../a; : > ../a/b; mv ../a a")
    watcher = watch(opened)
    found = []
    while LOOK not in found:
        found += told(watcher) or [LOOK]
        watcher = watch(opened)
    watcher.cancel()
    settled(server)
    assert set(heard(folder, opened)) <= {(ADDED, "a")}
    locally(folder, "rm last")
    locally(folder, "echo data > a/b")
    assert set(heard(folder, opened)) == {(REMOVED, "last"), (MODIFIED, r"a\b")}


def test_a_directory_that_a_client_makes_is_looked_after_too(folder, server, pypi, other):
    opened = watched(pypi)
    assert changes(opened, NAMES, tree=True) == []
    other.open("a", options=A_FOLDER).close()
    assert changes(opened, NAMES) == [(ADDED, "a")]
    locally(folder, ": > last")
    assert told(watch(opened, NAMES)) == [(ADDED, "last")]
    settled(server)
    locally(folder, "rm last; : > a/b")
    assert heard(folder, opened) == [(REMOVED, "last"), (ADDED, r"a\b")]


def test_the_marks_go_with_the_last_that_watches(folder, server, pypi):
    local = server.server.service.tables.local
    locally(folder, "mkdir -p a/b a/c")
    deep, flat, other = watched(pypi), watched(pypi), watched(pypi, "a")
    for opened, tree, marks in ((deep, True, 4), (flat, False, 4), (other, False, 4)):
        assert changes(opened, tree=tree) == []
        settled(server)
        assert len(local) == marks
    for opened, marks in ((deep, 2), (flat, 1), (other, 0)):
        opened.close()
        assert len(local) == marks


def test_each_of_two_clients_hears_of_it(folder, pypi, other):
    both = [watch(watched(client)) for client in (pypi, other)]
    locally(folder, ": > a")
    assert [told(watcher) for watcher in both] == [[(ADDED, "a")]] * 2


def test_when_the_kernel_has_lost_count_all_that_watch_are_to_look(folder, kind, pypi, monkeypatch):
    opened = watched(pypi)
    assert changes(opened) == []
    read = kind.read

    def overflowing(self):
        monkeypatch.setattr(kind, "read", read)
        return [watches.Seen(kernel.IN_Q_OVERFLOW), *read(self)]

    monkeypatch.setattr(kind, "read", overflowing)
    watcher = watch(opened)
    locally(folder, ": > a")
    assert told(watcher) == [], "NOTIFY_ENUM_DIR"


def test_smbclient_hears_of_it(folder, server, samba):
    """Its `notify` prints until it is killed."""
    local = server.server.service.tables.local
    with samba.started('notify ""') as client:
        while not len(local):
            time.sleep(0.001)
        locally(folder, ": > 'from outside'")
        assert "from outside" in client.stdout.readline()


def test_without_watch_nothing_is_marked(folder, kind):
    with serve_in_thread(folder) as server, PypiClient(server) as client:
        assert changes(watched(client), tree=True) == []
        assert server.server.document()["local_changes"]["by"] == ""
        assert not len(server.server.service.tables.local)


def test_a_server_ends_in_the_middle_of_a_walk(folder, kind, monkeypatch):
    for number in range(20):
        (folder / str(number)).mkdir()
    going = watches.walk

    def ending(top, below, mark, may_go_on):
        for number, found in enumerate(going(top, below, mark, may_go_on)):
            while number == 10 and may_go_on():
                time.sleep(0.001)
            yield found

    monkeypatch.setattr("smbd.server.watching.walk", ending)
    with serve_in_thread(folder, watch=True) as server, PypiClient(server) as client:
        assert changes(watched(client), tree=True) == []


async def test_a_reload_begins_and_ends_what_is_watched(tmp_path, kind):
    """Handles that watch already are told of local changes from then on, and no more later."""
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()
        local = server.server.service.tables.local
        folder = await client.open("", access=1, options=1)
        await client.send(client.peer.request(CHANGE_NOTIFY, messages.change_notify(folder)))
        await client.answers()  # PENDING
        assert len(local) == 0
        server.write(ONE_SHARE + "watch = true\n")
        assert await server.reload()
        assert len(local) == 1
        assert local.by == kind.name
        server.write(ONE_SHARE)
        assert await server.reload()
        assert len(local) == 0


async def test_a_share_that_a_reload_brings_is_watched(tmp_path, kind):
    two = "[shares.two]\npath = 'two'\nwatch = true\n"
    async with running(tmp_path) as server, connected(server) as client:
        server.write(ONE_SHARE + two)
        assert await server.reload()
        await client.connect("two")
        folder = await client.open("", access=1, options=1)
        await client.send(client.peer.request(CHANGE_NOTIFY, messages.change_notify(folder)))
        await client.answers()  # PENDING
        server.write(ONE_SHARE)
        assert await server.reload()
        await trio.run_process(["touch", tmp_path / "two/a"])
        assert (await client.answer()).status == 0, "it lives on for those that are connected"


def test_more_directories_than_may_be_marked_are_said_in_the_log(folder, kind, monkeypatch, caplog):
    monkeypatch.setattr("smbd.server.watching._MOST_MARKS", 4)
    locally(folder, "mkdir a b c d e")
    with serve_in_thread(folder, watch=True) as server, PypiClient(server) as client:
        opened = watched(client)
        assert changes(opened, tree=True) == []
        settled(server)
        assert len(server.server.service.tables.local) <= 4
        opened.close()
    assert sum("more than 3 folders" in one.getMessage() for one in caplog.records) == 1


def test_a_tree_that_is_watched_again_at_once_is_looked_after_again(folder, server, pypi):
    """Its marks are removed by a worker, which must not remove those that have come since."""
    locally(folder, "mkdir -p a/b c/d")
    for number in range(10):
        opened = watched(pypi)
        assert changes(opened, tree=True) == []
        if number % 2:
            settled(server)
        opened.close()
    opened, inner = watched(pypi), watched(pypi, r"a\b")
    assert changes(inner) == changes(opened, tree=True) == []
    settled(server)
    locally(folder, ": > a/b/e; : > c/d/f")
    assert heard(folder, opened) == [(ADDED, r"a\b\e"), (ADDED, r"c\d\f")]
    assert changes(inner) == [(ADDED, "e")]
