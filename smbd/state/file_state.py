"""One open file: the names by which it is open, and what its opens must agree on."""

from dataclasses import dataclass, field
from typing import Protocol

from smbd.ntstatus import NtError, NtStatus
from smbd.share import Share
from smbd.state.caching import Caching, Operation
from smbd.state.cachings import Cachings
from smbd.state.locks import ByteRangeLocks
from smbd.state.notify import ChangeNotifyEntry
from smbd.state.open_names import Directory, OpenNames
from smbd.state.sharing import WRITES, ShareModes
from smbd.state.waits import Wait
from smbd.vfs import File, Key

_ASKED = 16
_OF_FILE = 2  # parts of a file's key; a stream's has its name too


class Linked(Protocol):
    """An Open, as the name by which it was opened knows it."""

    file: File
    share: Share
    granted_access: int
    share_access: int
    notify: ChangeNotifyEntry | None
    link: "Link | None"
    base: "Link | None"


@dataclass(slots=True, eq=False)
class Link:
    """One name of an open file, and the opens that came by it ([MS-FSA] 2.1.1.5 and 2.1.1.6).

    A symbolic link is a name of its own: its deletion leaves the file that it leads to.
    """

    state: "FileState"
    file: File  # of one open; of the last one when there are no more
    opens: dict[Linked, None] = field(default_factory=dict)  # in the order they came
    streams: dict[Linked, None] = field(default_factory=dict)  # of named streams, by this name
    delete_pending: bool = False
    directory: Directory | None = None  # for OpenNames

    @property
    def users(self) -> int:
        """How many opens keep the name from being removed."""
        return len(self.opens) + len(self.streams)

    def set_delete_pending(self, *, pending: bool = True) -> None:
        """Set Link.IsDeleted, or clear it; watchers of a directory are told that it is set."""
        self.state.pending_deletions += pending - self.delete_pending
        self.delete_pending = pending
        for one in self.opens if pending else ():
            if one.notify is not None:
                one.notify.end(NtStatus.DELETE_PENDING)

    def renamed(self, moved: File) -> None:
        """The name is another now, for all opens that came by it.

        It may be one that the file had already: then the two names have become one.
        """
        for file in (self.file, *(held.file for held in (*self.opens, *self.streams))):
            _follow(file, moved)
        self.state.names.moved(self)
        if not self.users:
            return  # closed meanwhile
        other = self.state.link_of(self.file, besides=self)
        if other is not None and other.users:
            self.state.merge(other, self)


@dataclass(slots=True, eq=False)
class FileState:
    """A file, directory or named stream that is open or being deleted.

    A stream has one link, whatever the names of its file.  A file has links also by which nothing
    of it is open but streams.
    """

    key: Key
    cachings: Cachings
    names: OpenNames
    locks: ByteRangeLocks = field(default_factory=ByteRangeLocks)
    links: list[Link] = field(default_factory=list)
    modes: ShareModes = field(default_factory=ShareModes)
    pending_deletions: int = 0  # of its links
    writers: int = 0  # the opens that could write, counted as they came

    @property
    def is_stream(self) -> bool:
        """Whether it is a named stream."""
        return len(self.key) > _OF_FILE

    def link_of(self, file: File, besides: Link | None = None) -> Link | None:
        """The link by which this file was opened, if others have opened it by the same.

        A path is compared with those of all links, but what else may lead to one of them is asked
        of the first few alone: 4 us each, and nothing keeps a client from opening 8,000.
        """
        if self.is_stream:
            return self.links[0] if self.links else None
        for link in self.links:
            if link.file.path == file.path and link.file.root is file.root and link is not besides:
                return link
        for link in self.links[:_ASKED]:
            if link is not besides and link.file.is_by_link_of(file):
                return link
        return None

    def links_that_go(self) -> int:
        """How many of the file's hard links are marked for deletion."""
        if not self.pending_deletions:
            return 0
        return sum(link.delete_pending and not link.file.is_symlink for link in self.links)

    def has_other_writer(self, open_: Linked) -> bool:
        """Whether another open of the file has a right to write now."""
        return self.modes.writers > bool(open_.granted_access & WRITES)

    def check(self, file: File, access: int, sharing: int) -> None:
        """SHARING_VIOLATION or DELETE_PENDING if one more such open cannot be."""
        self.check_deletion(file)
        if self.modes.forbid(access, sharing):
            raise NtError(NtStatus.SHARING_VIOLATION)

    def meet(
        self, open_: Linked, access: int, operation: Operation, own: Caching | None, now: float
    ) -> Wait | None:
        """As `check` for an open that does `operation`, and break what others cache against it.

        Gives the Wait for a break, if there is one: the caller asks again when it is over.  `own`
        is the lease that the open will share.
        """
        self.check_deletion(open_.file)
        collides = self.modes.forbid(access, open_.share_access)
        if collides:
            operation = Operation.COLLISION
        wait = self.cachings.contend_open(operation, own, access, now)
        if wait is None and collides:
            raise NtError(NtStatus.SHARING_VIOLATION)
        return wait

    def check_deletion(self, file: File) -> None:
        """DELETE_PENDING for the name by which a file was opened, or its stream."""
        if self.pending_deletions:
            link = self.link_of(file)
            if link is not None and link.delete_pending:
                raise NtError(NtStatus.DELETE_PENDING)

    def merge(self, link: Link, into: Link) -> None:
        """Two names have become one."""
        self.links.remove(link)
        self.names.leave(link)
        self.pending_deletions -= link.delete_pending
        into.opens |= link.opens
        into.streams |= link.streams
        for held in link.opens:
            held.link = into
            _follow(held.file, into.file)
        for held in link.streams:
            held.base = into
            _follow(held.file, into.file)


def _follow(file: File, moved: File) -> None:
    """Keep a file's path with its name, which another open has moved, maybe in another share."""
    if file.root is moved.root:
        file.path, file.crossed, file.symlink = moved.path, moved.crossed, moved.symlink
        return
    path, prefix = moved.absolute_path, file.root.absolute_path + "/"
    if path.startswith(prefix):
        file.path, file.crossed = path.removeprefix(prefix), file.is_symlink
        file.symlink = file.path if file.is_symlink else ""
