"""What was done to an open file through the server, as others are told of it."""

from typing import NamedTuple

from smbd.wire.change_notify import FileAction


class FileEvent(NamedTuple):
    """One of [MS-FSCC] 2.7.1's actions, once it is done."""

    action: int  # FileAction: ADDED, REMOVED, MODIFIED, or RENAMED_NEW_NAME for a rename
    changed: int = 0  # MODIFIED: what else than a name, bits of CompletionFilter
    path: str | None = None  # ADDED: the name, if not the open's; RENAMED_NEW_NAME: the old one
    place: str = ""  # the same as an absolute path, behind all symbolic links


ADDED = FileEvent(FileAction.ADDED)  # a file has been made, by the open's own name
REMOVED = FileEvent(FileAction.REMOVED)


def linked(path: str, place: str) -> FileEvent:
    """The file has got one more name, below the share's folder and absolute."""
    return FileEvent(FileAction.ADDED, path=path, place=place)


def renamed(old_path: str, old_place: str) -> FileEvent:
    """The file has its path in place of the old one, below the share's folder and absolute."""
    return FileEvent(FileAction.RENAMED_NEW_NAME, path=old_path, place=old_place)


def modified(changed: int) -> FileEvent:
    """Data, size, attributes, times, EAs or security are others now: bits of CompletionFilter."""
    return FileEvent(FileAction.MODIFIED, changed)
