"""New names for an open file, as storage has them: [MS-FSA] 2.1.5.15.6 and 2.1.5.15.11.

A worker looks at the destination first.  The event loop checks the opens of a file that is there.
Then a worker acts: it looks again, and does nothing if it sees something else.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from smbd.fsa import rights
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import File, Kept, MovedError, examine
from smbd.vfs.acl import Token
from smbd.wire.access import Access
from smbd.wire.fscc import FileAttribute


@dataclass(frozen=True, slots=True)
class NewName:
    """A name for an open file: in place of its own one (`moves`), or beside it."""

    target: str  # path from the share's root
    replace: bool
    moves: bool


@dataclass(slots=True)
class Destination:
    """The folder of a new name, and the file that has it already; both stay open meanwhile."""

    folder: File
    standing: tuple[int, int] | None = None  # identity of the directory entry, maybe a symlink's
    there: File | None = None  # the file that it leads to, if to any
    replaceable: bool = False
    kept: Kept | None = None  # where that file lies now, once it is replaced

    def is_as(self, other: "Destination") -> bool:
        """Whether two looks have seen the same."""
        mine = self.there and self.there.identity
        others = other.there and other.there.identity
        return (self.folder.identity, self.standing, mine) == (
            other.folder.identity,
            other.standing,
            others,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.close()
        if self.there is not None:
            self.there.close()


def look(file: File, target: str, token: Token) -> Destination:
    """Look at the destination of a file's new name.  Blocks.

    Raises NtError: OBJECT_PATH_NOT_FOUND, ACCESS_DENIED if nothing may be added.
    """
    root = file.root
    try:
        destination = Destination(root.open(target.rpartition("/")[0], read=False, write=False))
    except NtError as error:
        if error.status != NtStatus.OBJECT_NAME_NOT_FOUND:
            raise
        raise NtError(NtStatus.OBJECT_PATH_NOT_FOUND) from error
    with ExitStack() as at_error:
        at_error.enter_context(destination)
        adding = Access.FILE_ADD_SUBDIRECTORY if file.is_directory else Access.FILE_ADD_FILE
        if not rights.in_folder(root, target, token) & adding:
            raise NtError(NtStatus.ACCESS_DENIED)
        _look_there(destination, target, token)
        at_error.pop_all()
    return destination


def _look_there(destination: Destination, target: str, token: Token) -> None:
    destination.standing = destination.folder.root.standing(target)
    try:
        there = destination.there = destination.folder.root.open(target, read=False, write=False)
    except NtError as error:
        if error.status != NtStatus.OBJECT_NAME_NOT_FOUND:
            raise
        return
    known, descriptor = examine(there)
    readonly = known.attributes & FileAttribute.READONLY
    deletable = rights.of(there, descriptor, token, Access.DELETE)
    destination.replaceable = bool(deletable) and not readonly


def act(file: File, name: NewName, seen: Destination, token: Token) -> bool:
    """Give the name; False if the destination is not as it was seen.  Blocks.

    Raises NtError as `look` does, ACCESS_DENIED for a file that is READONLY by now; OSError.
    """
    give = file.root.rename if name.moves else file.root.link
    if seen.standing is None:
        try:
            give(file, name.target, replace=False)
        except NtError as error:
            if name.replace and error.status == NtStatus.OBJECT_NAME_COLLISION:
                return False
            raise
        return True
    with look(file, name.target, token) as destination:
        if not destination.is_as(seen):
            return False
        foreign = destination.there is not None and destination.there.identity != file.identity
        if foreign and not destination.replaceable:
            raise NtError(NtStatus.ACCESS_DENIED)  # READONLY by now
        try:
            replaced = destination.there if foreign and name.replace else None
            with file.root.keeping(replaced) as seen.kept:
                give(file, name.target, name.replace, over=destination.standing)
        except MovedError:
            seen.kept = None
            return False
    return True
