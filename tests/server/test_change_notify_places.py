"""A watched folder is one, whatever symbolic link or share leads to it ([MS-FSA] 2.1.4.1)."""

import pytest

from smbd.config import ShareConfig
from smbd.testing import serve_in_thread
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition
from smbd.wire.fscc import FileAttribute
from tests.server.clients import PypiClient
from tests.server.clients.information import link, mark_for_deletion, rename, set_basic
from tests.server.test_change_notify import (
    A_FOLDER,
    ADDED,
    DELETE_ON_CLOSE,
    MODIFIED,
    NAMES,
    NEW,
    OLD,
    REMOVED,
    changes,
    watched,
)

DELETE = Access.DELETE | Access.FILE_READ_ATTRIBUTES | Access.FILE_WRITE_ATTRIBUTES
MAKES = CreateDisposition.CREATE


@pytest.fixture
def served(folder):
    """`way` and `tree/way` lead to `tree/real`, `way_to_file` to a file there."""
    (folder / "tree/real/inner").mkdir(parents=True)
    for name in ("tree/real/file", "tree/real/gone (deleted)", "outside"):
        (folder / name).write_bytes(b"data")
    (folder / "way").symlink_to("tree/real")
    (folder / "tree/way").symlink_to("real")
    (folder / "way_to_file").symlink_to("tree/real/file")
    (folder / "tree/real/link").symlink_to("file")
    return folder


def made(client, name, options=0):
    client.open(name, disposition=MAKES, options=options).close()


def on(client, name, do, *how, options=0):
    opened = client.open(name, access=DELETE, options=options)
    do(opened, *how)
    opened.close()


def written(client, name):
    opened = client.open(name, access=Access.FILE_WRITE_DATA)
    opened.write(b"more", 0)
    opened.close()


def removed(client, name):
    client.open(name, access=DELETE, options=DELETE_ON_CLOSE).close()


def marked(opened):
    set_basic(opened, file_attributes=FileAttribute.HIDDEN)


# What is done, by the folder's name, and what its watcher is told.
DONE = {
    "file made": (lambda at, c: made(c, f"{at}\\new"), [(ADDED, "new")]),
    "folder made": (lambda at, c: made(c, f"{at}\\new", A_FOLDER), [(ADDED, "new")]),
    "made deeper": (lambda at, c: made(c, f"{at}\\inner\\new"), [(ADDED, "inner\\new")]),
    "written": (lambda at, c: written(c, f"{at}\\file"), [(MODIFIED, "file")]),
    "attributes": (lambda at, c: on(c, f"{at}\\file", marked), [(MODIFIED, "file")]),
    "deleted": (lambda at, c: removed(c, f"{at}\\file"), [(REMOVED, "file")]),
    "marked for deletion": (
        lambda at, c: on(c, f"{at}\\file", mark_for_deletion),
        [(REMOVED, "file")],
    ),
    "deleted, of a name as the kernel has deleted ones": (
        lambda at, c: removed(c, f"{at}\\gone (deleted)"),
        [(REMOVED, "gone (deleted)")],
    ),
    "folder removed": (
        lambda at, c: on(c, f"{at}\\inner", mark_for_deletion, options=A_FOLDER),
        [(REMOVED, "inner")],
    ),
    "link removed": (lambda at, c: removed(c, f"{at}\\link"), [(REMOVED, "link")]),
    "link renamed": (
        lambda at, c: on(c, f"{at}\\link", rename, f"{at}\\new"),
        [(OLD, "link"), (NEW, "new")],
    ),
    "renamed": (
        lambda at, c: on(c, f"{at}\\file", rename, f"{at}\\new"),
        [(OLD, "file"), (NEW, "new")],
    ),
    "renamed by the other name": (
        lambda _at, c: on(c, "way\\file", rename, "tree\\real\\new"),
        [(OLD, "file"), (NEW, "new")],
    ),
    "folder renamed": (
        lambda at, c: on(c, f"{at}\\inner", rename, f"{at}\\new", options=A_FOLDER),
        [(OLD, "inner"), (NEW, "new")],
    ),
    "moved in": (
        lambda at, c: on(c, "outside", rename, f"{at}\\new"),
        [(ADDED, "new")],
    ),
    "moved out": (lambda at, c: on(c, f"{at}\\file", rename, "new"), [(REMOVED, "file")]),
    "moved deeper": (
        lambda at, c: on(c, f"{at}\\file", rename, f"{at}\\inner\\new"),
        [(REMOVED, "file"), (ADDED, "inner\\new")],
    ),
    "stream made": (lambda at, c: made(c, f"{at}\\file:s"), [(MODIFIED, "file")]),
    "one more name": (lambda at, c: on(c, "outside", link, f"{at}\\new"), [(ADDED, "new")]),
}


@pytest.mark.parametrize("how", DONE)
@pytest.mark.parametrize(
    ("watched_by", "done_by"),
    [("way", "tree\\real"), ("tree\\real", "way"), ("way", "tree\\way"), ("way", "way")],
)
def test_a_folder_hears_of_what_is_done_by_another_name_of_it(
    served, pypi, other, watched_by, done_by, how
):
    do, events = DONE[how]
    deep, flat = watched(pypi, watched_by), watched(pypi, watched_by)
    assert changes(deep, tree=True) == changes(flat) == []
    do(done_by, other)
    assert changes(deep, tree=True) == events
    assert changes(flat) == [one for one in events if "\\" not in one[1]]


@pytest.mark.parametrize("how", DONE)
def test_a_tree_hears_of_what_is_done_by_way_of_a_link_by_the_name_that_it_has_there(
    served, pypi, other, how
):
    do, events = DONE[how]
    tree = watched(pypi, "tree")
    assert changes(tree, tree=True) == []
    do("way", other)
    assert changes(tree, tree=True) == [(action, f"real\\{name}") for action, name in events]


def test_what_is_written_by_a_link_to_a_file_is_told_where_the_file_lies(served, pypi, other):
    real, top = watched(pypi, "tree\\real"), watched(pypi)
    assert changes(real) == changes(top) == []
    written(other, "way_to_file")
    assert changes(real) == [(MODIFIED, "file")]
    assert changes(top) == []
    removed(other, "way_to_file")
    assert changes(real) == []
    assert changes(top) == [(REMOVED, "way_to_file")]


def test_a_folder_that_is_watched_by_a_link_is_watched_where_it_moves(served, pypi, other):
    way = watched(pypi, "way")
    assert changes(way, NAMES) == []
    on(other, "tree\\real", rename, "moved", options=A_FOLDER)
    made(other, "moved\\new")
    (served / "tree/real").mkdir()
    made(other, "way\\other")
    assert changes(way, NAMES) == [(ADDED, "new")]


@pytest.mark.parametrize("outer", ["tree\\real", "way"])
def test_a_share_in_a_share_hears_of_what_is_done_in_the_other(served, outer):
    inner = ShareConfig(name="inner", path=served / "way")
    with (
        serve_in_thread(served, shares=[inner]) as server,
        PypiClient(server) as one,
        PypiClient(server, share="inner") as two,
    ):
        inside, outside = watched(two), watched(one, outer)
        assert changes(inside, NAMES) == changes(outside, NAMES) == []
        made(one, f"{outer}\\a")
        made(two, "b")
        assert changes(inside, NAMES) == [(ADDED, "a"), (ADDED, "b")]
        assert changes(outside, NAMES) == [(ADDED, "a"), (ADDED, "b")]
