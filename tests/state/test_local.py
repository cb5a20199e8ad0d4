"""Changes on the machine itself: who hears of which, and which events are the server's own."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aio import kernel
from smbd.state import ChangeNotifyEntry, OpenTable, Tables
from smbd.state.aside import PATIENCE, Aside, Told
from smbd.vfs.watches import Seen
from smbd.wire.change_notify import FileAction
from tests.state.test_notify import EVERYTHING, PaperFile, PaperRoot, events

ADDED, REMOVED, MODIFIED = FileAction.ADDED, FileAction.REMOVED, FileAction.MODIFIED
OLD, NEW = FileAction.RENAMED_OLD_NAME, FileAction.RENAMED_NEW_NAME
SERVED = PaperRoot(Path("/srv"))
FOLDER = kernel.IN_ISDIR


@dataclass
class PaperWatches:
    name: str = "paper"
    tells_ours: bool = True


@dataclass
class Scene:
    """The tables, watchers by the name of their directory, and a marker that marks on paper.

    The key of a directory is its path.
    """

    sure: bool = True
    tables: Tables = field(default_factory=lambda: Tables(OpenTable(10)))
    marked: set = field(default_factory=set)
    looks: list = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self):
        self.watches = PaperWatches(tells_ours=self.sure)
        self.local = self.tables.local
        self.local.marker = self

    # As smbd.state.marks.Marker.

    def begin(self, watched, _directory):
        self.mark(watched.where)

    def look(self, _watched, place, *, fresh):
        self.looks.append((place, fresh))

    def end(self, watched):
        pass

    def unmark(self, mark, _place):
        self.marked.discard(mark.key)

    # What a test does.

    def mark(self, *places):
        for place in places:
            self.marked.add(place)
            self.local.put(place, place, self.watches)

    def watch(self, path="", *, tree=False):
        entry = ChangeNotifyEntry(PaperFile(path, root=SERVED), EVERYTHING, tree, 4096)
        self.tables.notify.watch(entry)
        self.local.watch(entry, None)
        return entry

    def end_watch(self, entry):
        self.local.unwatch(entry)
        self.tables.notify.end(entry, 0)

    def hear(self, mask, directory, name, **more):
        self.local.heard(Seen(mask, directory=directory, name=name, **more), self.watches, self.now)

    def wait(self, seconds):
        self.now += seconds
        self.tables.deadlines.pass_(self.now)


def told(entry):
    return events(entry.take(4096))


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (kernel.IN_CREATE, [(ADDED, "a")]),
        (kernel.IN_DELETE, [(REMOVED, "a")]),
        (kernel.IN_MODIFY, [(MODIFIED, "a")]),
        (kernel.IN_ATTRIB, [(MODIFIED, "a")]),
        (kernel.IN_MOVED_FROM, [(REMOVED, "a")]),
        (kernel.IN_MOVED_TO, [(ADDED, "a")]),
        (kernel.IN_CREATE | kernel.IN_DELETE, [(REMOVED, "a"), (ADDED, "a")]),
        (kernel.IN_CREATE | kernel.IN_MODIFY | kernel.IN_ATTRIB, [(ADDED, "a"), (MODIFIED, "a")]),
    ],
)
def test_each_kind_of_event_is_told_and_what_is_gone_before_what_came(mask, expected):
    scene = Scene()
    entry = scene.watch()
    scene.hear(mask, "/srv", "a")
    assert told(entry) == expected


def test_the_servers_own_events_are_told_by_its_reports_alone():
    scene = Scene()
    entry = scene.watch()
    scene.hear(kernel.IN_CREATE, "/srv", "a", ours=True)
    assert told(entry) == []
    assert (scene.local.counts.events, scene.local.counts.ours) == (1, 1)


def test_events_of_unknown_marks_and_of_the_store_of_streams_are_nobodys():
    scene = Scene()
    entry = scene.watch()
    scene.hear(kernel.IN_CREATE, "elsewhere", "a")
    scene.hear(kernel.IN_CREATE | FOLDER, "/srv", ".smbd-streams")
    assert told(entry) == []


def test_a_rename_between_two_directories_is_a_removal_and_an_addition():
    scene = Scene()
    entry = scene.watch(tree=True)
    scene.mark("/srv/a", "/srv/b")
    more = {"new_directory": "/srv/b", "new_name": "y"}
    scene.hear(kernel.FAN_RENAME, "/srv/a", "x", **more)
    assert told(entry) == [(REMOVED, r"a\x"), (ADDED, r"b\y")]


def test_a_directory_that_moves_takes_its_marks_and_its_watchers_with_it():
    scene = Scene()
    tree, inner = scene.watch(tree=True), scene.watch("a/b")
    scene.mark("/srv/a", "/srv/a/b")
    more = {"new_directory": "/srv", "new_name": "c"}
    scene.hear(kernel.FAN_RENAME | FOLDER, "/srv", "a", **more)
    scene.hear(kernel.IN_CREATE, "/srv/a/b", "x")
    assert told(tree) == [(OLD, "a"), (NEW, "c"), (ADDED, r"c\b\x")]
    assert told(inner) == [(ADDED, "x")]
    assert inner.where == "/srv/c/b"
    scene.end_watch(tree)
    assert scene.marked == {"/srv/a/b"}, "its key; it is watched alone"
    scene.end_watch(inner)
    assert not scene.marked


def test_a_directory_that_leaves_the_tree_is_looked_after_no_more():
    scene = Scene()
    entry = scene.watch(tree=True)
    scene.mark("/srv/a", "/srv/a/b")
    scene.hear(kernel.FAN_RENAME | FOLDER, "/srv", "a")
    assert told(entry) == [(REMOVED, "a")]
    assert scene.marked == {"/srv"}


def test_a_directory_that_comes_is_looked_for_if_its_tree_is_watched():
    scene = Scene()
    flat = scene.watch()
    scene.hear(kernel.IN_CREATE | FOLDER, "/srv", "a")
    assert scene.looks == []
    scene.end_watch(flat)
    scene.watch(tree=True)
    scene.hear(kernel.IN_CREATE | FOLDER, "/srv", "b")
    scene.hear(kernel.IN_CREATE | FOLDER, "/srv", "c", ours=True)
    assert scene.looks == [("/srv/b", True), ("/srv/c", False)]


def test_what_happens_amid_a_walk_where_nobody_can_place_it_makes_watchers_look():
    scene = Scene()
    entry = scene.watch(tree=True)
    scene.local.walks = 1
    scene.hear(kernel.IN_CREATE, "not known yet", "a")
    scene.local.walked(scene.local._watched["/srv"], unheard=False)
    assert told(entry) is None
    scene.hear(kernel.IN_CREATE, "never known", "a")
    assert told(entry) == []


def test_a_mark_that_the_kernel_has_removed_is_forgotten():
    scene = Scene()
    scene.watch()
    scene.local.heard(Seen(kernel.IN_IGNORED, subject="/srv"), scene.watches, 0)
    assert not len(scene.local)


def test_after_an_overflow_all_that_watch_are_to_look():
    scene = Scene()
    both = scene.watch(), scene.watch("a", tree=True)
    scene.local.heard(Seen(kernel.IN_Q_OVERFLOW), scene.watches, 0)
    assert [told(entry) for entry in both] == [None, None]
    assert scene.local.counts.overflows == 1


def test_an_event_that_may_be_the_servers_own_waits_for_its_report():
    scene = Scene(sure=False)
    entry = scene.watch()
    scene.hear(kernel.IN_CREATE, "/srv", "a")
    scene.hear(kernel.IN_CREATE, "/srv", "b")
    scene.local.ours(ADDED, "/srv/a")
    assert told(entry) == []
    scene.wait(PATIENCE)
    assert told(entry) == [(ADDED, "b")]


def test_a_report_takes_the_last_event_of_its_kind_and_what_came_before_is_told_before():
    aside = Aside()
    for action in (REMOVED, ADDED, MODIFIED, REMOVED, ADDED):
        aside.put(Told(action, "/srv/a", 1), 0)
    before = aside.ours(REMOVED, "/srv/a")
    assert [one.action for one in before] == [REMOVED, ADDED]
    assert [one.action for one in aside.pop(0)] == [ADDED], "what came later is to be told later"


def test_a_report_that_no_event_fits_takes_none_but_those_of_data():
    aside = Aside()
    for action in (REMOVED, MODIFIED):
        aside.put(Told(action, "/srv/a", 1), 0)
    assert aside.ours(MODIFIED, "/srv/a") == []
    assert aside.ours(ADDED, "/srv/a") == []
    assert [one.action for one in aside.pop(0)] == [REMOVED]
