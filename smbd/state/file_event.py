"""What was done to an open file through the server, as others are told of it."""

from typing import NamedTuple

from smbd.wire.change_notify import FileAction


class FileEvent(NamedTuple):
    """One of [MS-FSCC] 2.7.1's actions, once it is done."""

    action: int  # FileAction: ADDED, REMOVED, MODIFIED, or RENAMED_NEW_NAME for a rename
    changed: int = 0  # MODIFIED: what else than a name, bits of CompletionFilter
    # ADDED: the name, if not the open's; RENAMED_NEW_NAME: the old one.  Absolute, as File.place.
    place: str = ""


ADDED = FileEvent(FileAction.ADDED)  # a file has been made, by the open's own name
REMOVED = FileEvent(FileAction.REMOVED)


def linked(place: str) -> FileEvent:
    """The file has got one more name: its absolute path, behind all symbolic links."""
    return FileEvent(FileAction.ADDED, place=place)


def renamed(old_place: str) -> FileEvent:
    """The file has its place in place of the old one, an absolute path."""
    return FileEvent(FileAction.RENAMED_NEW_NAME, place=old_place)


def modified(changed: int) -> FileEvent:
    """Data, size, attributes, times, EAs or security are others now: bits of CompletionFilter."""
    return FileEvent(FileAction.MODIFIED, changed)
