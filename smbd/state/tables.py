"""The global tables of [MS-SMB2] 3.3.1.5, and the one place where an Open is born, moves and ends.

An Open is found by its session, by the whole server and by its file, is counted for several and is
known to an engine.  Each step of its life changes them all together, or none of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import getsizeof

from smbd.memory import OPEN, Account, Holding
from smbd.ntstatus import NtStatus
from smbd.state.caching import Operation
from smbd.state.client import ClientTable, WantedCaching
from smbd.state.deadlines import Deadlines
from smbd.state.durable import Claim, DurableOpens
from smbd.state.file_event import FileEvent, modified
from smbd.state.file_state import Link
from smbd.state.files import FileTable
from smbd.state.guards import Guards
from smbd.state.holder import Holder
from smbd.state.local import LocalChanges
from smbd.state.notify import WRITTEN, ChangeNotifyEntry, ChangeNotifyList
from smbd.state.open import Open
from smbd.state.opens import OpenTable
from smbd.state.replay import Creations, Instances
from smbd.state.waits import Wait
from smbd.vfs import File
from smbd.wire.access import Access
from smbd.wire.change_notify import CompletionFilter, FileAction

_STREAM_WRITTEN = CompletionFilter.STREAM_SIZE | CompletionFilter.STREAM_WRITE


@dataclass(slots=True)
class Tables:
    """GlobalOpenTable, the files that are open, and the directories that are watched."""

    opens: OpenTable
    deadlines: Deadlines = field(default_factory=Deadlines)
    files: FileTable = field(init=False)
    notify: ChangeNotifyList = field(default_factory=ChangeNotifyList)
    clients: ClientTable = field(default_factory=ClientTable)
    local: LocalChanges = field(init=False)
    durable: DurableOpens = field(init=False)
    creations: Creations = field(default_factory=Creations)
    instances: Instances = field(default_factory=Instances)

    def __post_init__(self) -> None:
        self.files = FileTable(self.deadlines)
        self.local = LocalChanges(self.notify, self.opens, Guards(self.files), self.deadlines)
        self.durable = DurableOpens(self.deadlines)

    def enter(
        self,
        open_: Open,
        holder: Holder[Open],
        wanted: WantedCaching,
        now: float,
        *,
        truncates: bool = False,
    ) -> Wait | None:
        """Let an Open be one of its file's, of its session's and of the server's.

        Gives back what to wait for before it is tried again, if others cache the file and have
        been told: nothing has changed then.  Nor where it raises NtError: INSUFFICIENT_RESOURCES,
        DELETE_PENDING of the file or of the folder that it was made in, SHARING_VIOLATION,
        INVALID_PARAMETER for the lease key of another file.  To truncate is to write, whatever
        rights the open then has.
        """
        file, access, operation = open_.file, open_.granted_access, Operation.OPEN
        claimants = holder.claimants
        self.opens.check(claimants)
        if file.created_in is not None:
            self.files.check_folder(file)
        if truncates:
            access, operation = access | Access.FILE_WRITE_DATA, Operation.OVERWRITE
        state = self.files.of(file)
        own = wanted.own(None if state is None else state.cachings)
        if state is not None or file.stream is not None:
            wait = self.files.meet(open_, access, operation, own, now)
            if wait is not None:
                return wait
        open_.memory = Holding(holder.account, OPEN + getsizeof(file.path) + file.memory)
        if file.has_data:
            open_.share.engine.attach(file.fd)
        link = self.files.add(open_)
        if file.has_moved_others():
            for held in link.opens:
                engine = held.share.engine
                engine.detach(held.file.fd)
                engine.attach(held.file.fd)
        self._enter(open_, holder)
        if wanted.asks:
            locked = open_.locks.begin_below(wanted.allocation)
            open_.caching = wanted.granted(open_.cachings, open_, holder, access, locked=locked)
            if file.is_directory and open_.caching is not None:
                self.files.directories.enter(file.place, open_.cachings)
        open_.cachings.enter(open_.caching, open_.granted_access)
        return None

    def _enter(self, open_: Open, holder: Holder[Open]) -> None:
        open_.claimants = holder.claimants
        self.opens.add(open_)
        open_.holder = holder
        holder.enter(open_)

    def put_apart(self, open_: Open, holder: Holder[Open]) -> bool:
        """Whether an Open of a file of its own may be held before it is in any table (Apart).

        It has what `enter` would ask for then, and an engine knows it.  NtError as `enter`.
        """
        file = open_.file
        if (
            file.stream is not None
            or not file.has_data
            or file.created_in is not None
            or self.files.of(file) is not None
            or not holder.account.has_room(OPEN + getsizeof(file.path))
        ):
            return False
        self.opens.check(holder.claimants)
        open_.holder = holder
        open_.share.engine.attach(file.fd)
        return True

    def enter_apart(self, open_: Open) -> None:
        """Enter an Open that was put apart; nothing was done to any table since."""
        holder, file = open_.holder, open_.file
        assert holder is not None, "it was put apart"
        open_.memory = Holding(holder.account, OPEN + getsizeof(file.path))
        self.files.add(open_)
        self._enter(open_, holder)
        open_.cachings.enter(None, open_.granted_access)

    def leave(self, open_: Open) -> Link | None:
        """Take an Open out of every table; what is to be deleted with it, if anything.

        `holder` stays: the rest of the work is done in its client's turn.  Its descriptor, and
        the engine's knowledge of it, end with the last operation that uses it.
        A second call does nothing.
        """
        if open_.closed:
            return None
        open_.closed = True
        open_.memory.end()
        self.opens.remove(open_)
        if open_.creation is not None:
            self.creations.forget(open_)
        self.instances.forget(open_)
        if open_.durable is not None:
            self.durable.leave(open_)
        if open_.holder is not None:
            open_.holder.leave(open_)
        return self.files.remove(open_)

    def park(self, open_: Open, now: float) -> bool:
        """Its session ends without it: Open.Session, Open.TreeConnect and Open.Connection are NULL.

        [MS-SMB2] 3.3.7.1.  It keeps its share modes, locks and descriptor, and counts for its user
        and its client's network still.  False: it may not stay, and is held as before.
        """
        if not open_.is_preserved or not self.durable.has_room_for(open_):
            return False
        assert open_.holder is not None, "it is held"
        # A LOCK that waits may come from a connection that goes on: its client would have a lock
        # of which no answer tells the session that takes the Open over.
        open_.locks.refuse(open_, NtStatus.CANCELLED)
        open_.memory.move(self.durable.account)
        if open_.caching is not None:
            open_.caching.memory.move(self.durable.account)
        open_.holder.leave(open_)
        open_.holder = None
        self.opens.release(open_)
        self.durable.add(open_, now)
        open_.said(now)
        return True

    def reclaim(self, claim: Claim, holder: Holder[Open]) -> Open:
        """Give a parked Open to the session that may have it ([MS-SMB2] 3.3.5.9.7, 3.3.5.9.12).

        NtError as DurableOpens.find and `rehome` say.
        """
        open_ = self.durable.find(self.opens, claim)
        self.rehome(open_, holder)
        if claim.lease_key is not None and claim.client is not None and open_.caching is not None:
            claim.client.inherit(open_.caching)
        return open_

    def rehome(self, open_: Open, holder: Holder[Open]) -> None:
        """Give a parked Open to another session and tree connect.

        It gets a volatile id that has never been used.  INSUFFICIENT_RESOURCES if that connection
        or its client has too much, and the Open stays parked.
        """
        assert open_.holder is None, "it is parked"
        caching, moved = open_.caching, list[tuple[Holding, Account | None]]()
        try:
            for held in (open_.memory, caching.memory if caching is not None else Holding()):
                moved.append((held, held.move(holder.account)))
            self.opens.claim(open_, holder.claimants)
        except BaseException:
            # The lease may be in the account of a session that has another Open of it already.
            for held, before in moved:
                held.move(before)
            raise
        self.durable.remove(open_)
        open_.volatile_id = self.opens.new_volatile_id()
        if caching is not None and caching.is_oplock:
            caching.teller = holder.teller
        open_.holder = holder
        holder.enter(open_)

    def are_heard(self, directory: File) -> bool:
        """Whether anybody may be told of a change of names there: a watcher, or who leases it."""
        leases = self.files.directories
        return self.notify.any or (bool(leases) and leases.is_leased(directory.place))

    def changed(self, open_: Open, event: FileEvent, now: float) -> None:
        """An open file has changed: tell the watchers of its directories, and their leases.

        Of what WRITE does this is called when CLOSE or FLUSH reports it (Open.unreported).
        """
        file, notify = open_.file, self.notify
        self._tell_leases(open_, event, now)
        if event.action == FileAction.MODIFIED:
            changed = event.changed
            if file.stream is not None and changed & WRITTEN:
                changed = changed & ~WRITTEN | _STREAM_WRITTEN
            notify.modified(file, changed)
        elif event.action == FileAction.ADDED:
            notify.added(file, event.place)
        elif event.action == FileAction.REMOVED:
            notify.removed(file)
        else:
            notify.renamed(file, event.place)

    def appeared(self, places: Iterable[str], now: float, *, directories: bool) -> None:
        """Names have come that no Open stands for: absolute paths."""
        for place in places:
            self.files.directories.changed(place, None, now)
            self.notify.appeared(place, directory=directories)

    def vanished(self, place: str, now: float, *, directory: bool) -> None:
        """A name has gone that no Open stands for: an absolute path."""
        self.files.directories.changed(place, None, now)
        self.notify.vanished(place, directory=directory)

    def watch(self, open_: Open, entry: ChangeNotifyEntry) -> None:
        """Tell a directory's watcher of changes; INSUFFICIENT_RESOURCES as ChangeNotifyList."""
        self.notify.watch(entry)
        open_.notify = entry
        if open_.share.config.watch:
            self.local.watch(entry, open_.share.workers)

    def _tell_leases(self, open_: Open, event: FileEvent, now: float) -> None:
        """[MS-FSA] 2.1.4.12: the lease of the directory breaks, but for one that its client named.

        That is the lease whose key the open has as its ParentLeaseKey: its client knows.
        """
        file, leases, own = open_.file, self.files.directories, open_.caching
        if not leases:
            return
        file = file.described  # a stream lies where its file does
        by = None if own is None else own.teller.leases.get(own.parent_key)
        if event.action == FileAction.MODIFIED:
            if event.changed:
                leases.changed(file.place, by, now)
            return
        if event.place:
            leases.changed(event.place, by, now)
        if event.action != FileAction.ADDED or not event.place:
            leases.changed(file.place_of_name, by, now)
        if event.action == FileAction.RENAMED_NEW_NAME and file.is_directory:
            leases.renamed(event.place, file.place_of_name)

    def report_end(self, open_: Open, now: float) -> None:
        """Tell of what an Open that has left has written, and its watchers that it is closed."""
        if open_.unreported:
            self.changed(open_, modified(open_.unreported), now)
        if open_.notify is not None:
            self.local.unwatch(open_.notify)
            self.notify.end(open_.notify, NtStatus.NOTIFY_CLEANUP)
