"""Change notify: [MS-FSA] 2.1.1.8, 2.1.4.1, 2.1.5.11; and what Windows does, by smb2.notify."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.ntstatus import NtError, NtStatus
from smbd.state import WRITTEN, ChangeNotifyEntry, ChangeNotifyList
from smbd.state.event_log import _MOST_HELD, MOST_BUFFERED, EventLog
from smbd.wire.change_notify import CompletionFilter, FileAction
from tests.counted import instructions

ADDED, REMOVED, MODIFIED = FileAction.ADDED, FileAction.REMOVED, FileAction.MODIFIED
OLD, NEW = FileAction.RENAMED_OLD_NAME, FileAction.RENAMED_NEW_NAME
FILES, FOLDERS = CompletionFilter.FILE_NAME, CompletionFilter.DIR_NAME
NAMES = FILES | FOLDERS
EVERYTHING = 0xFFF
CLOSED = 0x10B


@dataclass(frozen=True)
class PaperRoot:
    path: Path


SERVED = PaperRoot(Path("/srv/data"))


@dataclass
class PaperFile:
    path: str
    is_directory: bool = False
    root: PaperRoot = SERVED
    stream: str | None = None

    @property
    def place(self):
        return place(self.path, self.root)

    @property
    def place_of_name(self):
        return self.place


def place(path, root=SERVED):
    return f"{str(root.path).rstrip('/')}/{path}".rstrip("/")


def folder(path="", root=SERVED):
    return PaperFile(path, is_directory=True, root=root)


class Watcher:
    """One handle on a folder, and what it was told."""

    def __init__(self, changes, watched, wanted=EVERYTHING, *, tree=False, capacity=4096):
        self.entry = ChangeNotifyEntry(watched, wanted, tree, capacity)
        changes.watch(self.entry)

    def told(self, limit=4096):
        """(action, name) of each event; None for "look for yourself"."""
        return events(self.entry.take(limit))


def events(answer):
    if answer is None:
        return None
    found, at, step = [], 0, bool(answer)
    while step:
        step, action, length = unpack_from("<III", answer, at)
        found.append((action, answer[at + 12 : at + 12 + length].decode("utf-16-le")))
        at += step
    return found


class Queue:
    """CHANGE_NOTIFYs that wait on one handle, as tasks would: in whatever order they wake."""

    def __init__(self, entry):
        self.entry = entry
        self.woken = []

    def wait(self, name):
        place = self.entry.wait()
        place.wake = lambda: self.woken.append(name)
        return place


# --- who is told of what ---


def test_a_folder_hears_of_what_is_made_changed_and_removed_in_it():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder("inner"))
    file = PaperFile("inner/a")
    changes.added(file)
    changes.modified(file, WRITTEN)
    changes.removed(file)
    assert watcher.told() == [(ADDED, "a"), (MODIFIED, "a"), (REMOVED, "a")]
    assert watcher.told() == []


def test_nothing_is_told_of_other_folders_nor_of_the_watched_one_itself():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder("inner"), tree=True)
    for path in ("a", "inner", "inner2/a", "in", "outer/inner/a"):
        changes.modified(PaperFile(path), EVERYTHING)
    assert watcher.told() == []


def test_only_a_watcher_of_the_tree_hears_of_what_lies_deeper():
    changes = ChangeNotifyList()
    flat = Watcher(changes, folder("a"))
    deep = Watcher(changes, folder("a"), tree=True)
    whole_share = Watcher(changes, folder(), tree=True)
    changes.added(PaperFile("a/b/c"))
    assert flat.told() == []
    assert deep.told() == [(ADDED, r"b\c")]
    assert whole_share.told() == [(ADDED, r"a\b\c")]


def test_a_share_inside_a_share_hears_of_what_is_done_through_the_other():
    changes = ChangeNotifyList()
    inner = PaperRoot(Path("/srv/data/inner"))
    outside = Watcher(changes, folder(), tree=True)
    inside = Watcher(changes, folder("", inner))
    changes.added(PaperFile("a", root=inner))
    changes.added(PaperFile("inner/b"))
    assert outside.told() == [(ADDED, r"inner\a"), (ADDED, r"inner\b")]
    assert inside.told() == [(ADDED, "a"), (ADDED, "b")]


def test_the_root_of_the_file_system_can_be_watched():
    changes = ChangeNotifyList()
    everything = PaperRoot(Path("/"))
    flat = Watcher(changes, folder("", everything))
    deep = Watcher(changes, folder("", everything), tree=True)
    changes.added(PaperFile("a", root=everything))
    changes.added(PaperFile("b/c", root=everything))
    assert flat.told() == [(ADDED, "a")]
    assert deep.told() == [(ADDED, "a"), (ADDED, r"b\c")]


def test_the_filter_tells_files_from_folders():
    changes = ChangeNotifyList()
    files, folders = Watcher(changes, folder(), FILES), Watcher(changes, folder(), FOLDERS)
    changes.added(PaperFile("a"))
    changes.added(PaperFile("b", is_directory=True))
    changes.modified(PaperFile("a"), EVERYTHING & ~NAMES)
    assert files.told() == [(ADDED, "a")]
    assert folders.told() == [(ADDED, "b")]


@pytest.mark.parametrize("bit", [1 << place for place in range(2, 12)])
def test_one_bit_in_common_is_enough(bit):
    changes = ChangeNotifyList()
    asked, others = Watcher(changes, folder(), bit), Watcher(changes, folder(), EVERYTHING & ~bit)
    changes.modified(PaperFile("a"), bit)
    assert asked.told() == [(MODIFIED, "a")]
    assert others.told() == []


def test_what_is_said_twice_in_a_row_is_told_once():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder())
    for _ in range(1000):
        changes.modified(PaperFile("a"), WRITTEN)
    changes.modified(PaperFile("b"), WRITTEN)
    changes.modified(PaperFile("a"), WRITTEN)
    assert watcher.told() == [(MODIFIED, "a"), (MODIFIED, "b"), (MODIFIED, "a")]


def test_names_are_told_as_smb_says_them():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder())
    changes.added(PaperFile("a:b?"))
    changes.added(PaperFile("no UTF-8 \udce4"))
    assert watcher.told() == [(ADDED, "a\uf022b\uf025"), (ADDED, "no UTF-8 \uf0e4")]


# --- names that change ---


def renamed(changes, old, new, *, is_directory=False):
    changes.renamed(PaperFile(new, is_directory), place(old))


def test_a_new_name_in_the_same_folder_is_a_pair():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder("a"), tree=True)
    renamed(changes, "a/old", "a/new")
    assert watcher.told() == [(OLD, "old"), (NEW, "new")]


def test_from_folder_to_folder_it_goes_here_and_comes_there():
    changes = ChangeNotifyList()
    here, there = Watcher(changes, folder("a")), Watcher(changes, folder("b"))
    both = Watcher(changes, folder(), tree=True)
    renamed(changes, "a/old", "b/new")
    assert here.told() == [(REMOVED, "old")]
    assert there.told() == [(ADDED, "new")]
    assert both.told() == [(REMOVED, r"a\old"), (ADDED, r"b\new")]


def test_who_watches_attributes_alone_is_told_of_a_renamed_file_as_a_change():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder(), CompletionFilter.ATTRIBUTES)
    renamed(changes, "old", "new")
    renamed(changes, "older", "newer", is_directory=True)
    assert watcher.told() == [(MODIFIED, "new")]


def test_one_more_name_of_a_file_is_a_file_more():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder(), FILES)
    changes.added(PaperFile("a"), place("b"))
    assert watcher.told() == [(ADDED, "b")]


def test_a_watched_folder_that_is_renamed_is_watched_under_its_new_name():
    changes = ChangeNotifyList()
    watched = folder("old")
    watcher = Watcher(changes, watched)
    watched.path = "new"
    changes.renamed(watched, place("old"))
    changes.added(PaperFile("old/a"))
    changes.added(PaperFile("new/b"))
    assert watcher.told() == [(ADDED, "b")]
    changes.end(watcher.entry, CLOSED)
    assert not changes._entries


# --- how much is kept ---


def test_more_than_the_buffer_holds_is_forgotten_and_the_client_must_look():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder(), capacity=100)
    for number in range(10):
        changes.added(PaperFile(f"file {number}"))
    assert watcher.told() is None
    changes.added(PaperFile("a"))
    assert watcher.told() == [(ADDED, "a")]


def test_a_client_that_never_asks_again_costs_only_so_much():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder(), capacity=8 << 20)
    count = MOST_BUFFERED // 32
    for number in range(count):
        changes.added(PaperFile(f"{number:010}"))
    assert len(watcher.told(8 << 20)) == count
    for number in range(count + 1):
        changes.added(PaperFile(f"{number:010}"))
    assert watcher.told(8 << 20) is None
    assert not watcher.entry._log._events


def test_all_that_never_ask_again_cost_only_so_much_together():
    changes = ChangeNotifyList()
    watchers = [
        Watcher(changes, folder("/".join("x" * depth)), FILES | other << 2, tree=True)
        for depth in range(20)
        for other in range(64)
    ]
    deepest = "/".join("x" * 20)
    for number in range(300):
        changes.added(PaperFile(f"{deepest}/{number % 7}"))
    held = [watcher.entry._log._held for watcher in watchers]
    assert sum(held) == _MOST_HELD - changes._memory.left <= _MOST_HELD
    assert watchers[0].told() is None
    changes.added(PaperFile(f"{deepest}/last"))
    assert watchers[-1].told() is None
    changes.added(PaperFile(f"{deepest}/one more"))
    assert watchers[-1].told() == [(ADDED, "x\\one more")]
    for watcher in watchers:
        changes.end(watcher.entry, CLOSED)
    assert changes._memory.left == _MOST_HELD


def test_an_answer_that_has_too_little_room_says_look_for_yourself():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder())
    changes.added(PaperFile("a"))
    assert watcher.told(limit=13) is None
    changes.added(PaperFile("b"))
    assert watcher.told() == [(ADDED, "b")], "the client was told, and has looked"


def test_the_first_requests_room_is_that_of_all():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder(), capacity=1)
    for name in ("a", "b"):
        changes.added(PaperFile(name))
        assert watcher.told() is None


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=20), st.integers(0, 600)
)
def test_what_fits_comes_whole_and_what_does_not_is_never_cut(names, capacity):
    entry = ChangeNotifyEntry(folder(), EVERYTHING, watch_tree=False, capacity=capacity)
    log = EventLog()
    entry.join(log)
    for number, name in enumerate(names):
        log.add(ADDED, f"{number}{name}")
    answer = entry.take(capacity)
    if answer is not None:
        assert len(answer) <= capacity
        assert events(answer) == [(ADDED, f"{number}{name}") for number, name in enumerate(names)]


# --- many watchers ---


def add(changes, names):
    changes.added(PaperFile(f"inner/{next(names)}"))


def test_a_change_costs_the_same_whatever_the_number_of_its_watchers():
    few, many = ChangeNotifyList(), ChangeNotifyList()
    for changes, count in ((few, 3), (many, 6000)):
        watchers = [Watcher(changes, folder("inner"), tree=True) for _ in range(count)]
        for place, watcher in enumerate(watchers):
            if place:
                watcher.entry.wait().give_up()
    names = iter(range(100))
    for changes in (few, many):
        add(changes, names)  # the first one goes to each
    took = [instructions(partial(add, changes, names)) for changes in (few, many)]
    assert took[0] == took[1]
    assert {len(watcher.told(1 << 20)) for watcher in watchers} == {2}


def test_a_waiting_request_is_woken_once_whatever_the_number_of_changes():
    changes = ChangeNotifyList()
    queues = [Queue(Watcher(changes, folder()).entry) for _ in range(3)]
    for queue in queues:
        queue.wait("first")
    for number in range(10):
        changes.added(PaperFile(f"{number}"))
    assert [queue.woken for queue in queues] == [["first"]] * 3


def test_what_was_told_to_one_watcher_and_comes_again_is_told_it_again():
    changes = ChangeNotifyList()
    one, other = Watcher(changes, folder()), Watcher(changes, folder())
    changes.modified(PaperFile("a"), WRITTEN)
    assert one.told() == [(MODIFIED, "a")]
    changes.modified(PaperFile("a"), WRITTEN)
    assert one.told() == other.told() == [(MODIFIED, "a")]
    assert one.told() == other.told() == []


def test_what_another_watcher_is_told_again_takes_no_room_of_one_that_reads_later():
    changes = ChangeNotifyList()
    often, seldom = (Watcher(changes, folder(), capacity=20) for _ in range(2))
    for _ in range(3):
        changes.added(PaperFile("a"))
        assert often.told() == [(ADDED, "a")]
    assert seldom.told() == [(ADDED, "a")]


def test_what_comes_again_takes_room_of_one_that_has_been_told():
    changes = ChangeNotifyList()
    watcher, other = Watcher(changes, folder(), capacity=30), Watcher(changes, folder())
    changes.added(PaperFile("a"))
    assert watcher.told() == [(ADDED, "a")]
    changes.added(PaperFile("a"))
    changes.removed(PaperFile("a"))
    assert watcher.told() is None, "two events of 16 bytes"
    assert other.told() == [(ADDED, "a"), (REMOVED, "a")]


def test_a_new_watcher_hears_of_what_was_told_to_others_when_it_comes_again():
    changes = ChangeNotifyList()
    Watcher(changes, folder())
    changes.modified(PaperFile("a"), WRITTEN)
    late = Watcher(changes, folder())
    assert late.told() == []
    changes.modified(PaperFile("a"), WRITTEN)
    assert late.told() == [(MODIFIED, "a")]


def test_who_has_closed_the_handle_hears_of_nothing_later():
    changes = ChangeNotifyList()
    one, other = Watcher(changes, folder()), Watcher(changes, folder())
    changes.added(PaperFile("a"))
    changes.end(one.entry, CLOSED)
    changes.added(PaperFile("b"))
    assert one.told() == [(ADDED, "a")]
    assert other.told() == [(ADDED, "a"), (ADDED, "b")]


def test_one_folder_is_watched_in_so_many_ways_only():
    changes = ChangeNotifyList()
    watchers = [Watcher(changes, folder(), wanted) for wanted in range(1, 65)]
    watchers.append(Watcher(changes, folder(), 64))  # as somebody does already
    with pytest.raises(NtError) as caught:
        Watcher(changes, folder(), 65)
    assert caught.value.status == NtStatus.INSUFFICIENT_RESOURCES
    changes.end(watchers[7].entry, CLOSED)
    Watcher(changes, folder(), 65)


def test_folders_in_one_that_is_renamed_are_watched_under_their_new_names():
    changes = ChangeNotifyList()
    top, inner, beside = folder("old"), folder("old/inner"), folder("older")
    watchers = [Watcher(changes, one) for one in (top, inner, beside)]
    top.path, inner.path = "new", "new/inner"
    changes.renamed(top, place("old"))
    for path in ("old/a", "old/inner/a", "new/b", "new/inner/b", "older/b"):
        changes.added(PaperFile(path))
    assert [watcher.told() for watcher in watchers] == [[(ADDED, "b")]] * 3
    for watcher in watchers:
        changes.end(watcher.entry, CLOSED)
    assert not changes._entries


class PlainWatcher:
    """The plainest model there is: a list for each watcher."""

    def __init__(self, wanted, *, tree):
        self.wanted, self.tree, self.events = wanted, tree, []

    def hear(self, path, changed, event):
        wanted = changed & self.wanted and (self.tree or "/" not in path)
        if wanted and self.events[-1:] != [event]:
            self.events.append(event)

    def told(self):
        events, self.events = self.events, []
        return events


steps = st.lists(
    st.one_of(
        st.tuples(st.just("watch"), st.sampled_from([FILES, NAMES, EVERYTHING]), st.booleans()),
        st.tuples(st.just("change"), st.sampled_from(["a", "b", "c/a"]), st.booleans()),
        st.tuples(st.just("take"), st.integers(0, 5), st.none()),
    ),
    max_size=40,
)


@given(steps)
def test_watchers_hear_as_if_each_had_a_list_of_its_own(given_steps):
    changes = ChangeNotifyList()
    watchers, models = [], []
    for step, what, how in given_steps:
        if step == "watch":
            watchers.append(Watcher(changes, folder(), what, tree=how))
            models.append(PlainWatcher(what, tree=how))
        elif step == "change":
            changed, action = (FILES, ADDED) if how else (WRITTEN, MODIFIED)
            changes._report(action, place(what), changed)
            for model in models:
                model.hear(what, changed, (action, what.replace("/", "\\")))
        elif what < len(watchers):
            assert watchers[what].entry.ready is bool(models[what].events)
            assert watchers[what].told() == models[what].told()
    for watcher, model in zip(watchers, models, strict=True):
        assert watcher.told() == model.told()


# --- requests that wait ---


def test_the_first_in_line_gets_all_there_is_and_the_others_what_comes_later():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder())
    queue = Queue(watcher.entry)
    first, second = queue.wait("first"), queue.wait("second")
    renamed(changes, "old", "new")
    assert set(queue.woken) == {"first"}
    assert (first.over, first.status, second.over) == (True, 0, False)
    assert watcher.told() == [(OLD, "old"), (NEW, "new")]
    first.give_up()
    assert set(queue.woken) == {"first"}
    changes.added(PaperFile("a"))
    assert queue.woken[-1] == "second"
    assert watcher.told() == [(ADDED, "a")]
    second.give_up()
    assert not watcher.entry.waits


def test_who_gives_up_after_he_was_woken_leaves_the_events_to_the_next():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder())
    queue = Queue(watcher.entry)
    first, second = queue.wait("first"), queue.wait("second")
    changes.added(PaperFile("a"))
    first.give_up()
    assert queue.woken == ["first", "second"]
    assert (second.over, second.status) == (True, 0)


def test_of_a_thousand_watchers_some_are_woken_at_once_and_each_that_is_done_wakes_the_next():
    """All of them together would keep the loop for 16 ms."""
    changes = ChangeNotifyList()
    watchers = [Watcher(changes, folder()) for _ in range(1000)]
    woken = []
    for number, watcher in enumerate(watchers):
        place = watcher.entry.wait()
        place.wake = partial(woken.append, (number, watcher, place))
    changes.added(PaperFile("a"))
    told = []
    while woken:
        assert len(woken) <= 4
        number, watcher, place = woken.pop(0)
        told.append(number)
        assert watcher.told() == [(ADDED, "a")]
        place.give_up()
    assert told == list(range(1000))


def test_those_that_leave_before_their_turn_keep_nobody_from_being_woken():
    changes = ChangeNotifyList()
    watchers = [Watcher(changes, folder()) for _ in range(100)]
    places = [watcher.entry.wait() for watcher in watchers]
    changes.added(PaperFile("a"))
    for watcher in watchers[:50]:
        changes.end(watcher.entry, CLOSED)
    for place in places[50:90]:
        place.give_up()
    for place in places[:50]:
        place.give_up()
    assert all(place.over and not place.status for place in places[90:])


def test_a_close_ends_all_that_wait_but_events_are_told_first():
    changes = ChangeNotifyList()
    watcher = Watcher(changes, folder())
    queue = Queue(watcher.entry)
    first, second = queue.wait("first"), queue.wait("second")
    changes.added(PaperFile("a"))
    changes.end(watcher.entry, CLOSED)
    assert {"first", "second"} == set(queue.woken)
    assert (first.status, second.status) == (0, CLOSED)


def test_who_is_no_longer_watched_for_costs_nothing():
    changes = ChangeNotifyList()
    one, other = Watcher(changes, folder()), Watcher(changes, folder())
    changes.end(one.entry, CLOSED)
    changes.added(PaperFile("a"))
    assert one.told() == []
    assert other.told() == [(ADDED, "a")]
    changes.end(other.entry, CLOSED)
    assert not changes._entries
