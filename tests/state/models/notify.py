"""Watched directories, beside a list of events for each handle that watches one.

[MS-FSA] 2.1.4.1; what the model leaves out is how long a list may be kept (smbd.state.event_log).
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smbd.ntstatus import NtStatus
from smbd.state import WRITTEN, ChangeNotifyEntry, ChangeNotifyList
from smbd.wire.change_notify import CompletionFilter, FileAction, pack_notify_information

from ..holders import PaperFile

NUMBER = st.integers(0, 1 << 16)
FILES, FOLDERS = CompletionFilter.FILE_NAME, CompletionFilter.DIR_NAME
FILTER = st.sampled_from((0xFFF, 0xFFF, FILES, FOLDERS, CompletionFilter.ATTRIBUTES))
CAPACITY = st.sampled_from((0, 32, 60, 4096))
DIRECTORY = ("", "d", "d/e", "d/e/c", "f", "f/e")
WATCHED = st.sampled_from(("", "", "", *DIRECTORY))
NAME = st.sampled_from("aaab")
RENAMED_FILE = CompletionFilter.ATTRIBUTES | CompletionFilter.CREATION


def padded(event):
    """Bytes of one FILE_NOTIFY_INFORMATION ([MS-FSCC] 2.7.1), up to where the next one begins."""
    return (12 + 2 * len(event[1]) + 3) // 4 * 4


@dataclass(eq=False)
class Watch:
    """One handle of the model."""

    real: ChangeNotifyEntry
    path: str
    wanted: int
    tree: bool
    capacity: int
    ended: bool = False
    events: list = field(default_factory=list)  # what it has not been told of
    queue: list = field(default_factory=list)  # (place, whether it should be over, its status)

    def hear(self, path, changed, event, unless):
        """Something has happened to what is at a path."""
        below = f"{self.path}/" if self.path else ""
        if self.ended or path == self.path or not path.startswith(below):
            return
        name = path[len(below) :]
        if not self.wanted & changed or self.wanted & unless or ("/" in name and not self.tree):
            return
        told = (event, name.replace("/", "\\"))
        if self.events[-1:] != [told]:
            self.events.append(told)
        self.wake()

    def wake(self):
        """The first in the queue goes on with whatever there is."""
        if self.queue and self.events:
            self.end_first(1, 0)

    def end_first(self, count, status):
        for at, (place, over, before) in enumerate(self.queue[:count]):
            self.queue[at] = (place, True, before if over else status)

    def take(self, limit):
        """The answer to a request with room for so many bytes."""
        events, self.events = self.events, []
        if sum(map(padded, events)) > self.capacity:
            return None
        return pack_notify_information(events, min(limit, self.capacity))


class NotifyMachine(RuleBasedStateMachine):
    """Files come, change, go and get other names; handles watch, ask, wait and close."""

    def __init__(self):
        super().__init__()
        self.notify = ChangeNotifyList()
        self.watches: list[Watch] = []
        self.folders = {"": "", "d": "d", "d/e": "d/e"}

    def _pick(self, number):
        return self.watches[number % len(self.watches)]

    # --- handles ---

    @rule(
        at=WATCHED,
        wanted=FILTER,
        tree=st.booleans(),
        capacities=st.lists(CAPACITY, min_size=1, max_size=2),
    )
    def watch(self, at, wanted, tree, capacities):
        """Two that are alike have one log together."""
        for capacity in capacities if at in self.folders else ():
            folder = PaperFile(path=at, is_directory=True)
            entry = ChangeNotifyEntry(folder, wanted, tree, capacity)
            self.notify.watch(entry)
            self.watches.append(Watch(entry, at, wanted, tree, capacity))

    @precondition(lambda self: self.watches)
    @rule(number=NUMBER)
    def close(self, number):
        watch = self._pick(number)
        if not watch.ended:
            watch.ended = True
            watch.end_first(len(watch.queue), NtStatus.NOTIFY_CLEANUP)
            self.notify.end(watch.real, NtStatus.NOTIFY_CLEANUP)

    @precondition(lambda self: self.watches)
    @rule(number=NUMBER)
    def delete_is_pending(self, number):
        watch = self._pick(number)
        watch.end_first(len(watch.queue), NtStatus.DELETE_PENDING)
        watch.real.end(NtStatus.DELETE_PENDING)

    # --- requests on them ---

    @precondition(lambda self: self.watches)
    @rule(number=NUMBER, limit=CAPACITY)
    def ask(self, number, limit):
        """CHANGE_NOTIFY: it is answered at once, or it waits."""
        watch = self._pick(number)
        if watch.ended:
            return
        assert watch.real.ready is bool(watch.events)
        if watch.events and not watch.queue:
            assert watch.real.take(limit) == watch.take(limit)
        else:
            watch.queue.append((watch.real.wait(), False, 0))
            watch.wake()

    @precondition(lambda self: any(watch.queue for watch in self.watches))
    @rule(number=NUMBER, limit=CAPACITY)
    def go_on(self, number, limit):
        """One that has been woken is answered."""
        waking = [one for one in self.watches if one.queue and one.queue[0][1]]
        if waking:
            watch = waking[number % len(waking)]
            place, _, status = watch.queue.pop(0)
            if not status:
                assert watch.real.take(limit) == watch.take(limit)
            place.give_up()
            watch.wake()

    @precondition(lambda self: any(watch.queue for watch in self.watches))
    @rule(number=NUMBER)
    def cancel(self, number):
        """Woken or not; what it would have told is the next one's."""
        waiting = [one for one in self.watches if one.queue]
        watch = waiting[number % len(waiting)]
        place, _, _ = watch.queue.pop(number % len(watch.queue))
        place.give_up()
        watch.wake()

    # --- what is done to files ---

    def _tell(self, path, changed, event, unless=0):
        for watch in self.watches:
            watch.hear(path, changed, event, unless)

    @rule(folder=WATCHED, name=NAME, action=st.sampled_from("ARM"))
    def change_a_file(self, folder, name, action):
        if folder not in self.folders:
            return
        file = PaperFile(path=f"{folder}/{name}" if folder else name)
        if action == "A":
            self._tell(file.path, FILES, FileAction.ADDED)
            self.notify.added(file)
        elif action == "R":
            self._tell(file.path, FILES, FileAction.REMOVED)
            self.notify.removed(file)
        else:
            self._tell(file.path, WRITTEN, FileAction.MODIFIED)
            self.notify.modified(file, WRITTEN)

    @rule(source=st.sampled_from(DIRECTORY), folder=st.sampled_from(DIRECTORY), other=st.booleans())
    def rename_a_file(self, source, folder, other):
        if source in self.folders and folder in self.folders:
            new = f"{folder}/{'b' if other else 'a'}".lstrip("/")
            self._rename(f"{source}/a".lstrip("/"), new, is_directory=False)

    @rule(source=st.sampled_from(DIRECTORY[1:]), new=st.sampled_from(DIRECTORY[1:]))
    def rename_a_folder(self, source, new):
        if (
            source not in self.folders
            or new in self.folders
            or new.startswith(source + "/")
            or new.rpartition("/")[0] not in self.folders
        ):
            return

        def moved(path):
            inside = path == source or path.startswith(source + "/")
            return new + path[len(source) :] if inside else path

        self.folders = {moved(path): moved(path) for path in self.folders}
        for watch in self.watches:
            watch.path = watch.path if watch.ended else moved(watch.path)
        self._rename(source, new, is_directory=True)

    def _rename(self, old, new, *, is_directory):
        kind = FOLDERS if is_directory else FILES
        in_place = old.rpartition("/")[0] == new.rpartition("/")[0]
        first, second = (
            (FileAction.RENAMED_OLD_NAME, FileAction.RENAMED_NEW_NAME)
            if in_place
            else (FileAction.REMOVED, FileAction.ADDED)
        )
        self._tell(old, kind, first)
        self._tell(new, kind, second)
        if not is_directory:
            self._tell(new, RENAMED_FILE, FileAction.MODIFIED, unless=kind)
        old_place = PaperFile(path=old).place
        self.notify.renamed(PaperFile(path=new, is_directory=is_directory), old_place)

    # --- what both must say ---

    @invariant()
    def the_same_wait_and_have_something_to_hear(self):
        for watch in self.watches:
            assert watch.real.ready is bool(watch.events)
            assert list(watch.real.waits) == [place for place, _, _ in watch.queue]
            for place, over, status in watch.queue:
                assert (place.over, place.status) == (over, status)

    def teardown(self):
        for watch in self.watches:
            if not watch.ended:
                self.notify.end(watch.real, NtStatus.NOTIFY_CLEANUP)
            assert watch.real.take(1 << 16) == watch.take(1 << 16)
        assert not self.notify._entries
