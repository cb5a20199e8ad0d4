"""Open files, beside lists of names and opens: share modes, links, streams, deletions that wait.

[MS-FSA] 2.1.5.1.2 (open), 2.1.5.5 (close), 2.1.5.15 (delete, rename and link).  The model has a
file system of its own, in which a name is an object: whatever is done to it, it stays the same.
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smbd.ntstatus import NtError, NtStatus
from smbd.state import FileTable, Link, Open, Operation
from smbd.wire.access import Access
from smbd.wire.create import ShareAccess

from ..holders import PaperFile, an_open

NUMBER = st.integers(0, 1 << 16)
PATH = st.sampled_from(("a", "b", "d/a", "d/b", "d/e/a"))
FOLDERS = ("", "d", "d/e", "f")
STREAM = st.sampled_from(("", "", "", "S", "T"))  # as they are compared
READS = Access.FILE_READ_DATA | Access.FILE_EXECUTE
WRITES = Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA
DATA = READS | WRITES | Access.DELETE
ACCESS = st.sampled_from(
    (
        Access.FILE_READ_DATA,
        Access.FILE_READ_DATA,
        Access.FILE_APPEND_DATA,
        Access.DELETE,
        Access.FILE_READ_DATA | Access.FILE_WRITE_DATA | Access.DELETE,
        Access.FILE_READ_ATTRIBUTES,
    )
)
SHARING = st.sampled_from((7, 7, 7, 3, 5, 6, 0))


@dataclass(eq=False)
class Name:
    """A hard link of the model."""

    inode: int
    path: str
    pending: bool = False  # Link.IsDeleted
    gone: bool = False


@dataclass(eq=False)
class Stream:
    """A named stream of the model, while somebody has it open or it is being deleted."""

    inode: int
    name: str
    pending: bool = False


@dataclass(eq=False)
class NamedFile(PaperFile):
    """It knows by which name it was opened, as the kernel knows it of a descriptor."""

    by: Name = None

    def __setattr__(self, name, value):
        """The path of a stream is that of its file."""
        object.__setattr__(self, name, value)
        if name == "path" and self.of is not None:
            self.of.path = value

    def is_by_link_of(self, other):
        if self.by.gone or other.by.gone:
            return self.absolute_path == other.absolute_path
        return self.by is other.by


@dataclass(eq=False)
class Opened:
    """An open of the model."""

    name: Name
    stream: Stream | None
    access: int
    sharing: int
    delete_on_close: bool
    real: Open

    @property
    def thing(self):
        """What is deleted where this open says so."""
        return self.stream or self.name

    @property
    def data(self):
        return self.name.inode, self.stream


@dataclass(eq=False)
class Removal:
    """A worker that deletes what is not open any more."""

    thing: Name | Stream
    real: Link
    also: list = field(default_factory=list)


def collide(access, sharing, other, other_sharing):
    """The six conditions of [MS-FSA] 2.1.5.1.2.2."""
    if not access & DATA or not other & DATA:
        return False
    return any(
        (access & rights and not other_sharing & shared)
        or (other & rights and not sharing & shared)
        for rights, shared in (
            (READS, ShareAccess.READ),
            (WRITES, ShareAccess.WRITE),
            (Access.DELETE, ShareAccess.DELETE),
        )
    )


class FilesMachine(RuleBasedStateMachine):
    """Opens come and go, by names and of streams that are renamed, linked and deleted."""

    def __init__(self):
        super().__init__()
        self.table = FileTable()
        self.names = [Name(1, "a"), Name(1, "d/a"), Name(2, "b")]
        self.inodes = 2
        self.opens: list[Opened] = []
        self.streams: list[Stream] = []
        self.removals: list[Removal] = []

    def _at(self, path):
        return next((name for name in self.names if name.path == path), None)

    def _stream(self, inode, name):
        for stream in self.streams:
            if (stream.inode, stream.name) == (inode, name):
                return stream
        return None

    def _users(self, name):
        return [one for one in self.opens if one.name is name]

    # --- CREATE ---

    @rule(path=PATH, stream=STREAM, access=ACCESS, sharing=SHARING, delete=st.booleans())
    def open(self, path, stream, access, sharing, delete):
        name = self._at(path)
        if name is None:
            self.inodes += 1
            name = Name(self.inodes, path)
            self.names.append(name)
        file = NamedFile(name.inode, path, by=name)
        if stream:
            file = NamedFile(name.inode, path, stream=stream, of=file, by=name)
        delete = delete and bool(access & Access.DELETE)
        real = an_open(file, access=access, sharing=sharing, delete_on_close=delete)
        try:
            assert self.table.meet(real, access, Operation.OPEN, None, 0.0) is None
        except NtError as error:
            status = error.status
        else:
            status = 0
        opened = self._stream(name.inode, stream)
        assert status == self._status(name, stream, opened, access, sharing)
        if status:
            return
        self.table.add(real)
        if stream and opened is None:
            opened = Stream(name.inode, stream)
            self.streams.append(opened)
        self.opens.append(Opened(name, opened, access, sharing, delete, real))

    def _status(self, name, stream, opened, access, sharing):
        if name.pending or (opened is not None and opened.pending):
            return NtStatus.DELETE_PENDING
        for one in self.opens:
            if one.name.inode != name.inode:
                continue
            if stream == ("" if one.stream is None else one.stream.name):
                if collide(access, sharing, one.access, one.sharing):
                    return NtStatus.SHARING_VIOLATION
            elif (
                not stream
                and access & Access.DELETE
                and one.access & DATA
                and not one.sharing & ShareAccess.DELETE
            ):
                return NtStatus.SHARING_VIOLATION  # to delete a file is to delete its streams
        return 0

    # --- CLOSE ---

    @precondition(lambda self: self.opens)
    @rule(number=NUMBER)
    def close(self, number):
        one = self.opens.pop(number % len(self.opens))
        goes = self.table.goes_with(one.real)
        link = self.table.remove(one.real)
        one.thing.pending |= one.delete_on_close
        stream = one.stream
        stream_goes = False
        if stream is not None and not any(other.stream is stream for other in self.opens):
            stream_goes = stream.pending
            if not stream_goes:
                self.streams.remove(stream)
        if one.name.pending and not self._users(one.name):
            if stream_goes:
                self.streams.remove(stream)  # with its file
            self._removed(one.name, link)
        elif stream_goes:
            self._removed(stream, link)
        else:
            assert link is None
        assert goes is (link is not None)

    def _removed(self, thing, link):
        assert link.delete_pending
        assert link.file.path == (thing.path if isinstance(thing, Name) else link.file.path)
        assert link.file.stream == (None if isinstance(thing, Name) else thing.name)
        self.removals.append(Removal(thing, link))

    @precondition(lambda self: self.removals)
    @rule(number=NUMBER, could=st.booleans())
    def end_of_a_removal(self, number, could):
        removal = self.removals.pop(number % len(self.removals))
        self.table.forget(removal.real)
        thing = removal.thing
        thing.pending = False
        if isinstance(thing, Stream):
            self.streams.remove(thing)
        elif could:
            self.names.remove(thing)

    # --- SET_INFO ---

    @precondition(lambda self: self.opens)
    @rule(number=NUMBER, pending=st.booleans())
    def mark_for_deletion(self, number, pending):
        one = self.opens[number % len(self.opens)]
        one.thing.pending = pending
        one.real.link.set_delete_pending(pending=pending)

    def _may_come_to(self, one, path):
        """What is at a path goes, unless it is open or being deleted."""
        there = self._at(path)
        if there is None:
            return True
        if there.pending or there is one.name:
            return False
        if there.inode != one.name.inode and self._users(there):
            return False
        self.names.remove(there)
        there.gone = True
        return True

    @precondition(lambda self: self.opens)
    @rule(number=NUMBER, path=PATH)
    def rename(self, number, path):
        one = self.opens[number % len(self.opens)]
        there = self._at(path)
        if one.stream or one.name.pending or not self._may_come_to(one, path):
            return
        for other in self.opens:
            if there is not None and other.name is there:
                other.name = one.name  # two names of a file have become one
        one.name.path = path
        one.real.file.path = path
        one.real.link.renamed(one.real.file)

    @precondition(lambda self: self.opens)
    @rule(number=NUMBER, path=PATH)
    def link(self, number, path):
        one = self.opens[number % len(self.opens)]
        if self._at(path) is None and not one.name.pending:
            self.names.append(Name(one.name.inode, path))

    @precondition(lambda self: any(one.stream for one in self.opens))
    @rule(number=NUMBER, new=st.sampled_from("STU"))
    def rename_a_stream(self, number, new):
        of_streams = [one for one in self.opens if one.stream is not None]
        one = of_streams[number % len(of_streams)]
        if one.stream.pending or one.name.pending or self._stream(one.name.inode, new):
            return
        one.stream.name = new
        for other in self.opens:
            if other.stream is one.stream:
                other.real.file.stream = new
        self.table.renamed_stream(one.real)

    # --- what both must say ---

    @invariant()
    def every_open_has_its_name_and_its_link(self):
        for one in self.opens:
            assert one.real.file.path == one.name.path
            link = one.real.link
            assert link.delete_pending is one.thing.pending
            alike = [other.real for other in self.opens if other.thing is one.thing]
            assert list(link.opens) == alike or set(link.opens) == set(alike)
            if one.stream is not None:
                base = one.real.base
                assert base.delete_pending is one.name.pending
                assert base.users == len(self._users(one.name))
                assert base.file.path == one.name.path
            writers = [
                other
                for other in self.opens
                if other is not one and other.data == one.data and other.access & WRITES
            ]
            assert link.state.has_other_writer(one.real) is bool(writers)

    @invariant()
    def the_table_has_what_is_open_or_being_deleted(self):
        known = {(1, one.name.inode) for one in self.opens}
        known |= {(1, one.inode, one.name) for one in self.streams}
        for removal in self.removals:
            if isinstance(removal.thing, Name):
                known.add((1, removal.thing.inode))
        assert set(self.table._files) == known
        for name in self.names:
            file = PaperFile(name.inode, name.path)
            state = self.table.of(file)
            pending = [one for one in self.names if one.inode == name.inode and one.pending]
            assert (state.links_that_go() if state else 0) == len(pending)
            opened = any(one.name.inode == name.inode and one.stream for one in self.opens)
            assert self.table.has_open_streams(file) is opened
            for stream in "STU":
                is_open = self._stream(name.inode, stream) is not None
                assert self.table.is_open(file, stream) is is_open

    @invariant()
    def folders_know_what_is_open_in_them(self):
        for folder in FOLDERS[1:]:
            below = any(one.name.path.startswith(folder + "/") for one in self.opens)
            assert self.table.has_open_below(PaperFile(99, folder)) is below

    def teardown(self):
        while self.opens:
            self.close(0)
        while self.removals:
            self.end_of_a_removal(0, could=True)
        assert not self.table._files
