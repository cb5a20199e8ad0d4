"""The content of a folder, as a tree: made from a dict or a JSON document, and read back."""

from smbd.content.details import ATTRIBUTES, Bytes, Details, Time
from smbd.content.kinds import Entry, File, Folder, Symlink, Tree
from smbd.content.making import make, put
from smbd.content.memory import MemoryFolder
from smbd.content.reading import read, read_tree
from smbd.wire.fscc import FileAttribute

# FILE_ATTRIBUTE_* for `File(attributes=...)`.
READONLY = FileAttribute.READONLY
HIDDEN = FileAttribute.HIDDEN
SYSTEM = FileAttribute.SYSTEM
ARCHIVE = FileAttribute.ARCHIVE
TEMPORARY = FileAttribute.TEMPORARY
OFFLINE = FileAttribute.OFFLINE
NORMAL = FileAttribute.NORMAL

__all__ = [
    "ARCHIVE",
    "ATTRIBUTES",
    "HIDDEN",
    "NORMAL",
    "OFFLINE",
    "READONLY",
    "SYSTEM",
    "TEMPORARY",
    "Bytes",
    "Details",
    "Entry",
    "File",
    "Folder",
    "MemoryFolder",
    "Symlink",
    "Time",
    "Tree",
    "make",
    "put",
    "read",
    "read_tree",
]
